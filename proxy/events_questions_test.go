package proxy_test

import (
	"context"
	"strings"
	"sync"

	"sark/authz"
	"sark/proxy"
)

// deciderFunc is a policy in Go.
type deciderFunc func(in *authz.Input) authz.Decision

// Decide implements proxy.Decider.
func (f deciderFunc) Decide(_ context.Context, in *authz.Input) authz.Decision { return f(in) }

// allowAll is the policy that allows everything.
func allowAll() proxy.Decider {
	return deciderFunc(func(*authz.Input) authz.Decision {
		return authz.Decision{Allow: true, Rule: "test.allow", Reason: "everything is allowed", Obligations: authz.Obligations{CacheTTL: -1}}
	})
}

// question is what the policy was asked, as far as the gateway decides what that is.
type question struct {
	Phase     string `json:"phase"`
	Action    string `json:"action"`
	Principal string `json:"principal"`
	Method    string `json:"method,omitempty"`
	Era       string `json:"era"`
	Tool      string `json:"tool,omitempty"`
	Resource  string `json:"resource,omitempty"` // type and id
	Name      string `json:"name,omitempty"`
	URI       string `json:"uri,omitempty"`
	Arguments string `json:"arguments,omitempty"`
	Server    string `json:"server,omitempty"`
	Allow     bool   `json:"allow"`
}

// questions puts itself before a decider and remembers what it was asked and what it said.
type questions struct {
	decider proxy.Decider

	mu    sync.Mutex
	asked []question
}

// Decide implements proxy.Decider.
func (q *questions) Decide(ctx context.Context, in *authz.Input) authz.Decision {
	d := q.decider.Decide(ctx, in)
	action := in.Action
	if action == "" {
		action = in.Call.Action
	}
	one := question{
		Phase: in.Phase, Action: action, Principal: in.Principal.ID, Method: in.Call.Method, Era: in.Call.Era.String(),
		Tool: in.Tool.Name, Resource: strings.Trim(in.Resource.Type+" "+in.Resource.ID, " "),
		Name: in.Call.Name, URI: in.Call.URI, Arguments: string(in.Call.Arguments), Server: in.Server.Name, Allow: d.Allow,
	}
	one.cloneStrings()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked = append(q.asked, one)
	return d
}

// cloneStrings copies what aliases the request.
func (q *question) cloneStrings() {
	for _, s := range []*string{
		&q.Phase, &q.Action, &q.Principal, &q.Method, &q.Era, &q.Tool, &q.Resource, &q.Name, &q.URI, &q.Arguments, &q.Server,
	} {
		*s = strings.Clone(*s)
	}
}

// Take returns the questions since the last Take.
func (q *questions) Take() []question {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked := q.asked
	q.asked = nil
	return asked
}
