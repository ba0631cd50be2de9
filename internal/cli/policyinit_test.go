package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPolicyInit writes the default policy, which passes its own tests and decides as what is built in does, and writes
// nothing over it.
func TestPolicyInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "policy")
	if r := run(t, "policy", "init", dir); r.Code != 0 || !strings.Contains(r.Out, dir) {
		t.Fatalf("policy init = %+v", r)
	}
	if r := run(t, "policy", "test", "--bundle", dir); r.Code != 0 {
		t.Errorf("policy test = %+v", r)
	}
	builtIn, written := run(t, "check"), runWith(t, []string{"SARK_AUTHZ_BUNDLE=" + dir}, "", "check")
	if written.Code != 0 || revision.FindString(written.Out) == "" {
		t.Errorf("check = %+v, and %+v with what is built in", written, builtIn)
	}
	if r := run(t, "policy", "init", dir); r.Code != 1 || !strings.Contains(r.Err, "is not empty") {
		t.Errorf("policy init once more = %+v, want 1", r)
	}
}
