package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sark/configs"
	"sark/internal/app"
	"sark/internal/authn"
	"sark/store"
)

// defaultOverlap is how long a key that is rotated goes on working unless --until says otherwise.
const defaultOverlap = 24 * time.Hour

func (p *program) apikeyRotateCommand() *cobra.Command {
	var next store.APIKey
	until, expires := &moment{now: p.now, after: true}, &moment{now: p.now, after: true}
	c := command("rotate ID", "Makes a key in place of another, which goes on working for a while.",
		`The new key stands for the same principal: subject, roles, teams, scopes and description are those of the
old one. It has an id and a secret of its own, so that the audit trail tells which of both is still in use.
The old key ends at --until, or before if it would have. The new key goes to standard output.`,
		"docs/configuration.md#authn", "sark apikey rotate ci", "key=$(sark apikey rotate ci --id ci-2 --until 7d --expires 90d)")
	c.Args = oneArgument("ID")
	f := c.Flags()
	f.StringVar(&next.ID, "id", "", "public `ID` of the new key (default a random one)")
	addMoment(f, until, "until", "`TIME` when the old key stops working, RFC 3339 or a span such as 7d (default 24h)")
	addMoment(f, expires, "expires", "`TIME` when the new key stops working, RFC 3339 or a span such as 90d (default never)")
	c.RunE = func(c *cobra.Command, args []string) error {
		next.ExpiresAt = expires.UTC()
		end := until.UTC()
		if end.IsZero() {
			end = p.now().Add(defaultOverlap).UTC()
		}
		return p.apikeyRotate(c.Context(), args[0], next, end)
	}
	return c
}

func (p *program) apikeyRotate(ctx context.Context, id string, next store.APIKey, until time.Time) error {
	if !until.After(p.now()) {
		return misused("--until: %s is over already; sark apikey revoke ends a key at once", until.Format(time.RFC3339))
	}
	return p.withStore(ctx, false, func(db app.Database, c *configs.Config) error {
		old, found, err := db.FindAPIKey(ctx, id)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("there is no API key %q; sark apikey list shows them", id)
		}
		next.Subject, next.Description, next.Roles, next.Teams, next.Scopes = old.Subject, old.Description, old.Roles, old.Teams, old.Scopes
		key, err := p.newKey(&next, c)
		if err != nil {
			return err
		}
		switch err := db.RotateAPIKey(ctx, id, next, until); {
		case errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("the API key %q has ended already; make another with sark apikey create", id)
		case errors.Is(err, store.ErrNameTaken):
			return taken(next.ID)
		case err != nil:
			return err
		}
		if _, err := fmt.Fprintln(p.stdout, key); err != nil {
			return err
		}
		p.explainKey(&next)
		if !old.ExpiresAt.IsZero() && old.ExpiresAt.Before(until) {
			until = old.ExpiresAt
		}
		p.say("Key %s works until %s.", id, localTime(until))
		return nil
	})
}

// newKey completes k and makes its secret. The key's text is returned, to be shown once.
func (p *program) newKey(k *store.APIKey, c *configs.Config) (string, error) {
	if err := p.complete(k); err != nil {
		return "", err
	}
	key, hash, err := authn.NewAPIKey(k.ID)
	if err != nil {
		return "", misused("--id: %q should be 1 to 32 of a-z, 0-9 and -", k.ID)
	}
	for i := range c.Authn.APIKeys {
		if c.Authn.APIKeys[i].ID == k.ID {
			return "", fmt.Errorf("the configuration has an API key %q already, which would hide this one; choose another --id", k.ID)
		}
	}
	k.Hash = hash
	return key, nil
}

// taken is the error of an id that is in use.
func taken(id string) error {
	return fmt.Errorf("there is an API key %q already (revoked ones count too); choose another --id", id)
}
