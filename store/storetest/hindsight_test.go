package storetest_test

import "sark/internal/audit"

// setHindsight fills the column that only the next version has. That version is built with another file in place of this one,
// see nextVersion.
func setHindsight(*audit.Event) {}

// hindsight is what an event has in that column.
func hindsight(*audit.Event) string { return "" }
