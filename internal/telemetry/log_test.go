package telemetry_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sark/internal/telemetry"
)

func TestLoggerWritesJSONLines(t *testing.T) {
	var out bytes.Buffer
	log, _, err := telemetry.NewLogger(telemetry.LogOptions{Output: &out})
	if err != nil {
		t.Fatal(err)
	}

	log.Info("request refused", zap.String("action", "tool:invoke"))

	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("line %q: %v", out.String(), err)
	}
	stamp, _ := line["time"].(string)
	if _, err := time.Parse("2006-01-02T15:04:05.000000Z", stamp); err != nil {
		t.Errorf("time %q is not UTC with microseconds: %v", stamp, err)
	}
	delete(line, "time")
	want := map[string]any{"level": "info", "msg": "request refused", "action": "tool:invoke"}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestLoggerWritesConsoleLines(t *testing.T) {
	var out bytes.Buffer
	log, _, err := telemetry.NewLogger(telemetry.LogOptions{Format: "console", Output: &out})
	if err != nil {
		t.Fatal(err)
	}

	log.Warn("spool nearly full")

	if _, rest, _ := strings.Cut(out.String(), "\t"); rest != "WARN\tspool nearly full\n" {
		t.Errorf("line after the time is %q", rest)
	}
}

func TestLevelGovernsDerivedLoggers(t *testing.T) {
	var out bytes.Buffer
	log, level, err := telemetry.NewLogger(telemetry.LogOptions{Level: "error", Format: "console", Output: &out})
	if err != nil {
		t.Fatal(err)
	}
	derived := log.Named("proxy")

	derived.Info("unheard")
	level.SetLevel(zapcore.DebugLevel)
	derived.Debug("heard")

	if got := out.String(); strings.Contains(got, "unheard") || !strings.Contains(got, "heard") {
		t.Errorf("output %q", got)
	}
}

func TestLoggerRefusesUnknownOptions(t *testing.T) {
	for name, o := range map[string]telemetry.LogOptions{
		"level":       {Level: "loud"},
		"fatal level": {Level: "fatal"},
		"format":      {Format: "xml"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := telemetry.NewLogger(o); err == nil {
				t.Error("no error")
			}
		})
	}
}
