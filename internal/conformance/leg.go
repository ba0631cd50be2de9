package conformance

// Leg is one run of the suite: a set of requirements against the reference server that can meet it.
type Leg struct {
	// Name tells the legs apart in test names and folders.
	Name string
	// Requirements is the MCP revision whose requirement set the suite runs.
	Requirements string
	// Stateless says whether the reference server runs without sessions.
	Stateless bool
	// Passed and Failed are the checks that the server passes and fails when it is asked directly.
	Passed, Failed int
}

// Legs returns both eras of the protocol. Modern revisions have no sessions, and legacy ones cannot ask the client back
// (sampling, elicitation) without. The reference server has no tasks extension, which is where its 30 failures lie.
func Legs() []Leg {
	return []Leg{
		{Name: "modern", Requirements: "2026-07-28", Stateless: true, Passed: 165, Failed: 30},
		{Name: "legacy", Requirements: "2025-11-25", Stateless: false, Passed: 82, Failed: 0},
	}
}
