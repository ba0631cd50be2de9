package authz

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// The builders of the document's objects give them the members that are wanted. Objects that policies may take for granted
// (see alwaysObject) are there even when no member of them is, as long as something below them is read.

func (w *wanted) text(f field, s string) *ast.Term {
	if !w.has(f) {
		return nil
	}
	return str(s)
}

func (w *wanted) list(f field, items []string) *ast.Term {
	if !w.has(f) {
		return nil
	}
	return list(items)
}

func (w *wanted) boolean(f field, v bool) *ast.Term {
	if !w.has(f) {
		return nil
	}
	return ast.InternedTerm(v)
}

// text is that of wanted, with a term that is kept.
func (p *parts) text(f field, s string) *ast.Term {
	if !p.wanted.has(f) {
		return nil
	}
	return p.texts.term(s)
}

func (p *parts) call(in *Input, arguments *ast.Term) *ast.Term {
	call := in.Call
	pairs := [7]pair{
		{keyMethod, p.text(fieldMCPMethod, call.Method)},
		{keyPhase, p.text(fieldMCPPhase, phase(in))},
		{keyName, p.text(fieldMCPName, call.Name)},
		{keyURI, p.text(fieldMCPURI, call.URI)},
		{keyProtocolVersion, p.text(fieldMCPProtocolVersion, call.ProtocolVersion)},
		{keyEra, p.text(fieldMCPEra, call.Era.String())},
		{keyArguments, arguments},
	}
	return object(present(pairs[:])...)
}

func (w *wanted) server(s *Server) *ast.Term {
	pairs := [6]pair{
		{keyID, w.text(fieldServerID, s.ID)},
		{keyName, w.text(fieldServerName, s.Name)},
		{keySensitivity, w.text(fieldServerSensitivity, s.SensitivityLevel)},
		{keyTeams, w.list(fieldServerTeams, s.Teams)},
		{keyOwnerID, w.text(fieldServerOwnerID, s.OwnerID)},
		{keyStatus, w.text(fieldServerStatus, s.Status)},
	}
	return object(present(pairs[:])...)
}

func (p *parts) tool(t *Tool, arguments *ast.Term) *ast.Term {
	if !t.applies() {
		return nil
	}
	if !p.wanted.parameters {
		arguments = nil
	}
	pairs := [5]pair{
		{keyName, p.text(fieldToolName, t.Name)},
		{keySensitivity, p.text(fieldToolSensitivity, t.SensitivityLevel)},
		{keyKnown, p.wanted.boolean(fieldToolKnown, t.Known)},
		{keyReadOnly, p.wanted.boolean(fieldToolReadOnly, t.ReadOnly)},
		{keyParameters, arguments},
	}
	return object(present(pairs[:])...)
}

func (p *parts) resource(r *Resource) *ast.Term {
	if !r.applies() {
		return nil
	}
	pairs := [5]pair{
		{keyType, p.text(fieldResourceType, r.Type)},
		{keyID, p.text(fieldResourceID, r.ID)},
		{keySensitivity, p.text(fieldResourceSensitivity, r.SensitivityLevel)},
		{keyTeams, p.wanted.list(fieldResourceTeams, r.Teams)},
		{keyOwnerID, p.text(fieldResourceOwnerID, r.OwnerID)},
	}
	return object(present(pairs[:])...)
}

func (w *wanted) request(r *Request) *ast.Term {
	ip := ""
	if w.has(fieldRequestClientIP) && r.ClientIP.IsValid() {
		ip = r.ClientIP.Unmap().String()
	}
	pairs := [4]pair{
		{keyMethod, w.text(fieldRequestMethod, r.Method)},
		{keyPath, w.text(fieldRequestPath, r.Path)},
		{keyHeaders, w.headers.term(r.Headers)},
		{keyClientIP, w.text(fieldRequestClientIP, ip)},
	}
	return object(present(pairs[:])...)
}

func (h *headers) term(all map[string]string) *ast.Term {
	if len(all) == 0 || !h.any() {
		return emptyObject
	}
	pairs := make([]pair, 0, len(all))
	for name, value := range all {
		if h.reads(name) {
			pairs = append(pairs, pair{str(name), str(value)})
		}
	}
	return object(pairs...)
}

func (w *wanted) contextTerm(context map[string]any) (*ast.Term, error) {
	if context == nil || !w.context {
		return nil, nil
	}
	raw, err := plainJSON(context)
	if err != nil {
		return nil, fmt.Errorf("convert context: %w", err)
	}
	term, err := jsonTerm(raw)
	if err != nil {
		return nil, fmt.Errorf("convert context: %w", err)
	}
	return term, nil
}
