package mcp

import "errors"

// ErrBatchSize is returned by Split for a batch without messages or with too many.
var ErrBatchSize = errors.New("mcp: a batch must hold at least one message and no more than the limit")

// IsBatch reports whether a body is a JSON array as far as its first byte tells: a JSON-RPC batch (MCP 2025-03-26,
// "Batching"), or nothing that Parse would accept.
func IsBatch(body []byte) bool {
	s := scanner{b: body}
	return s.peek() == '['
}

// Split returns the messages of a batch as they stand there, at most limit. The slices alias body. What is wrong within a
// message, but for its grammar, is left to Parse, so that only that message is refused.
func Split(body []byte, limit int) ([][]byte, error) {
	s := acquireScanner(body)
	defer releaseScanner(s)
	if s.peek() != '[' {
		return nil, errNotObject
	}
	var messages [][]byte
	n := items{s: s, depth: 1}
	for n.next() {
		if len(messages) == limit {
			return nil, ErrBatchSize
		}
		messages = append(messages, n.raw())
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	if len(messages) == 0 {
		return nil, ErrBatchSize
	}
	return messages, nil
}
