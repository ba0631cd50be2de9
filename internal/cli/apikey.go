package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"sark/configs"
	"sark/internal/app"
	"sark/internal/authn"
	"sark/store"
)

func (p *program) apikeyCommand() *cobra.Command {
	c := group("apikey", "Makes, lists, rotates and revokes API keys.",
		`A key stands for a principal: a subject with roles, teams and scopes. Keys are kept in the database as
digests; a running gateway knows a new key at once. Keys that stand in the configuration (authn.api_keys)
are not shown here.`,
		"sark apikey create --role admin", "sark apikey list")
	c.AddCommand(p.apikeyCreateCommand(), p.apikeyListCommand(), p.apikeyRotateCommand(), p.apikeyRevokeCommand())
	return c
}

func (p *program) apikeyCreateCommand() *cobra.Command {
	var k store.APIKey
	expires := &moment{now: p.now, after: true}
	c := command("create", "Makes an API key and prints it, once.",
		`It opens the database of store.url, else SQLite in data_dir, made when there is none. The key goes to standard
output and everything else to standard error, so that a script can capture it. Run it as the user that runs
the gateway: the files are readable by their owner only.`,
		"docs/configuration.md#authn", "sark apikey create --role admin",
		"key=$(sark apikey create --subject ci-bot --role service --scope tool:invoke --expires 90d)")
	c.Args = noArguments
	f := c.Flags()
	f.StringVar(&k.Subject, "subject", "", "`ID` of the principal that the key stands for (default the key's id)")
	f.StringSliceVar(&k.Roles, "role", nil, "`ROLE` of the principal; repeat it or separate by commas")
	f.StringSliceVar(&k.Teams, "team", nil, "`TEAM` of the principal; may be repeated")
	f.StringSliceVar(&k.Scopes, "scope", nil, "`SCOPE` of the key, such as tool:invoke; may be repeated")
	f.StringVar(&k.ID, "id", "", "public `ID` of the key: up to 32 of a-z, 0-9 and - (default a random one)")
	f.StringVar(&k.Description, "description", "", "`TEXT` that says what the key is for")
	addMoment(f, expires, "expires", "`TIME` when the key stops working, RFC 3339 or a span such as 90d (default never)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		k.ExpiresAt = expires.UTC()
		return p.apikeyCreate(c.Context(), k)
	}
	return c
}

func (p *program) apikeyCreate(ctx context.Context, k store.APIKey) error {
	if err := p.complete(&k); err != nil {
		return err // before a database is made
	}
	return p.withStore(ctx, true, func(db app.Database, c *configs.Config) error {
		key, err := p.newKey(&k, c)
		if err != nil {
			return err
		}
		if err := db.CreateAPIKey(ctx, k); errors.Is(err, store.ErrNameTaken) {
			return taken(k.ID)
		} else if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(p.stdout, key); err != nil {
			return err
		}
		p.explainKey(&k)
		return nil
	})
}

// complete fills in what was not said about a key.
func (p *program) complete(k *store.APIKey) error {
	if len(k.Roles) == 0 {
		return misused("give at least one --role: a key without roles may do nothing (admin may do everything)")
	}
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(p.now()) {
		return misused("--expires: %s is over already", k.ExpiresAt.Format(time.RFC3339))
	}
	for _, name := range slices.Concat([]string{k.Subject, k.Description}, k.Roles, k.Teams, k.Scopes) {
		if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return misused("%q should have printable characters only", name)
		}
	}
	if k.ID == "" {
		random := make([]byte, 4)
		if _, err := rand.Read(random); err != nil {
			return fmt.Errorf("make an id: %w", err)
		}
		k.ID = "key-" + hex.EncodeToString(random)
	}
	k.Subject = cmp.Or(k.Subject, k.ID)
	return nil
}

// explainKey tells what was made, beside the key itself.
func (p *program) explainKey(k *store.APIKey) {
	expiry := "never expires"
	if !k.ExpiresAt.IsZero() {
		expiry = "expires at " + localTime(k.ExpiresAt)
	}
	p.say("Key %s of %s (roles %s) works at once and %s.", k.ID, k.Subject, strings.Join(k.Roles, ", "), expiry)
	p.say("It is shown only now. Send it as \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\".")
	p.say("For authn.api_keys in a configuration instead: hash: %s", authn.FormatHash(k.Hash))
}

func (p *program) apikeyRevokeCommand() *cobra.Command {
	c := command("revoke ID", "Puts an API key out of force, for good.",
		`It opens the database of store.url, else SQLite in data_dir. A running gateway refuses the key within 5
seconds; requests that are under way end in their own time. The id is not free again.`,
		"docs/configuration.md#authn", "sark apikey revoke key-1f2e3d4c", "sark apikey revoke ci --data-dir /var/lib/sark")
	c.Args = oneArgument("ID")
	c.RunE = func(c *cobra.Command, args []string) error { return p.apikeyRevoke(c.Context(), args[0]) }
	return c
}

func (p *program) apikeyRevoke(ctx context.Context, id string) error {
	return p.withStore(ctx, false, func(db app.Database, _ *configs.Config) error {
		if err := db.RevokeAPIKey(ctx, id); errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no API key %q; sark apikey list shows them", id)
		} else if err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "revoked %s; a running gateway refuses it within 5 seconds\n", id)
		return err
	})
}
