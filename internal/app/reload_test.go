package app_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sark/configs"
	"sark/internal/app"
	"sark/internal/testkit"
)

// TestReload changes policy and configuration under a running gateway and sends what a SIGHUP sends.
func TestReload(t *testing.T) {
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	dir, policy := dataDir(t), filepath.Join(t.TempDir(), "policy.rego")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(policy, "package sark\n\ndecision := {\"allow\": true, \"rule\": \"first\"}\n")
	file := configure(t, dir, upstream.URL()+"/mcp",
		"authn: {anonymous: {allow: true}}", "authz: {bundle: \""+filepath.Dir(policy)+"\"}")
	core, logs := observer.New(zapcore.InfoLevel)
	seen := make(chan string, 64) // every line: more than this test makes
	log := zap.New(zapcore.RegisterHooks(core, func(e zapcore.Entry) error { seen <- e.Message; return nil }))
	reload, ready, ended := make(chan os.Signal), make(chan app.Addresses, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- app.Run(ctx, app.Options{
			Config: load(t, file), Log: log, Signals: reload,
			Load:  func() (*configs.Loaded, error) { return configs.Load(configs.Options{File: file}) },
			Ready: func(a app.Addresses) { ready <- a },
		})
	}()
	address := testkit.Wait(t, 0, ready).Proxy
	before := listTools(t, address)

	write(policy, "package sark\n\ndecision := {\"allow\": false, \"rule\": \"second\"}\n")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(file, strings.Replace(string(text), "log: {level: error}", "log: {level: debug}", 1))
	reload <- syscall.SIGHUP
	for message := range seen {
		if message == "the configuration has changed" {
			break
		}
	}
	after := listTools(t, address)
	cancel()

	if err := testkit.Wait(t, 0, ended); err != nil {
		t.Error(err)
	}
	if before[0] != "200 OK" || after[0] != "403 Forbidden" {
		t.Errorf("before the reload %s, after it %s", before[0], after[0])
	}
	changed := logs.FilterMessage("the configuration has changed").All()
	if diff := cmp.Diff([]any{[]any{"log.level"}}, keysOf(changed)); diff != "" {
		t.Errorf("changed keys in the log (-want +got):\n%s", diff)
	}
}

// TestChatter sends SIGUSR1 twice: the log becomes chatty, and what it was before.
func TestChatter(t *testing.T) {
	signals := make(chan os.Signal)
	file := configure(t, dataDir(t), "http://127.0.0.1:9/mcp")
	core, logs := observer.New(zapcore.WarnLevel)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	level := zap.NewAtomicLevelAt(zapcore.ErrorLevel)
	go func() {
		ended <- app.Run(ctx, app.Options{Config: load(t, file), Log: zap.New(core), Level: level, Signals: signals})
	}()

	signals <- syscall.SIGUSR1
	signals <- syscall.SIGUSR1
	cancel()

	if err := testkit.Wait(t, 0, ended); err != nil {
		t.Error(err)
	}
	var got []any
	for _, l := range logs.FilterMessage("log level changed").All() {
		got = append(got, l.ContextMap()["from"], l.ContextMap()["to"])
	}
	if diff := cmp.Diff([]any{"error", "debug", "debug", "error"}, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}

// keysOf returns the field "keys" of log lines.
func keysOf(lines []observer.LoggedEntry) []any {
	var all []any
	for _, l := range lines {
		all = append(all, l.ContextMap()["keys"])
	}
	return all
}
