package authz

import (
	"encoding/binary"

	"sark/internal/authn"
)

// append encodes a field as the document shows it, nothing else of the input: a field of an object that does not apply is
// absent. The version is the same in every document. It is one switch because it is on the way of every request, and a
// jump costs less than a call.
func (q *question) append(b []byte, f field) []byte {
	switch f {
	case fieldAction:
		return appendText(b, action(q.in))
	case fieldVersion:
		return b
	case fieldServerID:
		return q.server(b, q.in.Server.ID)
	case fieldServerName:
		return q.server(b, q.in.Server.Name)
	case fieldServerSensitivity:
		return q.server(b, q.in.Server.SensitivityLevel)
	case fieldServerTeams:
		return appendListIf(b, q.in.Server.applies(), q.in.Server.Teams)
	case fieldServerOwnerID:
		return q.server(b, q.in.Server.OwnerID)
	case fieldServerStatus:
		return q.server(b, q.in.Server.Status)
	case fieldToolName:
		return q.tool(b, q.in.Tool.Name)
	case fieldToolSensitivity:
		return q.tool(b, q.in.Tool.SensitivityLevel)
	case fieldToolKnown:
		return appendBoolIf(b, q.in.Tool.applies(), q.in.Tool.Known)
	case fieldToolReadOnly:
		return appendBoolIf(b, q.in.Tool.applies(), q.in.Tool.ReadOnly)
	case fieldResourceType:
		return q.resource(b, q.in.Resource.Type)
	case fieldResourceID:
		return q.resource(b, q.in.Resource.ID)
	case fieldResourceSensitivity:
		return q.resource(b, q.in.Resource.SensitivityLevel)
	case fieldResourceTeams:
		return appendListIf(b, q.in.Resource.applies(), q.in.Resource.Teams)
	case fieldResourceOwnerID:
		return q.resource(b, q.in.Resource.OwnerID)
	case fieldMCPMethod:
		return appendText(b, q.in.Call.Method)
	case fieldMCPPhase:
		return appendText(b, phase(q.in))
	case fieldMCPName:
		return appendText(b, q.in.Call.Name)
	case fieldMCPURI:
		return appendText(b, q.in.Call.URI)
	case fieldMCPProtocolVersion:
		return appendText(b, q.in.Call.ProtocolVersion)
	case fieldMCPEra:
		return appendText(b, q.in.Call.Era.String())
	case fieldRequestMethod:
		return appendText(b, q.in.Request.Method)
	case fieldRequestPath:
		return appendText(b, q.in.Request.Path)
	case fieldRequestClientIP:
		return appendAddress(b, q.in.Request.ClientIP)
	case fieldTimeHour:
		return append(b, q.moment.hour)
	case fieldTimeMinute:
		return append(b, q.moment.minute)
	case fieldTimeWeekday:
		return append(b, q.moment.weekday)
	case fieldTimeUnix:
		return binary.BigEndian.AppendUint64(b, uint64(q.moment.unix)) //nolint:gosec // the same bits
	}
	panic("BUG: a field without an encoding")
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
