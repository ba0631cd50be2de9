package cli

import "github.com/agnivade/levenshtein"

// suggestion returns "; did you mean …?" with the candidate nearest to name, after a prefix, or nothing when none is near.
func suggestion(name, prefix string, candidates []string) string {
	best, distance := "", max(2, len(name)/3)+1
	for _, candidate := range candidates {
		if d := levenshtein.ComputeDistance(name, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + prefix + best + "?"
}
