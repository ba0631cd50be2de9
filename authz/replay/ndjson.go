package replay

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"
)

// maxLine bounds one recorded question, in bytes.
const maxLine = 16 << 20

// Lines reads recorded questions since a moment from lines of JSON, one each.
func Lines(from io.Reader, since time.Time) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		lines := bufio.NewScanner(from)
		lines.Buffer(nil, maxLine)
		for number := 1; lines.Scan(); number++ {
			if len(lines.Bytes()) == 0 {
				continue
			}
			var q Recorded
			if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
				yield(Recorded{}, fmt.Errorf("line %d: %w", number, err))
				return
			}
			if !q.Timestamp.Before(since) && !yield(q, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Recorded{}, err)
		}
	}
}
