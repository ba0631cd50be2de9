package authz

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
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
	doc, err := document(in, set, newParts(wantsAll()))
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
// one is undefined; those that apply have all the members that the policy can read. What it can read nothing of is absent
// too, but for policy_config: that rules are dead rests on it.
func document(in *Input, set *settings, kept *parts) (ast.Object, error) {
	w := kept.wanted
	principal, err := kept.principal(in.Principal)
	if err != nil {
		return nil, err
	}
	arguments, err := w.arguments.term(in.Call.Arguments, kept.texts)
	if err != nil {
		return nil, fmt.Errorf("convert arguments: %w", err)
	}
	context, err := w.contextTerm(in.Context)
	if err != nil {
		return nil, err
	}
	pairs := [12]pair{
		{keyAction, kept.text(fieldAction, action(in))},
		{keyPolicyConfig, set.policyConfig},
		{keyServer, kept.server(&in.Server)},
		{keyTool, kept.tool(&in.Tool, arguments)},
		{keyResource, kept.resource(&in.Resource)},
		{keyContext, context},
	}
	all := present(pairs[:])
	if w.reads(memberVersion) {
		all = append(all, pair{keyVersion, inputVersion})
	}
	if w.reads(memberPrincipal) {
		all = append(all, pair{keyPrincipal, principal})
	}
	if w.reads(memberUser) {
		all = append(all, pair{keyUser, principal})
	}
	if w.reads(memberMCP) {
		all = append(all, pair{keyMCP, kept.mcp(in, arguments)})
	}
	if w.reads(memberRequest) {
		all = append(all, pair{keyRequest, kept.request(&in.Request)})
	}
	if w.reads(memberTime) {
		all = append(all, pair{keyTime, kept.time(in, set)})
	}
	return ast.NewObject(all...), nil
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
