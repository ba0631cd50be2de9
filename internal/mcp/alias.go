package mcp

import "unsafe"

// Text returns b as a string without copying. The string is valid only as long as b is neither changed nor reused: in this
// product, until the handler that owns the request returns. It is the one place where bytes become strings that way.
func Text(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) // #nosec G103 -- documented lifetime; see the comment above
}
