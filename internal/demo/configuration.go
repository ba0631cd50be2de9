package demo

import (
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"sark/configs"
	"sark/internal/authn"
)

// configuration is that of the gateway, and the file for people to read and for the sark commands to use.
type configuration struct {
	path   string
	text   []byte
	loaded *configs.Loaded
}

// newConfiguration makes a configuration before an endpoint. It touches no file, since the directory may be that of a
// demonstration which is running.
func newConfiguration(o GatewayOptions, endpoint string, keys []key) (*configuration, error) {
	text, err := yaml.Marshal(settings(o, endpoint, keys))
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	c := &configuration{path: filepath.Join(o.DataDir, "sark.yaml"), text: text}
	c.loaded, err = configs.Load(configs.Options{File: c.path, ReadFile: func(string) ([]byte, error) { return text, nil }})
	if err != nil {
		return nil, fmt.Errorf("load the configuration: %w", err)
	}
	return c, nil
}

// settings is the document: what differs from the defaults.
func settings(o GatewayOptions, endpoint string, keys []key) map[string]any {
	var tools, apiKeys []map[string]any
	for _, t := range Tools() {
		tools = append(tools, map[string]any{"name": t.Name, "sensitivity_level": t.SensitivityLevel, "read_only": t.ReadOnly})
	}
	for _, k := range keys {
		apiKeys = append(apiKeys, map[string]any{
			"id": k.role, "hash": authn.FormatHash(k.hash), "subject": k.role + "@example.com", "roles": []string{k.role},
		})
	}
	all := map[string]any{
		"data_dir": o.DataDir,
		"proxy": map[string]any{"listen": o.Listen, "servers": []map[string]any{
			{"name": serverName, "url": endpoint, "sensitivity_level": "medium", "tools": tools},
		}},
		"authn": map[string]any{"api_keys": apiKeys},
		"api":   map[string]any{"listen": o.API},
		"admin": map[string]any{"listen": o.Admin},
		"log":   map[string]any{"level": "warn", "format": "console"},
	}
	if o.Bundle != "" {
		all["authz"] = map[string]any{"bundle": o.Bundle}
	}
	return all
}

// write keeps the file. It holds no key, only their hashes, and yet it is nobody else's business.
func (c *configuration) write() error {
	if err := os.WriteFile(c.path, c.text, 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}
