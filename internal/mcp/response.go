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
	// TTL, Scope and Type are the raw JSON of the result's ttlMs, cacheScope and resultType, nil where there is none.
	TTL, Scope, Type []byte
}

// ParseReply reads a JSON-RPC message from a server. It is as strict as Parse about JSON, and refuses a message that has
// more than one of method, result and error, so that a message which two readers could understand differently is an error.
func ParseReply(message []byte) (Reply, error) {
	s := acquireScanner(message)
	defer releaseScanner(s)
	if s.peek() != '{' {
		return Reply{}, errNotObject
	}
	var r Reply
	r.read(s)
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

// read reads the message.
func (r *Reply) read(s *scanner) {
	m := members{s: s, depth: 2}
	for m.next() {
		switch string(m.key) {
		case "id":
			r.ID = m.raw()
		case "method":
			r.Method = String(m.raw())
		case "result":
			r.readResult(s, m.depth)
		case "error":
			r.Failed = s.peek() != 'n' // null is how old servers say that there is none
			r.readError(s, m.depth)
		default:
			s.fold(m.key, envelopeKeys)
		}
	}
}

// readResult reads the result.
func (r *Reply) readResult(s *scanner, depth int) {
	from := s.i
	m := members{s: s, depth: depth + 1}
	for m.next() {
		switch string(m.key) {
		case "task":
			r.readTask(s, m.depth)
		case "isError":
			r.ToolError = string(m.raw()) == "true"
		case "resultType":
			r.Type = m.raw()
			r.InputRequired = string(text(r.Type)) == "input_required"
		case "ttlMs":
			r.TTL = m.raw()
		case "cacheScope":
			r.Scope = m.raw()
		case "inputRequests":
			r.Input = m.raw()
		case "taskId":
			r.TaskID = String(m.raw())
		default:
			s.fold(m.key, inputKeys)
		}
	}
	r.Result = s.since(from)
}

// inputKeys are the keys by which a result asks the client for input.
var inputKeys = []string{"resultType", "inputRequests"}

// readTask reads the task that a result of revision 2025-11-25 holds.
func (r *Reply) readTask(s *scanner, depth int) {
	m := members{s: s, depth: depth + 1}
	for m.next() {
		if string(m.key) == "taskId" {
			r.TaskID = String(m.raw())
		}
	}
}

// readError reads the error.
func (r *Reply) readError(s *scanner, depth int) {
	m := members{s: s, depth: depth + 1}
	for m.next() {
		if string(m.key) == "code" {
			r.Code = errorCode(m.raw())
		}
	}
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
	return append(append(AppendResultHead(dst, id), result...), '}')
}

// AppendResultHead appends what comes before the result of a JSON-RPC reply. After the result comes a closing brace.
func AppendResultHead(dst, id []byte) []byte {
	return append(appendID(append(dst, `{"jsonrpc":"2.0","id":`...), id), `,"result":`...)
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
