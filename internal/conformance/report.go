package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Report is what one run of the suite found: the statuses (SUCCESS, FAILURE, WARNING, INFO, SKIPPED) of each check, by
// "scenario/check". A check that ran several times in its scenario has as many statuses, sorted.
type Report map[string][]string

// folder is how the suite names the folder of a scenario: server-<scenario>-<time of the run>.
var folder = regexp.MustCompile(`^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$`)

// Read collects the checks.json files that the suite left below dir. A folder without one, or none at all, is an
// error: a run that broke off must not look like a short one.
func Read(dir string) (Report, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the suite's records: %w", err)
	}
	r := make(Report)
	for _, e := range entries {
		name := folder.FindStringSubmatch(e.Name())
		if name == nil {
			continue
		}
		if err := r.add(name[1], filepath.Join(dir, e.Name(), "checks.json")); err != nil {
			return nil, err
		}
	}
	if len(r) == 0 {
		return nil, fmt.Errorf("read the suite's records: no checks below %s", dir)
	}
	for _, statuses := range r {
		slices.Sort(statuses)
	}
	return r, nil
}

func (r Report) add(scenario, file string) error {
	text, err := os.ReadFile(file) //nolint:gosec // G304: below the folder that the caller gave the suite.
	if err != nil {
		return fmt.Errorf("read the checks of %s: %w", scenario, err)
	}
	var checks []struct{ ID, Status string }
	if err := json.Unmarshal(text, &checks); err != nil {
		return fmt.Errorf("read the checks of %s: %w", scenario, err)
	}
	for _, c := range checks {
		id := scenario + "/" + c.ID
		r[id] = append(r[id], c.Status)
	}
	return nil
}

// Totals counts the checks that passed and that failed; warnings and skipped checks are neither.
func (r Report) Totals() (passed, failed int) {
	for _, statuses := range r {
		for _, s := range statuses {
			switch s {
			case "SUCCESS":
				passed++
			case "FAILURE":
				failed++
			}
		}
	}
	return passed, failed
}

// Compare returns one line for every check whose statuses differ, sorted by scenario and check, and nothing when got
// equals want.
func Compare(want, got Report) []string {
	var diff []string
	for id, statuses := range want {
		if !slices.Equal(statuses, got[id]) {
			diff = append(diff, fmt.Sprintf("%s: direct %s, got %s", id, list(statuses), list(got[id])))
		}
	}
	for id, statuses := range got {
		if _, known := want[id]; !known {
			diff = append(diff, fmt.Sprintf("%s: direct %s, got %s", id, list(nil), list(statuses)))
		}
	}
	slices.Sort(diff)
	return diff
}

func list(statuses []string) string {
	if len(statuses) == 0 {
		return "nothing"
	}
	return strings.Join(statuses, "+")
}
