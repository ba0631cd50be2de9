package rig_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
	"gopkg.in/yaml.v3"
)

// TestMain turns the test binary into the child of its own tests: run as `serve --config FILE` it is a small gateway.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		fmt.Fprintln(os.Stderr, serve(os.Args[3]))
		os.Exit(3)
	}
	goleak.VerifyTestMain(m)
}

// serve has the admin listener of a gateway, and prints its configuration there.
func serve(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var config struct{ Admin struct{ Listen string } }
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/health/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "# TYPE sark_config_bytes counter\nsark_config_bytes{file=\"sark.yaml\"} ")
		_, _ = fmt.Fprintln(w, len(text))
	})
	return http.ListenAndServe(config.Admin.Listen, mux)
}
