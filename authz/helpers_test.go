package authz_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// open opens an engine that lives as long as the test.
func open(tb testing.TB, o authz.Options) *authz.Engine {
	tb.Helper()
	e, err := authz.Open(tb.Context(), o)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// writeFiles writes files into a new directory.
func writeFiles(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := tb.TempDir()
	replaceFiles(tb, dir, files)
	return dir
}

func replaceFiles(tb testing.TB, dir string, files map[string]string) {
	tb.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

func analyst() *authn.Principal {
	return &authn.Principal{
		ID: "ana", Type: authn.TypeUser, Method: authn.MethodJWT, Issuer: "https://idp.example", ClientID: "desk",
		Email: "ana@example.com", Roles: []string{"analyst", "viewer"}, Teams: []string{"support"}, Scopes: []string{"mcp"},
		Claims:      map[string]any{"sub": "ana", "mfa_verified": true, "level": 3},
		Fingerprint: [32]byte{1},
	}
}

func admin() *authn.Principal {
	return &authn.Principal{
		ID: "root", Type: authn.TypeUser, Method: authn.MethodAPIKey, KeyID: "root", Roles: []string{"admin"},
		Teams: []string{}, Scopes: []string{}, Fingerprint: [32]byte{2},
	}
}

// callTool is a tools/call of a tool of medium sensitivity.
func callTool(p *authn.Principal, arguments string) *authz.Input {
	return &authz.Input{
		Principal: p,
		Call: &mcp.Call{
			Era: mcp.Modern, Method: "tools/call", Action: "tool:invoke", ResourceType: "tool", Name: "run_report",
			Arguments: []byte(arguments), ProtocolVersion: "2026-07-28",
		},
		Server: authz.Server{ID: "desk", Name: "desk", SensitivityLevel: "medium", Teams: []string{"support"}, Status: "active"},
		Tool:   authz.Tool{Name: "run_report", SensitivityLevel: "medium", Known: true, ReadOnly: true},
		Request: authz.Request{
			Method: "POST", Path: "/desk/mcp", ClientIP: netip.MustParseAddr("10.1.2.3"),
			Headers: map[string]string{"user-agent": "test/1.0"},
		},
		Time: time.Date(2026, time.November, 22, 23, 30, 15, 0, time.UTC), // a Sunday
	}
}

// listItem is the question whether a tool may be shown.
func listItem(p *authn.Principal, tool authz.Tool) *authz.Input {
	in := callTool(p, "")
	in.Call = &mcp.Call{Era: mcp.Modern, Method: "tools/list", Action: "tool:list", ProtocolVersion: "2026-07-28"}
	in.Phase, in.Action, in.Tool = authz.PhaseList, "tool:invoke", tool
	return in
}

// logTo returns a logger that sends the revision of every policy that comes into force.
func logTo(tb testing.TB, installed chan<- string) *zap.Logger {
	tb.Helper()
	return zap.New(revisionCore{zapcore.NewNopCore(), installed})
}

type revisionCore struct {
	zapcore.Core
	installed chan<- string
}

func (revisionCore) Enabled(zapcore.Level) bool { return true }

func (c revisionCore) With([]zapcore.Field) zapcore.Core { return c }

func (c revisionCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, c)
}

func (c revisionCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if e.Message == "policy in force" {
		c.installed <- fields[0].String
	}
	return nil
}
