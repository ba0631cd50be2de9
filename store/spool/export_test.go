package spool

// CheckBounds is what the background goroutine does once a second.
func (s *Spool) CheckBounds() { s.checkBounds() }
