package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sark/internal/cli"
	"sark/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.MainWithPostgres(m,
		// fasthttp keeps one goroutine for the Date header as long as the process lives,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// and the cleaner of a server that was shut down wakes up to see that only after its interval of 10 s.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// result is what a command leaves behind.
type result struct {
	Code     int
	Out, Err string
}

// run runs a command with an empty environment and no input.
func run(t *testing.T, args ...string) result {
	t.Helper()
	return runWith(t, nil, "", args...)
}

func runWith(t *testing.T, environ []string, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Main(t.Context(), args, strings.NewReader(stdin), &out, &errs, environ)
	return result{code, out.String(), errs.String()}
}

func compare(t *testing.T, want, got result) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome of the command (-want +got):\n%s", diff)
	}
}

// writeFile writes a file of the test's own and returns its path.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestInterrupted ends a command before it began.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer

	code := cli.Main(ctx, []string{"apikey", "create", "--role", "admin", "--data-dir", t.TempDir()}, strings.NewReader(""), io.Discard, &errs, nil)

	compare(t, result{Code: 1, Err: "sark: interrupted\n"}, result{Code: code, Err: errs.String()})
}
