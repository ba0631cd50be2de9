package mcp

import "fmt"

// InputRequests calls visit with each request for input that a result holds under inputRequests (MCP 2026-07-28, "Multi
// round-trip requests"), as a JSON-RPC message that Parse can read, valid until visit returns. raw is the object of all.
func InputRequests(raw []byte, visit func(message []byte)) error {
	s := acquireScanner(raw)
	defer releaseScanner(s)
	if s.next() != '{' {
		return fmt.Errorf("read input requests: %w", errNotObject)
	}
	var messages [][]byte
	err := s.object(1, func(s *scanner, _ []byte, depth int) error {
		if s.peek() != '{' {
			return errNotObject
		}
		from := s.i
		err := s.value(depth)
		if err == nil {
			const head = `{"jsonrpc":"2.0","id":"input",`
			messages = append(messages, append(append(make([]byte, 0, len(head)+s.i-from), head...), s.b[from+1:s.i]...))
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil {
		err = s.soft
	}
	if err != nil {
		return fmt.Errorf("read input requests: %w", err)
	}
	for _, m := range messages {
		visit(m)
	}
	return nil
}
