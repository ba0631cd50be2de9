package transparent_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sark/internal/cli"
)

// TestMain turns the test binary into its own gateway: run as `serve --config FILE` it is one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		own := func(v string) bool { return strings.HasPrefix(v, "SARK_") } // of the test, not settings of a gateway
		os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, slices.DeleteFunc(os.Environ(), own)))
	}
	goleak.VerifyTestMain(m)
}
