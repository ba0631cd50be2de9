package explain

import (
	"context"
	"encoding/json"
	"time"

	"sark/authz"
)

// Recorded is a decision as it was recorded.
type Recorded struct {
	DecisionID string
	Timestamp  time.Time
	Allow      bool
	Rule       string
	Revision   string // of the policy that decided
	Input      []byte // a JSON object
}

// Report is what is to be said of a recorded decision.
type Report struct {
	DecisionID string    `json:"decision_id"`
	Timestamp  time.Time `json:"timestamp"`
	// Recorded is what was decided, Now what the policy that was asked says.
	Recorded Verdict `json:"recorded"`
	Now      Verdict `json:"now"`
	// SamePolicy is false when another policy decided than was asked.
	SamePolicy bool `json:"same_policy"`
	// Held and Failed are the rules of the policy that was asked.
	Held   []Rule `json:"held"`
	Failed []Rule `json:"failed"`
	// Hidden are the tools that the answer to tools/list leaves out, of those that are known.
	Hidden []HiddenTool `json:"hidden_tools,omitempty"`
	// Arguments is what of the arguments the record holds: none, digest or all; empty when it does not say.
	Arguments string `json:"recorded_arguments,omitempty"`
	// Input and Tools are what the policy was asked about, so that another one can be asked the same.
	Input json.RawMessage `json:"input"`
	Tools []Tool          `json:"tools,omitempty"`
}

// Verdict is an answer, without what an allow demands.
type Verdict struct {
	Decision string `json:"decision"` // "allow" or "deny"
	Rule     string `json:"rule"`
	Reason   string `json:"reason,omitempty"`
	Revision string `json:"revision"`
	Error    string `json:"error,omitempty"` // why the engine denied by itself
}

// Tool is what is known of a tool.
type Tool struct {
	Name             string `json:"name"`
	SensitivityLevel string `json:"sensitivity_level"`
	ReadOnly         bool   `json:"read_only"`
}

// Decision asks a policy of some revision what was asked when the decision was recorded, and explains its answer. The tools are
// those that a list may show, when the decision is about one.
func Decision(ctx context.Context, t *authz.Trial, revision string, r *Recorded, tools []Tool) (*Report, error) {
	e, err := Document(ctx, t, r.Input)
	if err != nil {
		return nil, err
	}
	report := &Report{
		DecisionID: r.DecisionID, Timestamp: r.Timestamp, SamePolicy: revision == r.Revision, Held: e.Held, Failed: e.Failed,
		Recorded: Verdict{Decision: word(r.Allow), Rule: r.Rule, Revision: r.Revision},
		Now:      Verdict{Decision: word(e.Decision.Allow), Rule: e.Decision.Rule, Reason: e.Decision.Reason, Revision: revision},
		Input:    r.Input, Tools: tools, Arguments: recordedArguments(r.Input),
	}
	if e.Decision.Err != nil {
		report.Now.Error = e.Decision.Err.Error()
	}
	if _, _, list := ListOf(r.Input); list {
		report.Hidden, err = Hidden(ctx, t, r.Input, tools)
	}
	return report, err
}

func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

// ListOf returns the server whose tools the question asks for; list is false for any other question.
func ListOf(document []byte) (id, name string, list bool) {
	var about struct {
		Action string `json:"action"`
		Server struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"server"`
	}
	if json.Unmarshal(document, &about) != nil || about.Action != "tool:list" {
		return "", "", false
	}
	return about.Server.ID, about.Server.Name, true
}

// recordedArguments reads what a record says of the arguments.
func recordedArguments(document []byte) string {
	var about struct {
		Recorded struct {
			Arguments string `json:"arguments"`
		} `json:"recorded"`
	}
	_ = json.Unmarshal(document, &about) // the policy has read it as an object; a note of another form says nothing
	return about.Recorded.Arguments
}
