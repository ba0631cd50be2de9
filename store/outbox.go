package store

import "time"

// Change is a write to the registry that others must hear of before it is acknowledged to its author: it is kept in the
// same transaction as the write until every cache has dropped what it held of the subject.
type Change struct {
	ID        int64  // rises with every write
	Subject   string // "server"
	SubjectID string
	Operation string // "create", "update" or "decommission"
	CreatedAt time.Time
}

// Operation is the operation of a Change that writes the server as it is now.
func (s *Server) Operation() string {
	if s.Status == Decommissioned {
		return "decommission"
	}
	return "update"
}
