package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/internal/authn"
	"sark/store/sqlite"
)

// listed is a key as apikey list shows it to programs.
type listed struct {
	ID, Subject          string
	Roles, Teams, Scopes []string
	Description, State   string
	CreatedAt            time.Time `json:"created_at"`
}

func listKeys(t *testing.T, dir string) []listed {
	t.Helper()
	r := run(t, "apikey", "list", "--data-dir", dir, "--output", "json")
	if r.Code != 0 || r.Err != "" {
		t.Fatalf("apikey list = %+v", r)
	}
	var keys []listed
	for line := range strings.Lines(r.Out) {
		var k listed
		if err := json.Unmarshal([]byte(line), &k); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		k.CreatedAt = time.Time{}
		keys = append(keys, k)
	}
	return keys
}

// TestAPIKeyLife follows keys from their making to their end.
func TestAPIKeyLife(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")

	first := run(t, "apikey", "create", "--role", "admin", "--data-dir", dir)
	id, secret, ok := authn.ParseAPIKey(strings.TrimSuffix(first.Out, "\n"))
	if first.Code != 0 || !ok {
		t.Fatalf("the first key = %+v, want one key on standard output", first)
	}
	if strings.Contains(first.Err, secret) {
		t.Errorf("the explanation repeats the secret: %s", first.Err)
	}
	second := run(t, "apikey", "create", "--id", "ci", "--subject", "ci-bot", "--role", "service,viewer", "--team", "risk",
		"--scope", "tool:invoke", "--expires", "90d", "--description", "builds", "--data-dir", dir)
	if second.Code != 0 || !strings.HasPrefix(second.Out, "sark_ci_") {
		t.Fatalf("the second key = %+v", second)
	}
	verifyStored(t, dir, id, secret)

	want := []listed{
		{
			ID: "ci", Subject: "ci-bot", Roles: []string{"service", "viewer"}, Teams: []string{"risk"},
			Scopes: []string{"tool:invoke"}, Description: "builds", State: "active",
		},
		{ID: id, Subject: id, Roles: []string{"admin"}, Teams: []string{}, Scopes: []string{}, State: "active"},
	}
	if diff := cmp.Diff(want, listKeys(t, dir)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}

	compare(t, result{0, "revoked " + id + "; a running gateway refuses it within 5 seconds\n", ""},
		run(t, "apikey", "revoke", id, "--data-dir", dir))
	want[1].State = "revoked"
	if diff := cmp.Diff(want, listKeys(t, dir)); diff != "" {
		t.Errorf("keys after one was revoked (-want +got):\n%s", diff)
	}
}

// verifyStored checks that what was stored is the digest of what was printed, and readable by its owner only.
func verifyStored(t *testing.T, dir, id, secret string) {
	t.Helper()
	path := filepath.Join(dir, "sark.db")
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	k, found, err := db.FindAPIKey(t.Context(), id)
	if err != nil || !found || k.Hash != authn.HashSecret(secret) || !k.ExpiresAt.IsZero() {
		t.Errorf("stored key = %+v, %v, %v", k, found, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the database = %v, %v; want 0600", info.Mode(), err)
	}
}

// TestAPIKeyRotation: both keys work until the old one ends, and stand for the same principal.
func TestAPIKeyRotation(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"create", "--id", "ci", "--subject", "ci-bot", "--role", "service", "--team", "risk", "--scope", "tool:invoke", "--description", "builds"},
		{"create", "--id", "gone", "--role", "viewer"},
		{"revoke", "gone"},
	} {
		if r := run(t, append([]string{"apikey", "--data-dir", dir}, args...)...); r.Code != 0 {
			t.Fatalf("%v = %+v", args, r)
		}
	}
	end := time.Date(2100, 2, 3, 4, 5, 6, 0, time.UTC)

	r := run(t, "apikey", "rotate", "ci", "--id", "ci-2", "--until", end.Format(time.RFC3339), "--data-dir", dir)

	id, secret, ok := authn.ParseAPIKey(strings.TrimSuffix(r.Out, "\n"))
	if r.Code != 0 || !ok || id != "ci-2" || strings.Contains(r.Err, secret) ||
		!strings.Contains(r.Err, "Key ci works until "+end.Local().Format(time.RFC3339)+".") {
		t.Fatalf("rotate = %+v", r)
	}
	verifyStored(t, dir, id, secret)
	key := func(id, state string) listed {
		return listed{
			ID: id, Subject: "ci-bot", Roles: []string{"service"}, Teams: []string{"risk"}, Scopes: []string{"tool:invoke"},
			Description: "builds", State: state,
		}
	}
	gone := listed{ID: "gone", Subject: "gone", Roles: []string{"viewer"}, Teams: []string{}, Scopes: []string{}, State: "revoked"}
	if diff := cmp.Diff([]listed{key("ci-2", "active"), gone, key("ci", "active")}, listKeys(t, dir)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	for want, args := range map[string][]string{
		"sark: the API key \"gone\" has ended already; make another with sark apikey create\n":         {"gone"},
		"sark: there is no API key \"nobody\"; sark apikey list shows them\n":                          {"nobody"},
		"sark: there is an API key \"gone\" already (revoked ones count too); choose another --id\n":   {"ci", "--id", "gone"},
		"sark: --until: 2020-01-01T00:00:00Z is over already; sark apikey revoke ends a key at once\n": {"ci", "--until", "2020-01-01T00:00:00Z"},
	} {
		r := run(t, append([]string{"apikey", "rotate", "--data-dir", dir}, args...)...)
		if diff := cmp.Diff(want, r.Err); diff != "" || r.Out != "" || r.Code == 0 {
			t.Errorf("rotate %v = %+v (-want +got):\n%s", args, r, diff)
		}
	}
}

