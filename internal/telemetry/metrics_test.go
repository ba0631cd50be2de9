package telemetry_test

import (
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/telemetry"
)

func TestRegistryKnowsBuildProcessAndRuntime(t *testing.T) {
	registry := telemetry.NewRegistry(telemetry.Build{Version: "1.2.3", Revision: "abc"})

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}

	names, build := map[string]bool{}, map[string]string{}
	for _, family := range families {
		names[family.GetName()] = true
		if family.GetName() == "sark_build_info" {
			for _, label := range family.GetMetric()[0].GetLabel() {
				build[label.GetName()] = label.GetValue()
			}
		}
	}
	want := map[string]string{"version": "1.2.3", "revision": "abc", "go_version": runtime.Version()}
	if diff := cmp.Diff(want, build); diff != "" {
		t.Errorf("labels of sark_build_info (-want +got):\n%s", diff)
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds"} {
		if !names[name] {
			t.Errorf("no metric %s", name)
		}
	}
}
