package mcp

import "fmt"

// InputRequests calls visit with each request for input that a result holds under inputRequests (MCP 2026-07-28, "Multi
// round-trip requests"), as a JSON-RPC message that Parse can read, valid until visit returns. raw is the object of all.
func InputRequests(raw []byte, visit func(message []byte)) error {
	s := acquireScanner(raw)
	defer releaseScanner(s)
	var messages [][]byte
	object := s.peek() == '{'
	m := members{s: s, depth: 2}
	for m.next() {
		object = object && s.peek() == '{'
		if request := m.raw(); object && request != nil {
			const head = `{"jsonrpc":"2.0","id":"input",`
			messages = append(messages, append(append(make([]byte, 0, len(head)+len(request)), head...), request[1:]...))
		}
	}
	err := s.verdict()
	if err == nil && !object {
		err = errNotObject
	}
	if err != nil {
		return fmt.Errorf("read input requests: %w", err)
	}
	for _, m := range messages {
		visit(m)
	}
	return nil
}
