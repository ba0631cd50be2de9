package demo_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPrintedCommands runs what the demonstration prints, in both eras of the example server.
func TestPrintedCommands(t *testing.T) {
	for name, flags := range map[string][]string{"stateless": nil, "stateful": {"--stateful"}} {
		t.Run(name, func(t *testing.T) {
			d := begin(t, append(flags, "--data-dir", dataDir(t))...)
			commands := d.commands()
			if len(commands) != 3 {
				t.Fatalf("the commands are %q, want three\n%s", commands, d.text)
			}

			allowed, denied := run(t, commands[0]), run(t, commands[1])
			trail := watch(t, commands[2], regexp.MustCompile(`refund_order`))

			if allowed.Code != 0 || allowed.Errs != "" || !strings.Contains(allowed.Out, `"id":"T-100"`) {
				t.Errorf("the allowed call: %+v", allowed)
			}
			refusal := regexp.MustCompile(`^refused: the amount must be a number, at most 100 \(decision [0-9a-f-]{36}\)\n$`)
			if denied.Code != 1 || denied.Errs != "" || !refusal.MatchString(denied.Out) {
				t.Errorf("the denied call: %+v", denied)
			}
			for _, want := range []string{
				`(?m)^\S+ +allow +analyst@example.com +tool:invoke +helpdesk/search_tickets +`,
				`(?m)^\S+ +deny +analyst@example.com +tool:invoke +helpdesk/refund_order +the amount must be a number, at most 100$`,
			} {
				if !regexp.MustCompile(want).MatchString(trail) {
					t.Errorf("the trail has no line like %s\n%s", want, trail)
				}
			}
		})
	}
}

// TestAdminsMayDoMore follows the last hint: with the other key the denied call is allowed.
func TestAdminsMayDoMore(t *testing.T) {
	d := begin(t, "--data-dir", dataDir(t))
	command, keys := d.commands()[1], d.fields()
	for i, word := range command {
		if word == keys["analyst's key"] {
			command[i] = keys["admin's key"]
		}
	}
	got := run(t, command)
	if got.Code != 0 || !strings.Contains(got.Out, `"refunded":500`) {
		t.Errorf("the administrator's refund: %+v", got)
	}
}

// TestStartAgain starts on the same directory again: the trail is kept, the keys are new.
func TestStartAgain(t *testing.T) {
	dir := dataDir(t)
	first := begin(t, "--data-dir", dir)
	old := first.commands()[0]
	run(t, old)
	first.end(t)

	second := begin(t, "--data-dir", dir)
	command := second.commands()[1]
	run(t, command)
	trail := watch(t, second.commands()[2], regexp.MustCompile(`refund_order`))

	if !strings.Contains(trail, "search_tickets") {
		t.Errorf("the call before the restart is not in the trail:\n%s", trail)
	}
	a, b := first.fields(), second.fields()
	for _, name := range []string{"analyst's key", "admin's key"} {
		if a[name] == "" || a[name] == b[name] {
			t.Errorf("%s is %q at first and %q then", name, a[name], b[name])
		}
	}
	for i, word := range old {
		if word == "--url" {
			old[i+1] = b["MCP endpoint"]
		}
	}
	if got := run(t, old); got.Code != 1 || !strings.Contains(got.Errs, "a valid credential is required") {
		t.Errorf("the old key: %+v", got)
	}
}

// TestSecondDemonstration starts another one on a directory in use: it is refused and spoils nothing.
func TestSecondDemonstration(t *testing.T) {
	dir := dataDir(t)
	d := begin(t, "--data-dir", dir)
	file := filepath.Join(dir, "sark.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	got := run(t, []string{"sark-demo", "--data-dir", dir})

	if got.Code != 1 || got.Out != "" || !strings.Contains(got.Errs, dir+"/spool is used by another process") {
		t.Errorf("the second one: %+v", got)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the configuration has changed: %v", err)
	}
	if r := run(t, d.commands()[0]); r.Code != 0 {
		t.Errorf("a call of the first one: %+v", r)
	}
}

func TestConfigurationIsPrivateAndKeepsNoKey(t *testing.T) {
	dir := dataDir(t)
	d := begin(t, "--data-dir", dir)
	file := filepath.Join(dir, "sark.yaml")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("its mode is %s, want -rw-------", info.Mode())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"analyst's key", "admin's key"} {
		if key := d.fields()[name]; key == "" || bytes.Contains(text, []byte(key)) {
			t.Errorf("%s %q is in the file", name, key)
		}
	}
}
