package authz

import (
	"encoding/binary"

	"sark/internal/authn"
)

// encoders encode each field as the document shows it, nothing else of the input: a field of an object that does not apply
// is absent. The version is the same in every document.
func encoders() [fieldPrincipalID]encoder {
	return [fieldPrincipalID]encoder{
		fieldAction:  func(b []byte, q *question) []byte { return appendText(b, action(q.in)) },
		fieldVersion: func(b []byte, _ *question) []byte { return b },

		fieldServerID:   func(b []byte, q *question) []byte { return q.server(b, q.in.Server.ID) },
		fieldServerName: func(b []byte, q *question) []byte { return q.server(b, q.in.Server.Name) },
		fieldServerSensitivity: func(b []byte, q *question) []byte {
			return q.server(b, q.in.Server.SensitivityLevel)
		},
		fieldServerTeams: func(b []byte, q *question) []byte {
			return appendListIf(b, q.in.Server.applies(), q.in.Server.Teams)
		},
		fieldServerOwnerID: func(b []byte, q *question) []byte { return q.server(b, q.in.Server.OwnerID) },
		fieldServerStatus:  func(b []byte, q *question) []byte { return q.server(b, q.in.Server.Status) },

		fieldToolName: func(b []byte, q *question) []byte { return q.tool(b, q.in.Tool.Name) },
		fieldToolSensitivity: func(b []byte, q *question) []byte {
			return q.tool(b, q.in.Tool.SensitivityLevel)
		},
		fieldToolKnown: func(b []byte, q *question) []byte {
			return appendBoolIf(b, q.in.Tool.applies(), q.in.Tool.Known)
		},
		fieldToolReadOnly: func(b []byte, q *question) []byte {
			return appendBoolIf(b, q.in.Tool.applies(), q.in.Tool.ReadOnly)
		},

		fieldResourceType: func(b []byte, q *question) []byte { return q.resource(b, q.in.Resource.Type) },
		fieldResourceID:   func(b []byte, q *question) []byte { return q.resource(b, q.in.Resource.ID) },
		fieldResourceSensitivity: func(b []byte, q *question) []byte {
			return q.resource(b, q.in.Resource.SensitivityLevel)
		},
		fieldResourceTeams: func(b []byte, q *question) []byte {
			return appendListIf(b, q.in.Resource.applies(), q.in.Resource.Teams)
		},
		fieldResourceOwnerID: func(b []byte, q *question) []byte { return q.resource(b, q.in.Resource.OwnerID) },

		fieldMCPMethod: func(b []byte, q *question) []byte { return appendText(b, q.in.Call.Method) },
		fieldMCPPhase:  func(b []byte, q *question) []byte { return appendText(b, phase(q.in)) },
		fieldMCPName:   func(b []byte, q *question) []byte { return appendText(b, q.in.Call.Name) },
		fieldMCPURI:    func(b []byte, q *question) []byte { return appendText(b, q.in.Call.URI) },
		fieldMCPProtocolVersion: func(b []byte, q *question) []byte {
			return appendText(b, q.in.Call.ProtocolVersion)
		},
		fieldMCPEra: func(b []byte, q *question) []byte { return appendText(b, q.in.Call.Era.String()) },

		fieldRequestMethod:   func(b []byte, q *question) []byte { return appendText(b, q.in.Request.Method) },
		fieldRequestPath:     func(b []byte, q *question) []byte { return appendText(b, q.in.Request.Path) },
		fieldRequestClientIP: func(b []byte, q *question) []byte { return appendAddress(b, q.in.Request.ClientIP) },

		fieldTimeHour:    func(b []byte, q *question) []byte { return append(b, q.moment.hour) },
		fieldTimeMinute:  func(b []byte, q *question) []byte { return append(b, q.moment.minute) },
		fieldTimeWeekday: func(b []byte, q *question) []byte { return append(b, q.moment.weekday) },
		fieldTimeUnix: func(b []byte, q *question) []byte {
			return binary.BigEndian.AppendUint64(b, uint64(q.moment.unix)) //nolint:gosec // the same bits
		},
	}
}

func (q *question) server(b []byte, s string) []byte {
	return appendTextIf(b, q.in.Server.applies(), s)
}

func (q *question) tool(b []byte, s string) []byte { return appendTextIf(b, q.in.Tool.applies(), s) }

func (q *question) resource(b []byte, s string) []byte {
	return appendTextIf(b, q.in.Resource.applies(), s)
}

// principalEncoders are the encoders of the fields from fieldPrincipalID on.
func principalEncoders() [fields - fieldPrincipalID]principalEncoder {
	const first = fieldPrincipalID
	return [fields - first]principalEncoder{
		fieldPrincipalID - first: func(b []byte, p *authn.Principal) []byte { return appendText(b, p.ID) },
		fieldPrincipalType - first: func(b []byte, p *authn.Principal) []byte {
			return appendText(b, string(p.Type))
		},
		fieldPrincipalMethod - first: func(b []byte, p *authn.Principal) []byte {
			return appendText(b, string(p.Method))
		},
		fieldPrincipalIssuer - first:   func(b []byte, p *authn.Principal) []byte { return appendText(b, p.Issuer) },
		fieldPrincipalClientID - first: func(b []byte, p *authn.Principal) []byte { return appendText(b, p.ClientID) },
		fieldPrincipalKeyID - first:    func(b []byte, p *authn.Principal) []byte { return appendText(b, p.KeyID) },
		fieldPrincipalEmail - first:    func(b []byte, p *authn.Principal) []byte { return appendText(b, p.Email) },
		fieldPrincipalRoles - first:    func(b []byte, p *authn.Principal) []byte { return appendList(b, p.Roles) },
		fieldPrincipalTeams - first:    func(b []byte, p *authn.Principal) []byte { return appendList(b, p.Teams) },
		fieldPrincipalScopes - first:   func(b []byte, p *authn.Principal) []byte { return appendList(b, p.Scopes) },
		fieldPrincipalAuthenticated - first: func(b []byte, p *authn.Principal) []byte {
			return appendBool(b, authenticated(p))
		},
		fieldPrincipalRole - first: func(b []byte, p *authn.Principal) []byte {
			return appendTextIf(b, len(p.Roles) > 0, firstRole(p))
		},
	}
}
