package cli_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reference is the generated page, from this folder.
const reference = "../../docs/cli.md"

var update = flag.Bool("update", false, "rewrite testdata/help.txt and docs/cli.md")

// helpPage is the help of one command as a user sees it.
type helpPage struct {
	command string // "sark audit tail"
	text    string
}

// helpPages returns the help of every command that a user can find.
func helpPages(t *testing.T, path ...string) []helpPage {
	t.Helper()
	r := run(t, append(path, "--help")...)
	if r.Code != 0 || r.Err != "" {
		t.Fatalf("sark %s --help: %+v", strings.Join(path, " "), r)
	}
	pages := []helpPage{{strings.Join(append([]string{"sark"}, path...), " "), r.Out}}
	for line := range strings.Lines(sectionOf(r.Out, "Commands")) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		pages = append(pages, helpPages(t, append(append([]string{}, path...), name)...)...)
	}
	return pages
}

// sectionOf returns the lines below a title of a help text.
func sectionOf(help, title string) string {
	_, rest, _ := strings.Cut(help, "\n\n"+title+":\n")
	body, _, _ := strings.Cut(rest, "\n\n")
	return strings.TrimRight(body, "\n")
}

func TestHelp(t *testing.T) {
	var got strings.Builder
	for _, p := range helpPages(t) {
		fmt.Fprintf(&got, "$ %s --help\n%s\n", p.command, p.text)
	}
	checkGolden(t, filepath.Join("testdata", "help.txt"), got.String())
}

func TestReference(t *testing.T) {
	page := `# The command line

<!-- Generated from internal/cli by "go generate ./internal/cli". Do not edit. -->

What a command was asked for goes to standard output, everything else to standard error. The exit code is 0 when it was done,
1 when it could not be done, and 2 when the command line or the configuration is wrong; ` + "`sark policy eval --fail-on-deny`" + `
ends with 3 when the policy denies.

`
	for _, p := range helpPages(t) {
		page += markdown(p)
	}
	checkGolden(t, reference, strings.TrimRight(page, "\n")+"\n")
}

// markdown renders a help text as a chapter. The flags of every command stand in the first chapter only.
func markdown(p helpPage) string {
	about, _, _ := strings.Cut(p.text, "\n\nUsage:\n")
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n", p.command, fenceIndented(about))
	fence(&b, "text", "", sectionOf(p.text, "Usage"))
	fence(&b, "sh", "", sectionOf(p.text, "Examples"))
	fence(&b, "text", "Commands:", sectionOf(p.text, "Commands"))
	flags := sectionOf(p.text, "Flags")
	if strings.Count(flags, "\n") > 0 { // more than --help
		fence(&b, "text", "Flags:", flags)
	}
	if p.command == "sark" {
		fence(&b, "text", "Flags of every command:", sectionOf(p.text, "Flags of every command"))
	}
	return b.String()
}

// fenceIndented makes code blocks of the indented lines of a text.
func fenceIndented(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if head, code, found := strings.Cut(p, "\n  "); found {
			paragraphs[i] = head + "\n\n```sh\n" + strings.ReplaceAll(code, "\n  ", "\n") + "\n```"
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

func fence(b *strings.Builder, language, title, body string) {
	if body == "" {
		return
	}
	if title != "" {
		fmt.Fprintf(b, "%s\n\n", title)
	}
	body = strings.ReplaceAll("\n"+body, "\n  ", "\n")
	fmt.Fprintf(b, "```%s%s\n```\n\n", language, body)
}

func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale; run go test ./internal/cli -update (-want +got):\n%s", path, diff)
	}
}

// TestHelpTeaches asks of every help text what a newcomer needs.
func TestHelpTeaches(t *testing.T) {
	for _, p := range helpPages(t) {
		examples := strings.Count(sectionOf(p.text, "Examples"), "\n") + 1
		if examples < 2 {
			t.Errorf("%s shows %d examples, want at least 2", p.command, examples)
		}
		_, more, found := strings.Cut(p.text, "\nMore: ")
		file, _, _ := strings.Cut(strings.TrimSpace(more), "#")
		if _, err := os.Stat(filepath.Join("../..", file)); !found || err != nil {
			t.Errorf("%s does not say where to read more: %q, %v", p.command, file, err)
		}
		for line := range strings.Lines(p.text) {
			if length := len(strings.TrimRight(line, "\n")); length > 125 {
				t.Errorf("%s: line of %d characters: %s", p.command, length, line)
			}
		}
	}
}
