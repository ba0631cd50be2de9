package demo_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"sark/internal/cli"
	"sark/internal/demo"
	"sark/internal/testkit"
)

// dataDir returns a directory whose path is short enough for a unix socket in it, and needs quotes in a shell.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sark demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// demonstration is sark-demo in this process.
type demonstration struct {
	text   string // what it printed
	cancel context.CancelFunc
	code   chan int // buffered: the exit code
	errs   *bytes.Buffer
}

// printed receives the welcome, which is one Write.
type printed chan string

// Write implements io.Writer.
func (p printed) Write(b []byte) (int, error) {
	p <- string(b)
	return len(b), nil
}

// begin runs sark-demo until the test ends or end is called.
func begin(t *testing.T, args ...string) *demonstration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d := &demonstration{cancel: cancel, code: make(chan int, 1), errs: new(bytes.Buffer)}
	out := make(printed, 1)
	go func() { d.code <- demo.Main(ctx, args, out, d.errs, "sark-demo", "1.2.3") }()
	t.Cleanup(func() { d.end(t) })
	select {
	case d.text = <-out:
	case code := <-d.code:
		d.code = nil
		t.Fatalf("sark-demo ended with %d: %s", code, d.errs)
	}
	return d
}

// end stops the demonstration as Ctrl-C does. It does nothing the second time.
func (d *demonstration) end(t *testing.T) {
	t.Helper()
	d.cancel()
	if d.code == nil {
		return
	}
	if code := testkit.Wait(t, 0, d.code); code != 0 {
		t.Errorf("sark-demo ended with %d: %s", code, d.errs)
	}
	d.code = nil
}

// fields returns the values of the printed table.
func (d *demonstration) fields() map[string]string {
	values := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^  ([\w,' ]+?)  +(\S+)`).FindAllStringSubmatch(d.text, -1) {
		values[m[1]] = m[2]
	}
	return values
}

// commands returns the printed commands as the words that a shell would see.
func (d *demonstration) commands() [][]string {
	var all [][]string
	for line := range strings.Lines(d.text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "sark-demo call ") || strings.HasPrefix(line, "sark audit ") {
			all = append(all, words(line))
		}
	}
	return all
}

// words splits a command line at spaces outside single quotes.
func words(line string) []string {
	var all []string
	word, quoted := "", false
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			all = append(all, word)
			word = ""
		default:
			word += string(r)
		}
	}
	return all
}

// outcome is what a command leaves behind.
type outcome struct {
	Code      int
	Out, Errs string
}

// run runs a command of sark-demo.
func run(t *testing.T, command []string) outcome {
	t.Helper()
	if len(command) == 0 || command[0] != "sark-demo" {
		t.Fatalf("%q is no command of sark-demo", command)
	}
	var out, errs bytes.Buffer
	code := demo.Main(t.Context(), command[1:], &out, &errs, command[0], "1.2.3")
	return outcome{code, out.String(), errs.String()}
}

// watch runs a command of sark and returns its output up to the line that matches. Then it ends the command.
func watch(t *testing.T, command []string, until *regexp.Regexp) string {
	t.Helper()
	if len(command) == 0 || command[0] != "sark" {
		t.Fatalf("%q is no command of sark", command)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	reader, writer := io.Pipe()
	var errs bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- cli.Main(ctx, command[1:], strings.NewReader(""), writer, &errs, nil)
		_ = writer.Close() // a pipe's Close always succeeds
	}()
	var text strings.Builder
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if until.MatchString(lines.Text()) {
			cancel()
		}
	}
	if c := testkit.Wait(t, 0, code); c != 0 || !until.MatchString(text.String()) {
		t.Fatalf("%q ended with %d: %s%s", command, c, text.String(), errs.String())
	}
	return text.String()
}
