package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// Head is the end of a writer's chain at some time: the number of an event and its hash.
type Head struct {
	Writer uuid.UUID
	Seq    int64
	Hash   [32]byte
}

// String writes a head on one line: writer, number and hash, with colons between them.
func (h Head) String() string {
	return fmt.Sprintf("%s:%d:%s", h.Writer, h.Seq, hex.EncodeToString(h.Hash[:]))
}

// ParseHead reads what String has written.
func ParseHead(s string) (Head, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return Head{}, errors.New("a head is a writer, a number and a hash, with colons between them")
	}
	writer, err := uuid.Parse(parts[0])
	if err != nil {
		return Head{}, fmt.Errorf("writer of a head: %w", err)
	}
	seq, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || seq < 1 {
		return Head{}, fmt.Errorf("number of a head: %q is none from 1 on", parts[1])
	}
	hash, err := parseHash(parts[2])
	if err != nil {
		return Head{}, fmt.Errorf("hash of a head: %w", err)
	}
	return Head{Writer: writer, Seq: seq, Hash: hash}, nil
}

// advanceHead notes the last event that was stored.
func (s *Shipper) advanceHead(tuples [][]byte) {
	if len(tuples) == 0 {
		return
	}
	if writer, seq, hash, err := audit.Place(tuples[len(tuples)-1]); err == nil {
		s.head = &Head{Writer: writer, Seq: seq, Hash: hash}
	}
}

// Head is the last event that this shipper has stored, false before the first one.
func (s *Shipper) Head() (Head, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head == nil {
		return Head{}, false
	}
	return *s.head, true
}
