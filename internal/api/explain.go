package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sark/authz/explain"
	"sark/store"
)

// explain answers GET /api/v1/policy/explain/{id}: why is this decision as it is? The policy in force is asked once more, with
// every rule tried.
func (a *API) explain(ctx context.Context, r *request) error {
	id, ok := parseID(r.call.Name)
	if !ok {
		return notUUID("decision_id")
	}
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	unavailable := &Problem{Status: fasthttp.StatusServiceUnavailable, Code: "policy_unavailable", Detail: "No policy is in force here"}
	if a.o.Policies == nil || a.o.Inputs == nil {
		return unavailable
	}
	policy, revision := a.o.Policies.Trial()
	if policy == nil {
		return unavailable
	}
	recorded, err := a.recordedDecision(ctx, id)
	if err != nil {
		return err
	}
	tools, err := a.toolsOfList(ctx, recorded.Input)
	if err != nil {
		return err
	}
	done, err := a.beginTrial()
	if err != nil {
		return err
	}
	defer done()
	report, err := explain.Decision(ctx, policy, revision, recorded, tools)
	if err != nil {
		return fmt.Errorf("explain decision %s: %w", id, err)
	}
	return writeJSON(r.out, fasthttp.StatusOK, report)
}

// recordedDecision returns what is recorded of a decision. The problem says what the trail knows of one without an input.
func (a *API) recordedDecision(ctx context.Context, id uuid.UUID) (*explain.Recorded, error) {
	in, found, err := a.o.Inputs.DecisionInput(ctx, id)
	if err != nil {
		return nil, storeProblem(err, "decision")
	}
	if found {
		return &explain.Recorded{
			DecisionID: id.String(), Timestamp: in.Timestamp, Allow: in.Allow, Rule: in.Rule, Revision: in.PolicyRevision, Input: in.Input,
		}, nil
	}
	page, err := a.o.Audit.Events(ctx, store.EventFilter{DecisionID: id, Limit: 1})
	if err != nil {
		return nil, storeProblem(err, "audit trail")
	}
	missing := &Problem{
		Status: fasthttp.StatusNotFound, Code: "not_found",
		Detail: "No decision has this id; an event has that of its decision in decision_id, and one of the last seconds may be on its way",
	}
	if len(page.Items) > 0 {
		e := &page.Items[0]
		missing.Code = "not_recorded"
		missing.Detail = fmt.Sprintf("The input of this decision was not recorded, or is kept no longer (authz.inputs.retention): authz.inputs.denials records "+
			"those of denials, 30 a minute at the most, and authz.inputs.sample a share of all; set sample: 100 and let the call be made again to have it explained; "+
			"the trail says: %s of %s for %s: %s by rule %q (%s)", e.Action, aboutOf(e.ServerName, e.ToolName), e.UserID, e.Decision, e.Rule, e.Reason)
	}
	return nil, missing
}

func aboutOf(server, tool string) string {
	if tool == "" {
		return server
	}
	return server + "/" + tool
}

// toolsOfList returns what is known of the tools of a list; nil when the question is about no list.
func (a *API) toolsOfList(ctx context.Context, input []byte) ([]explain.Tool, error) {
	id, name, list := explain.ListOf(input)
	if !list {
		return nil, nil
	}
	tools := []explain.Tool{}
	if a.o.Catalogue != nil {
		if known, ok := a.o.Catalogue.Tools(name); ok {
			for _, t := range known {
				tools = append(tools, explain.Tool{Name: t.Name, SensitivityLevel: t.SensitivityLevel, ReadOnly: t.ReadOnly})
			}
			return tools, nil
		}
	}
	if _, ok := parseID(id); !ok {
		return tools, nil // a server of a configuration that is gone
	}
	s, err := a.o.Registry.Server(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return tools, nil
	}
	if err != nil {
		return nil, storeProblem(err, "server")
	}
	for _, t := range s.Tools {
		level := t.SensitivityLevel
		if level == "" {
			level = s.SensitivityLevel
		}
		tools = append(tools, explain.Tool{Name: t.Name, SensitivityLevel: level})
	}
	return tools, nil
}
