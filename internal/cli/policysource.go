package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sark/authz"
	"sark/configs"
	"sark/internal/app"
	"sark/store"
)

// errRemotePolicy is for commands that work on files.
var errRemotePolicy = errors.New("authz.opa names bundles that the gateway downloads; give a local copy with --bundle")

// policySource is a policy of the configuration, or of --bundle, and what the gateway would tell it.
type policySource struct {
	bundle   string // empty is what is built in
	settings authz.Settings
}

// policySource finds out which policy a command is about.
func (p *program) policySource(c *configs.Config, bundle string) (policySource, error) {
	if bundle == "" && len(c.Authz.OPA) > 0 {
		return policySource{}, errRemotePolicy
	}
	zone, err := time.LoadLocation(c.Authz.Timezone)
	if err != nil {
		return policySource{}, fmt.Errorf("authz.timezone: %w", err)
	}
	s := policySource{bundle: bundle, settings: authz.Settings{
		Timeout: c.Authz.Timeout, Location: zone, PolicyConfig: c.Authz.PolicyConfig,
	}}
	if s.bundle == "" {
		s.bundle = c.Authz.Bundle
	}
	return s, nil
}

// trial compiles the policy and returns it with its revision.
func (s *policySource) trial(ctx context.Context) (*authz.Trial, string, error) {
	b, err := authz.ReadBundle(s.bundle)
	if err != nil {
		return nil, "", err
	}
	t, err := authz.NewTrial(ctx, b, s.settings, nil)
	if err != nil {
		return nil, "", fmt.Errorf("open the policy: %w", err)
	}
	return t, b.Manifest.Revision, nil
}

// recordedInput is the recorded input of one decision. Its error says what is known of a decision without one.
func recordedInput(ctx context.Context, db app.Database, decision uuid.UUID) (store.DecisionInput, error) {
	in, found, err := db.DecisionInput(ctx, decision)
	if err != nil || found {
		return in, err
	}
	page, err := db.Events(ctx, store.EventFilter{DecisionID: decision, Limit: 1})
	if err != nil {
		return in, err
	}
	if len(page.Items) == 0 {
		return in, fmt.Errorf("no decision %s is on the trail; one of the last seconds may be on its way into the store", decision)
	}
	events, err := eventsOf(store.Forwarded(nil).Mark(page.Items))
	if err != nil {
		return in, err
	}
	return in, fmt.Errorf("the input of decision %s was not recorded, or is kept no longer (authz.inputs.denials, sample and retention); the trail says: %s %s of %s for %s (%s)",
		decision, events[0].verdict(), events[0].Action, events[0].target(), events[0].User, events[0].Reason)
}

// decisionOf returns the decision of an audit event.
func decisionOf(ctx context.Context, db app.Database, id uuid.UUID) (uuid.UUID, error) {
	page, err := db.Events(ctx, store.EventFilter{ID: id, Limit: 1})
	if err != nil {
		return uuid.Nil, err
	}
	if len(page.Items) == 0 {
		return uuid.Nil, fmt.Errorf("no event %s is on the trail; sark audit query prints the ids of events, which are not those of decisions", id)
	}
	if page.Items[0].DecisionID == uuid.Nil {
		return uuid.Nil, fmt.Errorf("event %s is of an exchange that ended before a decision", id)
	}
	return page.Items[0].DecisionID, nil
}
