package crash_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"sark/internal/cli"
	"sark/internal/testkit"
)

// TestMain turns the test binary into its own victims: run as `serve --config FILE` it is the gateway, as `ship FILE` a
// shipper alone.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "serve":
			os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
		case "ship":
			fmt.Fprintln(os.Stderr, ship(context.Background(), os.Args[2]))
			os.Exit(1)
		}
	}
	stop, err := testkit.StartPostgres()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