func TestAPIKeyTable(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2100, 2, 3, 4, 5, 6, 0, time.UTC)
	if r := run(t, "apikey", "create", "--id", "ci", "--role", "admin", "--expires", at.Format(time.RFC3339), "--data-dir", dir); r.Code != 0 {
		t.Fatalf("create = %+v", r)
	}

	r := run(t, "apikey", "list", "--data-dir", dir)

	lines := strings.Split(r.Out, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "ID  STATE   SUBJECT  ROLES  TEAMS  SCOPES  CREATED ") ||
		!strings.HasPrefix(lines[1], "ci  active  ci       admin  -      -       ") ||
		!strings.Contains(lines[1], at.Local().Format(time.RFC3339)) {
		t.Errorf("apikey list = %s", r.Out)
	}
}

func TestAPIKeyMistakes(t *testing.T) {
	dir := t.TempDir()
	if r := run(t, "apikey", "create", "--id", "ci", "--role", "admin", "--data-dir", dir); r.Code != 0 {
		t.Fatalf("create = %+v", r)
	}
	configured := `SARK_AUTHN_API_KEYS=[{"id": "laptop", "subject": "me", "hash": "` + authn.FormatHash([32]byte{1}) + `"}]`
	for name, test := range map[string]struct {
		args []string
		want result
	}{
		"no role": {
			[]string{"create"},
			result{2, "", "sark: give at least one --role: a key without roles may do nothing (admin may do everything)\n"},
		},
		"id that is none": {
			[]string{"create", "--role", "admin", "--id", "My_Key"},
			result{2, "", "sark: --id: \"My_Key\" should be 1 to 32 of a-z, 0-9 and -\n"},
		},
		"id that is taken": {
			[]string{"create", "--role", "admin", "--id", "ci"},
			result{1, "", "sark: there is an API key \"ci\" already (revoked ones count too); choose another --id\n"},
		},
		"id of the configuration": {
			[]string{"create", "--role", "admin", "--id", "laptop"},
			result{1, "", "sark: the configuration has an API key \"laptop\" already, which would hide this one; choose another --id\n"},
		},
		"control characters": {
			[]string{"create", "--role", "admin", "--subject", "a\x1b[2Jb"},
			result{2, "", "sark: \"a\\x1b[2Jb\" should have printable characters only\n"},
		},
		"expired already": {
			[]string{"create", "--role", "admin", "--expires", "2020-01-01T00:00:00Z"},
			result{2, "", "sark: --expires: 2020-01-01T00:00:00Z is over already\n"},
		},
		"unknown id": {
			[]string{"revoke", "nobody"},
			result{1, "", "sark: there is no API key \"nobody\"; sark apikey list shows them\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, test.want, runWith(t, []string{configured}, "", append([]string{"apikey", "--data-dir", dir}, test.args...)...))
		})
	}
}
