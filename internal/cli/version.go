package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is the release that was built, such as "1.0.0". The Makefile sets it with -ldflags -X; where it is empty, what
// the Go toolchain recorded about the build is used.
var Version string

// Revision is the commit that was built, set and replaced like Version.
var Revision string

// build is what a binary knows about itself.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // the commit, with "-dirty" when there were local changes
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func currentBuild() build {
	version, revision := recordedBuild()
	return build{
		Version: cmp.Or(Version, version, "dev"), Revision: cmp.Or(Revision, revision),
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
	}
}

// recordedBuild returns what the toolchain recorded, empty where it recorded nothing.
func recordedBuild() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	if v := info.Main.Version; v != "(devel)" {
		version = v
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return version, ""
	}
	return version, revision + dirty
}

// String is the line of sark version.
func (b build) String() string {
	s := "sark " + b.Version
	if b.Revision != "" {
		s += " (" + b.Revision + ")"
	}
	return fmt.Sprintf("%s %s %s/%s", s, b.Go, b.OS, b.Arch)
}

func (p *program) versionCommand() *cobra.Command {
	c := command("version", "Prints which build this is.",
		"It opens nothing. Please add its output to every report of a fault.",
		"CHANGELOG.md", "sark version", "sark version --output json")
	c.Args = noArguments
	output := addOutput(c.Flags())
	c.RunE = func(*cobra.Command, []string) error {
		if output.json() {
			return p.printJSON(currentBuild())
		}
		_, err := fmt.Fprintln(p.stdout, currentBuild())
		return err
	}
	return c
}

// printJSON writes a value as one line of JSON.
func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
