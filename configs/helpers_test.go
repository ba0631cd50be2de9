package configs_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/configs"
)

// inMemory returns a ReadFile over the given files.
func inMemory(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		content, found := files[name]
		if !found {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(content), nil
	}
}

// mustLoad loads a configuration that is expected to be right.
func mustLoad(t *testing.T, o configs.Options) *configs.Loaded {
	t.Helper()
	loaded, err := configs.Load(o)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return loaded
}

// mustLoadYAML loads a file of that text, with the given environment.
func mustLoadYAML(t *testing.T, text string, environ ...string) *configs.Loaded {
	t.Helper()
	return mustLoad(t, yamlOptions(text, environ...))
}

// yamlOptions describes a file of that text, with the given environment.
func yamlOptions(text string, environ ...string) configs.Options {
	return configs.Options{
		File: "sark.yaml", Environ: environ,
		ReadFile: inMemory(map[string]string{"sark.yaml": text, "/secret": "s3cret\n"}),
	}
}

// issueLines loads a configuration that is expected to be wrong and returns
// its issues as text.
func issueLines(t *testing.T, o configs.Options) []string {
	t.Helper()
	_, err := configs.Load(o)
	var issues configs.Issues
	if !errors.As(err, &issues) {
		t.Fatalf("load returned %v, want issues", err)
	}
	lines := make([]string, len(issues))
	for i, issue := range issues {
		lines[i] = issue.String()
	}
	return lines
}

// equal fails the test with a diff when got is not want.
func equal(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
