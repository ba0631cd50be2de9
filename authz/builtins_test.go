package authz

// This file is inside the package because what it compares has no exported name.

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateBuiltins = flag.Bool("update-builtins", false, "rewrite the list of reviewed built-in functions")

// TestBuiltinsAreReviewed: a built-in function that a new release of OPA brings, or flags in another way, is not taken for
// pure before somebody has read that it depends on nothing but its arguments. "go test ./authz -update-builtins" rewrites
// the list.
func TestBuiltinsAreReviewed(t *testing.T) {
	const reviewed = "testdata/pure_builtins.txt"
	var pure []string
	for name, impure := range impureBuiltins() {
		if !impure {
			pure = append(pure, name)
		}
	}
	slices.Sort(pure)
	got := strings.Join(pure, "\n") + "\n"
	if *updateBuiltins {
		if err := os.WriteFile(reviewed, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(reviewed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("functions taken for pure (-reviewed +now):\n%s", diff)
	}
}
