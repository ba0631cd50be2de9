package policytest

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/cover"
)

// Coverage is how much of a file was reached.
type Coverage struct {
	File string `json:"file"`
	// Percent is the share of lines with rules and expressions that were reached, 0 to 100.
	Percent float64 `json:"percent"`
	// NotCovered are the ranges of lines that nothing has reached; first and last.
	NotCovered [][2]int `json:"not_covered"`
}

// coverage sums up what was reached of the policy; tests do not count.
func (s *Suite) coverage(reached *cover.Cover) (files []Coverage, percent float64) {
	modules := s.modules()
	report := reached.Report(modules)
	covered, all := 0, 0
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		f := report.Files[name]
		if f == nil || f.CoveredLines+f.NotCoveredLines == 0 {
			continue // a file without rules
		}
		covered, all = covered+f.CoveredLines, all+f.CoveredLines+f.NotCoveredLines
		files = append(files, Coverage{File: s.short(name), Percent: f.Coverage, NotCovered: lines(f.NotCovered)})
	}
	if all == 0 {
		return files, 0
	}
	return files, 100 * float64(covered) / float64(all)
}

// lines returns the lines of ranges, without those that lie in the range before.
func lines(ranges []cover.Range) [][2]int {
	kept := [][2]int{}
	for _, r := range ranges {
		if n := len(kept); n > 0 && r.Start.Row <= kept[n-1][1] {
			kept[n-1][1] = max(kept[n-1][1], r.End.Row)
			continue
		}
		kept = append(kept, [2]int{r.Start.Row, r.End.Row})
	}
	return kept
}
