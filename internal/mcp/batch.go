package mcp

import "errors"

// ErrBatchSize is returned by Split for a batch without messages or with too many.
var ErrBatchSize = errors.New("mcp: a batch must hold at least one message and no more than the limit")

// IsBatch reports whether a body is a JSON array as far as its first byte tells: a JSON-RPC batch (MCP 2025-03-26,
// "Batching"), or nothing that Parse would accept.
func IsBatch(body []byte) bool {
	s := scanner{b: body}
	return s.next() == '['
}

// Split returns the messages of a batch as they stand there, at most limit. The slices alias body. What is wrong within a
// message, but for its grammar, is left to Parse, so that only that message is refused.
func Split(body []byte, limit int) ([][]byte, error) {
	s := acquireScanner(body)
	defer releaseScanner(s)
	if s.next() != '[' {
		return nil, errNotObject
	}
	var messages [][]byte
	err := s.array(0, func(s *scanner, depth int) error {
		if len(messages) == limit {
			return ErrBatchSize
		}
		from := s.i
		err := s.value(depth)
		messages = append(messages, s.b[from:s.i])
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(messages) == 0:
		return nil, ErrBatchSize
	}
	return messages, s.end()
}
