package cli_test

import (
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// revision is the revision of the default policy.
var revision = regexp.MustCompile(`sha256:[0-9a-f]{16}`)

func TestCheck(t *testing.T) {
	config := writeFile(t, "sark.yaml", "authn: {anonymous: {allow: true}}\nauthz: {bundle: "+t.TempDir()+"/policy}\n")

	r := run(t, "check")
	r.Out = revision.ReplaceAllString(r.Out, "REVISION")

	compare(t, result{0, "configuration is valid; policy revision REVISION\n", ""}, r)

	t.Run("warnings", func(t *testing.T) {
		r := runWith(t, []string{"SARK_AUTHN_ANONYMOUS_ALLOW=true"}, "", "check")
		r.Out = revision.ReplaceAllString(r.Out, "REVISION")
		compare(t, result{
			0, "configuration is valid; policy revision REVISION\n",
			"warning: authn.anonymous.allow: everyone who reaches :8080 is admitted without a credential\n",
		}, r)
	})
	t.Run("policy that is missing", func(t *testing.T) {
		r := run(t, "check", "--config", config)
		if r.Code != 1 || r.Out != "" || !strings.Contains(r.Err, "\nsark: open the policy: authz.bundle: ") {
			t.Errorf("check = %+v, want 1 and the policy's fault", r)
		}
	})
}

// TestCheckFiles: what would keep a gateway from starting is found before, all of it, each with its key.
func TestCheckFiles(t *testing.T) {
	config := writeFile(t, "sark.yaml", `
proxy:
  tls: {cert_file: /nowhere/a.crt, key_file: /nowhere/a.key}
  servers: [{name: a, url: "https://a/mcp", tls: {ca_file: /nowhere/b.crt}}]
audit: {siem: [{name: c, type: webhook, url: "https://c/", tls: {ca_file: /nowhere/c.crt}}]}
`)
	r := run(t, "check", "--config", config)
	compare(t, result{1, "", "sark: proxy.tls: stat /nowhere/a.crt: no such file or directory; " +
		"proxy.servers[0].tls: stat /nowhere/b.crt: no such file or directory; " +
		"audit.siem[0].tls: stat /nowhere/c.crt: no such file or directory\n"}, r)
}

// TestCheckDatabaseAddress: an address that only a start would have refused is refused before, without its password.
func TestCheckDatabaseAddress(t *testing.T) {
	for query, want := range map[string]string{
		"sslmode=sometimes": "verify-ca or verify-full",
		"sslmode=verify-full&sslrootcert=/nowhere/root.pem": "/nowhere/root.pem",
		"default_query_exec_mode=simple_protocol":           "simple_protocol",
	} {
		r := run(t, "check", "--config", writeFile(t, "sark.yaml", `store: {url: "postgres://sark:secret@db/sark?`+query+`"}`))
		if r.Code != 1 || r.Out != "" || !strings.HasPrefix(r.Err, "sark: store.url: ") || !strings.Contains(r.Err, want) || strings.Contains(r.Err, "secret") {
			t.Errorf("check with %s = %+v, want 1, store.url and %q", query, r, want)
		}
	}
}

// TestCheckBadPolicy shows the lines of a policy that cannot be read, or not be compiled, with their places.
func TestCheckBadPolicy(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"syntax": {"package sark\n\ndecision := {\"allow\": true,, \"rule\": \"r\"}\n", `:
  p.rego:3:28: unexpected , token: expected rule value term (e.g., decision := <VALUE> { ... })
      decision := {"allow": true,, "rule": "r"}
                                 ^
`},
		"meaning": {"package sark\n\ndecision := {\"allow\": allowed(input.user)}\n", `:
  p.rego:3:23: undefined function allowed
      allowed(input.user)
`},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := filepath.Dir(writeFile(t, "p.rego", test.text))
			r := runWith(t, []string{"SARK_AUTHZ_BUNDLE=" + bundle}, "", "check")
			if r.Code != 1 || !strings.HasPrefix(r.Err, "sark: open the policy: authz.bundle: ") || !strings.Contains(r.Err, test.want[1:]) {
				t.Errorf("check = %d\n%s\nwant it to hold%s", r.Code, r.Err, test.want)
			}
		})
	}
}

// TestCheckPrint prints a configuration that can be read again.
func TestCheckPrint(t *testing.T) {
	first := run(t, "check", "--print", "--preset", "high-traffic", "--data-dir", "/data")
	if first.Code != 0 || !strings.Contains(first.Out, "data_dir: /data # flag data_dir\n") {
		t.Fatalf("check --print = %+v", first)
	}

	again := run(t, "check", "--print", "--config", writeFile(t, "printed.yaml", first.Out))

	if again.Code != 0 {
		t.Errorf("the printed configuration is not valid: %+v", again)
	}
	strip := regexp.MustCompile(` # .*`)
	if diff := cmp.Diff(strip.ReplaceAllString(first.Out, ""), strip.ReplaceAllString(again.Out, "")); diff != "" {
		t.Errorf("the printed configuration means something else (-printed +read):\n%s", diff)
	}
}

func TestVersion(t *testing.T) {
	r := run(t, "version")
	want := " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	if r.Code != 0 || !strings.HasPrefix(r.Out, "sark ") || !strings.HasSuffix(r.Out, want) {
		t.Errorf("version = %+v, want sark … %q", r, want)
	}

	r = run(t, "version", "--output", "json")
	if !strings.HasPrefix(r.Out, `{"version":"`) || !strings.HasSuffix(r.Out, `,"arch":"`+runtime.GOARCH+"\"}\n") {
		t.Errorf("version --output json = %+v", r)
	}
}
