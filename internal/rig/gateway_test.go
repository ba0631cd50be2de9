package rig_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"sark/internal/rig"
)

func TestGatewayComesUpFromItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	g, err := rig.StartGateway(t.Context(), rig.GatewayOptions{
		Binary:   os.Args[0],
		Dir:      dir,
		Upstream: "http://127.0.0.1:9000/mcp",
		Sections: map[string]any{"cache": map[string]any{"enabled": true}},
		Log:      t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "sark.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	size, err := g.Counter(t.Context(), "sark_config_bytes", map[string]string{"file": "sark.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}

	var got map[string]any
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"data_dir": filepath.Join(dir, "data"),
		"proxy": map[string]any{"listen": g.Proxy, "servers": []any{
			map[string]any{"name": "upstream", "url": "http://127.0.0.1:9000/mcp", "sensitivity_level": "low"},
		}},
		"api":   map[string]any{"listen": g.API},
		"admin": map[string]any{"listen": g.Admin},
		"cache": map[string]any{"enabled": true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if size != float64(len(text)) {
		t.Errorf("the gateway read %v bytes of configuration, want %d", size, len(text))
	}
	if g.Startup <= 0 {
		t.Errorf("startup took %v, want a positive duration", g.Startup)
	}
}

func TestStartGatewayNamesEveryMissingOption(t *testing.T) {
	_, err := rig.StartGateway(t.Context(), rig.GatewayOptions{})
	if err == nil {
		t.Fatal("a gateway without a binary, a directory and servers started")
	}
	want := "start gateway: Binary is empty\nstart gateway: Dir is empty\nstart gateway: want Upstream or Servers"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}
