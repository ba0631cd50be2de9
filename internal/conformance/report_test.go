package conformance_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/conformance"
)

func TestReadKeepsEveryStatusByScenarioAndCheck(t *testing.T) {
	got, err := conformance.Read("testdata/run")
	if err != nil {
		t.Fatal(err)
	}
	want := conformance.Report{
		"sep-2164-resource-not-found/not-found":         {"FAILURE", "SUCCESS"},
		"sep-2164-resource-not-found/wire-schema-valid": {"SKIPPED"},
		"tools-list/tool-names":                         {"WARNING"},
		"tools-list/tools-list":                         {"SUCCESS"},
		"tools-list/wire-schema-valid":                  {"SUCCESS"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if passed, failed := got.Totals(); passed != 3 || failed != 1 {
		t.Errorf("totals are %d/%d, want 3/1", passed, failed)
	}
}

func TestReadRefusesARunWithoutChecks(t *testing.T) {
	if r, err := conformance.Read(t.TempDir()); err == nil {
		t.Errorf("an empty folder was read as %v", r)
	}
}

func TestCompareNamesEveryDifference(t *testing.T) {
	direct := conformance.Report{"a/same": {"SUCCESS"}, "a/worse": {"SUCCESS"}, "b/gone": {"INFO"}, "b/twice": {"FAILURE", "SUCCESS"}}
	behind := conformance.Report{"a/same": {"SUCCESS"}, "a/worse": {"FAILURE"}, "b/new": {"SUCCESS"}, "b/twice": {"SUCCESS", "SUCCESS"}}
	want := []string{
		"a/worse: direct SUCCESS, got FAILURE",
		"b/gone: direct INFO, got nothing",
		"b/new: direct nothing, got SUCCESS",
		"b/twice: direct FAILURE+SUCCESS, got SUCCESS+SUCCESS",
	}
	if diff := cmp.Diff(want, conformance.Compare(direct, behind)); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if same := conformance.Compare(direct, direct); len(same) > 0 {
		t.Errorf("a report differs from itself: %v", same)
	}
}
