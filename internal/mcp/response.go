package mcp

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// errReplyKind is for a message that some readers take for a reply and others for something else.
var errReplyKind = errors.New("more than one of method, result and error")

// Reply is the policy- and cache-relevant view of a JSON-RPC message from a server. Slices alias the message.
type Reply struct {
	// ID is the raw id, nil for a notification.
	ID []byte
	// Method is set for a request or notification of the server.
	Method string
	// Result is the raw JSON of the result, nil when there is none.
	Result []byte
	// Failed is true when there is an error member.
	Failed bool
	// Code is the code of the error member, 0 when there is none or it is not an integer of 32 bits.
	Code int
	// ToolError is true for a tool result with isError: true.
	ToolError bool
	// InputRequired is true for a result that asks the client for input (resultType "input_required").
	InputRequired bool
	// Input is the raw JSON of the requests that such a result holds; nil when it has none (see InputRequests).
	Input []byte
	// TaskID is the id of a task that the result stands for or tells of, "" when there is none.
	TaskID string
}

// ParseReply reads a JSON-RPC message from a server. It is as strict as Parse about JSON, and refuses a message that has
// more than one of method, result and error, so that a message which two readers could understand differently is an error.
func ParseReply(message []byte) (Reply, error) {
	s := acquireScanner(message)
	defer releaseScanner(s)
	if s.next() != '{' {
		return Reply{}, errNotObject
	}
	var r Reply
	if err := s.object(1, r.member); err != nil {
		return Reply{}, err
	}
	if err := s.end(); err != nil {
		return Reply{}, err
	}
	if s.soft == nil && kinds(&r) > 1 {
		s.soft = errReplyKind
	}
	return r, s.soft
}

// kinds counts what a message claims to be.
func kinds(r *Reply) int {
	n := 0
	for _, is := range [...]bool{r.Method != "", r.Result != nil && string(r.Result) != "null", r.Failed} {
		if is {
			n++
		}
	}
	return n
}

// member reads one member of the message.
func (r *Reply) member(s *scanner, key []byte, depth int) error {
	switch string(key) {
	case "id":
		return s.span(&r.ID, depth, nil)
	case "method":
		var raw []byte
		err := s.span(&raw, depth, nil)
		r.Method = string(text(raw))
		return err
	case "result":
		return s.span(&r.Result, depth, r.resultMember)
	case "error":
		r.Failed = s.peek() != 'n' // null is how old servers say that there is none
		return s.span(nil, depth, r.errorMember)
	}
	s.fold(key, envelopeKeys)
	return s.value(depth)
}

// resultMember reads one member of the result.
func (r *Reply) resultMember(s *scanner, key []byte, depth int) error {
	if string(key) == "task" {
		return s.span(nil, depth, r.taskMember)
	}
	from := s.i
	err := s.value(depth)
	if err != nil {
		return err
	}
	switch raw := s.b[from:s.i]; string(key) {
	case "isError":
		r.ToolError = string(raw) == "true"
	case "resultType":
		r.InputRequired = string(text(raw)) == "input_required"
	case "inputRequests":
		r.Input = raw
	case "taskId":
		r.TaskID = string(text(raw))
	}
	return nil
}

// taskMember reads one member of the task that a result of revision 2025-11-25 holds.
func (r *Reply) taskMember(s *scanner, key []byte, depth int) error {
	from := s.i
	err := s.value(depth)
	if err == nil && string(key) == "taskId" {
		r.TaskID = string(text(s.b[from:s.i]))
	}
	return err
}

// errorMember reads one member of the error.
func (r *Reply) errorMember(s *scanner, key []byte, depth int) error {
	from := s.i
	err := s.value(depth)
	if string(key) == "code" && err == nil {
		r.Code = errorCode(s.b[from:s.i])
	}
	return err
}

// errorCode returns the number that raw stands for, 0 for what is no code.
func errorCode(raw []byte) int {
	n, err := strconv.ParseInt(Text(raw), 10, 32)
	if err != nil {
		return 0
	}
	return int(n)
}

// AppendResult appends a JSON-RPC reply with the given raw id and raw result.
func AppendResult(dst, id, result []byte) []byte {
	dst = appendID(append(dst, `{"jsonrpc":"2.0","id":`...), id)
	dst = append(append(dst, `,"result":`...), result...)
	return append(dst, '}')
}

// AppendError appends a JSON-RPC error reply. data is the raw JSON of error.data, nil for none.
func AppendError(dst, id []byte, code int, message string, data []byte) []byte {
	dst = appendID(append(dst, `{"jsonrpc":"2.0","id":`...), id)
	dst = strconv.AppendInt(append(dst, `,"error":{"code":`...), int64(code), 10)
	dst = AppendString(append(dst, `,"message":`...), message)
	if data != nil {
		dst = append(append(dst, `,"data":`...), data...)
	}
	return append(dst, "}}"...)
}

// appendID appends the id, or "" for a message whose id could not be read and for notifications: MCP allows no null id
// (schema, RequestId), and clients end their session on an error reply that they cannot decode.
func appendID(dst, id []byte) []byte {
	if len(id) == 0 {
		return append(dst, `""`...)
	}
	return append(dst, id...)
}

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s { // ranging turns bad bytes into U+FFFD
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
