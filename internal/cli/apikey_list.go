package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sark/configs"
	"sark/internal/app"
	"sark/store"
)

// keyLine is an API key as programs see it: without its digest. Times are UTC.
type keyLine struct {
	ID          string     `json:"id"`
	Subject     string     `json:"subject"`
	Roles       []string   `json:"roles"`
	Teams       []string   `json:"teams"`
	Scopes      []string   `json:"scopes"`
	Description string     `json:"description,omitempty"`
	State       string     `json:"state"` // "active", "expired" or "revoked"
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   *time.Time `json:"expires_at"`
	RevokedAt   *time.Time `json:"revoked_at"`
}

func (p *program) apikeyListCommand() *cobra.Command {
	c := command("list", "Lists the API keys of the database, newest first, revoked and expired ones too.",
		`It opens the database of store.url, else SQLite in data_dir. Neither keys nor their digests are shown: a key
is seen once, when it is made. With --output json each key is one line.`,
		"docs/configuration.md#authn", "sark apikey list", "sark apikey list --output json")
	c.Args = noArguments
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.apikeyList(c.Context(), output.json()) }
	return c
}

func (p *program) apikeyList(ctx context.Context, asJSON bool) error {
	return p.withStore(ctx, false, func(db app.Database, _ *configs.Config) error {
		keys, err := db.APIKeys(ctx)
		if err != nil {
			return err
		}
		rows := [][]string{{"ID", "STATE", "SUBJECT", "ROLES", "TEAMS", "SCOPES", "CREATED", "EXPIRES", "DESCRIPTION"}}
		for i := range keys {
			line := newKeyLine(&keys[i], p.now())
			if !asJSON {
				rows = append(rows, line.row())
				continue
			}
			if err := p.printJSON(line); err != nil {
				return err
			}
		}
		if asJSON {
			return nil
		}
		return (&table{out: p.stdout}).write(rows...)
	})
}

func newKeyLine(k *store.APIKey, now time.Time) keyLine {
	l := keyLine{
		ID: k.ID, Subject: k.Subject, Roles: list(k.Roles), Teams: list(k.Teams), Scopes: list(k.Scopes),
		Description: k.Description, State: "active", CreatedAt: k.CreatedAt.UTC(),
		ExpiresAt: optional(k.ExpiresAt), RevokedAt: optional(k.RevokedAt),
	}
	switch {
	case k.Revoked():
		l.State = "revoked"
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		l.State = "expired"
	}
	return l
}

func (l keyLine) row() []string {
	expires := "never"
	if l.ExpiresAt != nil {
		expires = localTime(*l.ExpiresAt)
	}
	return []string{
		l.ID, l.State, l.Subject, strings.Join(l.Roles, ","), strings.Join(l.Teams, ","), strings.Join(l.Scopes, ","),
		localTime(l.CreatedAt), expires, l.Description,
	}
}

// list is never null in JSON.
func list(texts []string) []string { return append([]string{}, texts...) }

// optional is null in JSON when the time is not set.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// localTime is a time as people read it: RFC 3339 in their own zone.
func localTime(t time.Time) string { return t.Local().Format(time.RFC3339) }
