package app_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/configs"
	"sark/internal/app"
)

func TestDefaultsAreSupported(t *testing.T) {
	for _, preset := range append(configs.Presets(), "") {
		loaded, err := configs.Load(configs.Options{Preset: preset})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(configs.Issues(nil), app.Unsupported(&loaded.Config)); diff != "" {
			t.Errorf("preset %q (-want +got):\n%s", preset, diff)
		}
	}
}

// TestUnsupported switches on one thing after the other that this build does not have. Each must be refused under its own
// key, with what to do about it.
func TestUnsupported(t *testing.T) {
	for path, ask := range map[string]func(c *configs.Config){
		"audit.retention":      func(c *configs.Config) { c.Audit.Retention = 24 * time.Hour },
		"audit.compress_after": func(c *configs.Config) { c.Audit.CompressAfter = time.Hour },
	} {
		t.Run(path, func(t *testing.T) {
			c := configs.Default()
			c.Proxy.Servers = []configs.Server{{Name: "a", URL: "http://a/mcp"}, {Name: "b", URL: "http://b/mcp"}}
			ask(&c)

			issues := app.Unsupported(&c)

			if len(issues) != 1 || issues[0].Path != path {
				t.Fatalf("issues %q, want one for %s", issues, path)
			}
			const begin = "not available in this version: "
			if fix, ok := strings.CutPrefix(issues[0].Message, begin); !ok || fix == "" {
				t.Errorf("message %q, want %q and what to do", issues[0].Message, begin)
			}
		})
	}
}

// TestSwitchedOff keeps what says "never" usable, since that is what this build does.
func TestSwitchedOff(t *testing.T) {
	loaded, err := configs.Load(configs.Options{Flags: map[string]any{"audit.retention": "-1", "audit.compress_after": "-1"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(configs.Issues(nil), app.Unsupported(&loaded.Config)); diff != "" {
		t.Errorf("issues (-want +got):\n%s", diff)
	}
}

func TestUnsupportedIsNotServed(t *testing.T) {
	loaded, err := configs.Load(configs.Options{Flags: map[string]any{"audit.retention": "24h", "cache.debug_headers": "true", "data_dir": t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	want := "cache.debug_headers: not available in this version: X-Cache-Key is not sent; remove the key\n" +
		"audit.retention: not available in this version: the trail keeps every event; write -1 or remove the key"

	err = app.Run(t.Context(), app.Options{Config: loaded})

	if err == nil {
		t.Fatal("it was served")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestConfigIsRequired(t *testing.T) {
	if err := app.Run(t.Context(), app.Options{}); err == nil {
		t.Error("a gateway without a configuration was served")
	}
}

// TestExamplesAreServed: whoever copies an example gets a gateway.
func TestExamplesAreServed(t *testing.T) {
	files, err := filepath.Glob("../../configs/examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("examples %v, %v", files, err)
	}
	for _, file := range files {
		if issues := app.Unsupported(&load(t, file).Config); len(issues) > 0 {
			t.Errorf("%s: %v", file, issues)
		}
	}
}
