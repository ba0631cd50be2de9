package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"sark/authz"
)

// Recorded is a question that was answered.
type Recorded struct {
	// DecisionID identifies the decision.
	DecisionID string `json:"decision_id"`
	// Timestamp is when it was made.
	Timestamp time.Time `json:"timestamp"`
	// PolicyRevision is the revision that answered.
	PolicyRevision string `json:"policy_revision"`
	// Allow and Rule are the answer.
	Allow bool   `json:"allow"`
	Rule  string `json:"rule"`
	// Input is the document that the policy saw; its member "recorded" says what was withheld from the record.
	Input json.RawMessage `json:"input"`
}

// Flip is an answer that would be different.
type Flip struct {
	DecisionID string    `json:"decision_id"`
	Timestamp  time.Time `json:"timestamp"`
	User       string    `json:"user"`
	Action     string    `json:"action"`
	Server     string    `json:"server"`
	Tool       string    `json:"tool"`
	// From and To are "allow" or "deny".
	From     string `json:"from"`
	To       string `json:"to"`
	FromRule string `json:"from_rule"`
	ToRule   string `json:"to_rule"`
	// Reason is what the candidate says.
	Reason string `json:"reason"`
	// Uncertain is true when the candidate reads of this question what was not recorded.
	Uncertain bool `json:"uncertain"`
}

// Report is what a replay has shown.
type Report struct {
	// Decisions is how many recorded questions were asked.
	Decisions int `json:"decisions"`
	// Flips are the different answers, by user, tool and time.
	Flips []Flip `json:"flips"`
	// Uncertain is how many questions lack what the candidate reads, Unreadable how many could not be asked at all.
	Uncertain  int `json:"uncertain"`
	Unreadable int `json:"unreadable"`
	// Revisions are those that had answered, sorted.
	Revisions []string `json:"revisions"`
}

// progressEvery is after how many questions progress is told.
const progressEvery = 1000

// Run asks the candidate everything that was recorded. An error of the sequence, or the end of ctx, ends it; progress hears
// how many questions were asked, and may be nil.
func Run(ctx context.Context, t *authz.Trial, recorded iter.Seq2[Recorded, error], progress func(asked int)) (*Report, error) {
	r := &Report{Flips: []Flip{}, Revisions: []string{}}
	reads := argumentsRead(t.Analysis().Reads)
	for q, err := range recorded {
		if err != nil {
			return nil, fmt.Errorf("read recorded decisions: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.ask(ctx, t, &q, reads)
		if progress != nil && r.Decisions%progressEvery == 0 {
			progress(r.Decisions)
		}
	}
	slices.Sort(r.Revisions)
	slices.SortStableFunc(r.Flips, func(a, b Flip) int {
		return cmp.Or(strings.Compare(a.User, b.User), strings.Compare(a.Tool, b.Tool), a.Timestamp.Compare(b.Timestamp))
	})
	return r, nil
}

// ask asks one question and compares the answers.
func (r *Report) ask(ctx context.Context, t *authz.Trial, q *Recorded, reads []string) {
	r.Decisions++
	if !slices.Contains(r.Revisions, q.PolicyRevision) {
		r.Revisions = append(r.Revisions, q.PolicyRevision)
	}
	var about subject
	if json.Unmarshal(q.Input, &about) != nil {
		r.Unreadable++
		return
	}
	d, err := t.Decide(ctx, q.Input)
	if err != nil {
		r.Unreadable++
		return
	}
	uncertain := about.withholds(q.Input, reads)
	if uncertain {
		r.Uncertain++
	}
	if d.Allow == q.Allow {
		return
	}
	r.Flips = append(r.Flips, Flip{
		DecisionID: q.DecisionID, Timestamp: q.Timestamp, User: about.Principal.ID, Action: about.Action,
		Server: about.Server.Name, Tool: about.Tool.Name, From: word(q.Allow), To: word(d.Allow),
		FromRule: q.Rule, ToRule: d.Rule, Reason: d.Reason, Uncertain: uncertain,
	})
}

func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}
