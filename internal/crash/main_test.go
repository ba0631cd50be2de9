package crash_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sark/internal/cli"
	"sark/internal/testkit"
)

// TestMain turns the test binary into its own victims: run as `serve --config FILE` it is the gateway, as `ship FILE` a
// shipper alone.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "serve":
			own := func(v string) bool { return strings.HasPrefix(v, "SARK_") } // of the test, not settings of a gateway
			environ := slices.DeleteFunc(os.Environ(), own)
			os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, environ))
		case "ship":
			fmt.Fprintln(os.Stderr, ship(context.Background(), os.Args[2]))
			os.Exit(1)
		}
	}
	testkit.MainWithPostgres(m)
}
