package authz

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"sark/internal/mcp"
)

// pair is one member of an object.
type pair = [2]*ast.Term

// Document returns the JSON document that policies see as input, with sorted keys and an empty policy_config. A nil
// location is UTC. It fails when the arguments of the call are no JSON, or a claim or the context holds what JSON cannot.
func Document(in *Input, loc *time.Location) (json.RawMessage, error) {
	set, err := Settings{Location: loc}.prepare()
	if err != nil {
		return nil, err
	}
	doc, err := document(in, set, newParts())
	if err != nil {
		return nil, err
	}
	plain, err := ast.JSON(doc)
	if err != nil {
		return nil, fmt.Errorf("convert policy input: %w", err)
	}
	return json.Marshal(plain)
}

// parseDocument reads a document that a user wrote.
func parseDocument(input []byte) (ast.Object, error) {
	var whole json.RawMessage
	if err := json.Unmarshal(input, &whole); err != nil { // for its messages
		return nil, fmt.Errorf("read input document: %w", err)
	}
	term, err := jsonTerm(input)
	if err != nil {
		return nil, fmt.Errorf("read input document: %w", err)
	}
	doc, ok := term.Value.(ast.Object)
	if !ok {
		return nil, errNotAnObject
	}
	return doc, nil
}

// document builds the input directly as the interpreter's values: the way over Go maps costs seven times as much. Objects
// that do not apply to a request (server, tool, resource, arguments, context) are absent, so that a rule which refers to
// one is undefined; those that apply have all their members.
func document(in *Input, set *settings, kept *parts) (ast.Object, error) {
	principal, err := kept.principal(in.Principal)
	if err != nil {
		return nil, err
	}
	arguments, err := argumentsTerm(in.Call)
	if err != nil {
		return nil, err
	}
	context, err := contextTerm(in.Context)
	if err != nil {
		return nil, err
	}
	pairs := [12]pair{
		{keyVersion, inputVersion},
		{keyPrincipal, principal},
		{keyUser, principal},
		{keyAction, str(action(in))},
		{keyMCP, mcpTerm(in, arguments)},
		{keyRequest, kept.request(&in.Request)},
		{keyTime, kept.time(in.Time, set.location)},
		{keyPolicyConfig, set.policyConfig},
		{keyServer, kept.server(&in.Server)},
		{keyTool, toolTerm(&in.Tool, arguments)},
		{keyResource, resourceTerm(&in.Resource)},
		{keyContext, context},
	}
	return ast.NewObject(present(pairs[:])...), nil
}

// present drops the members without a value, in place.
func present(pairs []pair) []pair {
	kept := pairs[:0]
	for _, p := range pairs {
		if p[1] != nil {
			kept = append(kept, p)
		}
	}
	return kept
}

func action(in *Input) string {
	if in.Action != "" {
		return in.Action
	}
	return in.Call.Action
}

func phase(in *Input) string {
	if in.Phase == "" {
		return PhaseCall
	}
	return in.Phase
}

func mcpTerm(in *Input, arguments *ast.Term) *ast.Term {
	call := in.Call
	pairs := [7]pair{
		{keyMethod, str(call.Method)},
		{keyPhase, str(phase(in))},
		{keyName, str(call.Name)},
		{keyURI, str(call.URI)},
		{keyProtocolVersion, str(call.ProtocolVersion)},
		{keyEra, eraTerm(call.Era)},
		{keyArguments, arguments},
	}
	return object(present(pairs[:])...)
}

func eraTerm(e mcp.Era) *ast.Term { return str(e.String()) }

func serverTerm(s *Server) *ast.Term {
	return object(
		pair{keyID, str(s.ID)},
		pair{keyName, str(s.Name)},
		pair{keySensitivity, str(s.SensitivityLevel)},
		pair{keyTeams, list(s.Teams)},
		pair{keyOwnerID, str(s.OwnerID)},
		pair{keyStatus, str(s.Status)},
	)
}

func toolTerm(t *Tool, arguments *ast.Term) *ast.Term {
	if t.Name == "" {
		return nil
	}
	pairs := [5]pair{
		{keyName, str(t.Name)},
		{keySensitivity, str(t.SensitivityLevel)},
		{keyKnown, ast.InternedTerm(t.Known)},
		{keyReadOnly, ast.InternedTerm(t.ReadOnly)},
		{keyParameters, arguments},
	}
	return object(present(pairs[:])...)
}

func resourceTerm(r *Resource) *ast.Term {
	if r.Type == "" && r.ID == "" {
		return nil
	}
	return object(
		pair{keyType, str(r.Type)},
		pair{keyID, str(r.ID)},
		pair{keySensitivity, str(r.SensitivityLevel)},
		pair{keyTeams, list(r.Teams)},
		pair{keyOwnerID, str(r.OwnerID)},
	)
}

func requestTerm(r *Request) *ast.Term {
	ip := ""
	if r.ClientIP.IsValid() {
		ip = r.ClientIP.Unmap().String()
	}
	return object(
		pair{keyMethod, str(r.Method)},
		pair{keyPath, str(r.Path)},
		pair{keyHeaders, headersTerm(r.Headers)},
		pair{keyClientIP, str(ip)},
	)
}

func headersTerm(headers map[string]string) *ast.Term {
	if len(headers) == 0 {
		return emptyObject
	}
	pairs := make([]pair, 0, len(headers))
	for name, value := range headers {
		pairs = append(pairs, pair{str(name), str(value)})
	}
	return object(pairs...)
}

// timeTerm numbers weekdays as ISO 8601 does: 1 is Monday, 7 is Sunday.
func timeTerm(t time.Time) *ast.Term {
	weekday := int(t.Weekday())
	if weekday == 0 {
		weekday = 7
	}
	return object(
		pair{keyHour, ast.InternedTerm(t.Hour())},
		pair{keyMinute, ast.InternedTerm(t.Minute())},
		pair{keyWeekday, ast.InternedTerm(weekday)},
		pair{keyUnix, ast.InternedTerm(t.Unix())},
	)
}

// argumentsTerm returns the arguments of a call, nil when there are none.
func argumentsTerm(call *mcp.Call) (*ast.Term, error) {
	if call.Arguments == nil {
		return nil, nil
	}
	term, err := jsonTerm(call.Arguments)
	if err != nil {
		return nil, fmt.Errorf("convert arguments: %w", err)
	}
	return term, nil
}

func contextTerm(context map[string]any) (*ast.Term, error) {
	if context == nil {
		return nil, nil
	}
	term, err := plainTerm(context)
	if err != nil {
		return nil, fmt.Errorf("convert context: %w", err)
	}
	return term, nil
}

func object(pairs ...pair) *ast.Term { return ast.NewTerm(ast.NewObject(pairs...)) }

// str copies what is no constant of the interpreter: strings of an input may be bytes of a request that live no longer than
// it does, while decisions, and the interpreter's cache of regular expressions, outlive it.
func str(s string) *ast.Term {
	if ast.HasInternedValue(s) {
		return ast.InternedTerm(s)
	}
	return ast.StringTerm(strings.Clone(s))
}

func list(items []string) *ast.Term {
	if len(items) == 0 {
		return emptyArray
	}
	terms := make([]*ast.Term, len(items))
	for i, s := range items {
		terms[i] = str(s)
	}
	return ast.ArrayTerm(terms...)
}
