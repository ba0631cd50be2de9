package configs

import (
	"slices"
	"strings"
)

// Issue is one mistake in a configuration.
type Issue struct {
	// Path is the key that is wrong, such as proxy.servers[0].url, or the name
	// of a variable or file that is wrong as a whole.
	Path string
	// Message says what is wrong and what to write instead.
	Message string
}

// String returns the issue on one line.
func (i Issue) String() string { return i.Path + ": " + i.Message }

// Issues are all mistakes of a configuration, in the order of the reference.
// Obtain them from an error of [Load] with errors.As.
type Issues []Issue

// Error lists the issues, one a line.
func (is Issues) Error() string {
	lines := make([]string, len(is))
	for i, issue := range is {
		lines[i] = issue.String()
	}
	return strings.Join(lines, "\n")
}

// add appends an issue.
func (is *Issues) add(path, message string) {
	*is = append(*is, Issue{Path: path, Message: message})
}

// covers tells whether there is an issue at path, above it or below it. A
// mistake in a value makes what follows from the value unsure.
func (is Issues) covers(path string) bool {
	return slices.ContainsFunc(is, func(i Issue) bool {
		return i.Path == path || under(i.Path, path) || under(path, i.Path)
	})
}

// under tells whether path lies inside the section or list entry parent.
func under(path, parent string) bool {
	rest, found := strings.CutPrefix(path, parent)
	return found && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "["))
}
