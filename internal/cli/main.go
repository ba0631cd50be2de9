package cli

import (
	"context"
	"io"
	"time"

	"sark/configs"
)

// The exit codes of sark.
const (
	exitOK      = 0
	exitFailure = 1 // it could not be done
	exitUsage   = 2 // the command line or the configuration is wrong
	exitDenied  = 3 // policy eval --fail-on-deny: the decision is deny
)

// program is one run of the command line.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // as os.Environ returns it
	now            func() time.Time
	shared         sharedFlags
	files          configs.Files // of the configuration that was loaded last
}

// Main runs the command that args name, without the program's own name before them, and returns the exit code: 0 when it
// was done, 1 when it could not be, 2 when command line or configuration are wrong, 3 when a policy denies and
// --fail-on-deny was given. Ending ctx stops the command. environ is as os.Environ returns it.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ, now: time.Now}
	root := p.root()
	root.SetArgs(append([]string{}, args...)) // never nil, which cobra takes for os.Args
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return p.report(root.ExecuteContext(ctx))
}
