package spool

// CheckBounds is what the background goroutine does once a second.
func (s *Spool) CheckBounds() { s.checkBounds() }

// OtherColumns returns a segment as a version of SARK with other columns would have begun it.
func OtherColumns(segment []byte, columns string) ([]byte, error) {
	h, size, err := parseHeader(segment)
	if err != nil {
		return nil, err
	}
	h.columns = columns
	return append(h.append(nil), segment[size:]...), nil
}
