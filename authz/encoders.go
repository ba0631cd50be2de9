package authz

import (
	"encoding/binary"

	"sark/internal/authn"
)

// append encodes those fields of a question that are wanted, as the document shows them, nothing else of the input. The
// version is the same in every document. It is written out because it is on the way of every request, and a branch that
// always goes the same way costs less than a table of what to do.
func (w fieldSet) append(b []byte, in *Input, set *settings) []byte {
	if w.has(fieldAction) {
		b = appendText(b, action(in))
	}
	if w&mcpFields != 0 {
		b = w.appendMCP(b, in)
	}
	if w&requestFields != 0 {
		b = w.appendRequest(b, &in.Request)
	}
	if w&timeFields != 0 {
		b = w.appendTime(b, set.at(in.Time))
	}
	if w&serverFields != 0 {
		b = w.appendServer(b, &in.Server)
	}
	if w&toolFields != 0 {
		b = w.appendTool(b, &in.Tool)
	}
	if w&resourceFields != 0 {
		b = w.appendResource(b, &in.Resource)
	}
	return b
}

func (w fieldSet) appendMCP(b []byte, in *Input) []byte {
	if w.has(fieldMCPMethod) {
		b = appendText(b, in.Call.Method)
	}
	if w.has(fieldMCPPhase) {
		b = appendText(b, phase(in))
	}
	if w.has(fieldMCPName) {
		b = appendText(b, in.Call.Name)
	}
	if w.has(fieldMCPURI) {
		b = appendText(b, in.Call.URI)
	}
	if w.has(fieldMCPProtocolVersion) {
		b = appendText(b, in.Call.ProtocolVersion)
	}
	if w.has(fieldMCPEra) {
		b = appendText(b, in.Call.Era.String())
	}
	return b
}

func (w fieldSet) appendRequest(b []byte, r *Request) []byte {
	if w.has(fieldRequestMethod) {
		b = appendText(b, r.Method)
	}
	if w.has(fieldRequestPath) {
		b = appendText(b, r.Path)
	}
	if w.has(fieldRequestClientIP) {
		b = appendAddress(b, r.ClientIP)
	}
	return b
}

func (w fieldSet) appendTime(b []byte, m *moment) []byte {
	if w.has(fieldTimeHour) {
		b = append(b, m.hour)
	}
	if w.has(fieldTimeMinute) {
		b = append(b, m.minute)
	}
	if w.has(fieldTimeWeekday) {
		b = append(b, m.weekday)
	}
	if w.has(fieldTimeUnix) {
		b = binary.BigEndian.AppendUint64(b, uint64(m.unix)) //nolint:gosec // the same bits
	}
	return b
}

func (w fieldSet) appendServer(b []byte, s *Server) []byte {
	if !s.applies() {
		return append(b, tagAbsent)
	}
	b = append(b, tagObject)
	if w.has(fieldServerID) {
		b = appendText(b, s.ID)
	}
	if w.has(fieldServerName) {
		b = appendText(b, s.Name)
	}
	if w.has(fieldServerSensitivity) {
		b = appendText(b, s.SensitivityLevel)
	}
	if w.has(fieldServerTeams) {
		b = appendList(b, s.Teams)
	}
	if w.has(fieldServerOwnerID) {
		b = appendText(b, s.OwnerID)
	}
	if w.has(fieldServerStatus) {
		b = appendText(b, s.Status)
	}
	return b
}

func (w fieldSet) appendTool(b []byte, t *Tool) []byte {
	if !t.applies() {
		return append(b, tagAbsent)
	}
	b = append(b, tagObject)
	if w.has(fieldToolName) {
		b = appendText(b, t.Name)
	}
	if w.has(fieldToolSensitivity) {
		b = appendText(b, t.SensitivityLevel)
	}
	if w.has(fieldToolKnown) {
		b = appendBool(b, t.Known)
	}
	if w.has(fieldToolReadOnly) {
		b = appendBool(b, t.ReadOnly)
	}
	return b
}

func (w fieldSet) appendResource(b []byte, r *Resource) []byte {
	if !r.applies() {
		return append(b, tagAbsent)
	}
	b = append(b, tagObject)
	if w.has(fieldResourceType) {
		b = appendText(b, r.Type)
	}
	if w.has(fieldResourceID) {
		b = appendText(b, r.ID)
	}
	if w.has(fieldResourceSensitivity) {
		b = appendText(b, r.SensitivityLevel)
	}
	if w.has(fieldResourceTeams) {
		b = appendList(b, r.Teams)
	}
	if w.has(fieldResourceOwnerID) {
		b = appendText(b, r.OwnerID)
	}
	return b
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
