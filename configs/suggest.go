package configs

import (
	"slices"

	"github.com/agnivade/levenshtein"
)

// suggestKey proposes a key for an unknown one at path. Keys of the same
// section are tried before those of the whole configuration.
func suggestKey(section *node, path, name string) string {
	var siblings, all []string
	for _, kid := range section.kids {
		siblings = append(siblings, kid.name)
	}
	if hint := suggest(name, siblings); hint != "" {
		return hint
	}
	if path != "" {
		name = path + "." + name
	}
	newSchema().leaves(func(n *node) { all = append(all, n.Path) })
	return suggest(name, all)
}

// suggest returns "; did you mean …?" with the candidate nearest to name, or
// nothing when none is near.
func suggest(name string, candidates []string) string {
	slices.Sort(candidates)
	best, distance := "", max(2, len(name)/4)+1
	for _, candidate := range candidates {
		if d := levenshtein.ComputeDistance(name, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}
