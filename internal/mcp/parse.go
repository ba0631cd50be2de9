package mcp

import "errors"

// Parse reads one JSON-RPC message into c, strictly, and holds it against the headers. It refuses, with an *Error: broken
// JSON, bad UTF-8, lone surrogate escapes, bytes after the message, nesting over MaxDepth, duplicate keys at any depth,
// keys that equal a known one only under case folding, batches, a missing or wrong jsonrpc member, a missing method, an id
// that is neither string nor integer or is longer than 512 bytes, and headers that differ from the body.
//
// A body that was cut off may be given too: it is refused as broken, and the refusal carries the id when it was whole.
//
// The slices and strings of c alias body and h, and so does the ID of the *Error. c holds nothing of use after an error.
func Parse(c *Call, body []byte, h Header) error {
	s := acquireScanner(body)
	defer releaseScanner(s)
	var e envelope
	if err := e.read(s); err != nil {
		return &Error{Code: codeOf(err), Reason: err.Error(), ID: validID(e.id)}
	}
	if s.soft != nil {
		return &Error{Code: CodeInvalidRequest, Reason: s.soft.Error(), ID: validID(e.id)}
	}
	if reason := e.fill(c); reason != "" {
		return &Error{Code: CodeInvalidRequest, Reason: reason, ID: validID(e.id)}
	}
	version := text(e.metaVersion)
	if reason := match(c, h, version); reason != "" {
		return &Error{Code: CodeHeaderMismatch, Reason: reason, ID: validID(e.id)}
	}
	c.ProtocolVersion = Text(version)
	if version == nil {
		c.ProtocolVersion = Text(h.ProtocolVersion)
	}
	if ModernVersion(c.ProtocolVersion) {
		c.Era = Modern
	}
	return nil
}

// RequestID returns the raw id of the message that begins body, for a refusal that is made before or without reading it
// strictly. The body may be broken or cut off. It returns nil when there is no usable id before the fault. The result
// aliases body.
func RequestID(body []byte) []byte {
	s := acquireScanner(body)
	defer releaseScanner(s)
	var e envelope
	_ = e.read(s) // what stands before the fault is all we ask for
	return validID(e.id)
}

// codeOf tells JSON that cannot be read from JSON that is no message.
func codeOf(err error) int {
	if errors.Is(err, errBatch) || errors.Is(err, errNotObject) {
		return CodeInvalidRequest
	}
	return CodeParse
}

// fill turns the envelope into a Call; it returns what is wrong with its shape, or "".
func (e *envelope) fill(c *Call) string {
	*c = Call{}
	c.ID, c.Params, c.Arguments, c.Meta, c.ClientCapabilities = e.id, e.params, e.arguments, e.meta, e.capabilities
	switch {
	case string(e.version) != `"2.0"`:
		return `jsonrpc must be "2.0"`
	case e.id != nil && validID(e.id) == nil:
		return "id must be a string or an integer"
	case e.method == nil:
		return e.fillResponse(c)
	case e.result != nil || e.failure != nil:
		return "a request must not carry result or error"
	case e.method[0] != '"' || len(e.method) == 2:
		return "method must be a string"
	case e.params != nil && e.params[0] != '{':
		return "params must be an object"
	case e.arguments != nil && e.arguments[0] != '{' && string(e.arguments) != "null":
		return "params.arguments must be an object"
	case e.metaVersion != nil && e.metaVersion[0] != '"':
		return "the protocol version in params._meta must be a string"
	}
	c.Kind = Request
	if e.id == nil {
		c.Kind = Notification
	}
	return e.fillMethod(c)
}

func (e *envelope) fillResponse(c *Call) string {
	switch {
	case e.result == nil && e.failure == nil:
		return "method is missing"
	case e.result != nil && e.failure != nil:
		return "a response must carry either result or error"
	case e.id == nil:
		return "a response must carry an id"
	}
	c.Kind, c.Action, c.ReadOnly = Response, ActionResponse, true
	return ""
}

func (e *envelope) fillMethod(c *Call) string {
	raw := text(e.method)
	m, ok := methods[string(raw)]
	if ok {
		c.Method, c.Action, c.ResourceType, c.ReadOnly = m.name, m.action, m.resource, m.readOnly
	} else {
		c.Method, c.Action = Text(raw), unknownAction(string(raw))
	}
	if string(c.Arguments) == "null" {
		c.Arguments = nil
	}
	c.Streams = e.progressToken || e.logLevel || e.continuation || c.Method == "subscriptions/listen"
	c.Task, c.Extra = e.task, e.extra
	return e.fillObject(c, ok)
}

// fillObject fills what the method is about: a tool, a prompt, a resource, a task or the object of a completion. The
// methods of others name theirs as they like: name and uri are filled where they are strings.
func (e *envelope) fillObject(c *Call, known bool) string {
	var name, uri []byte
	switch c.Method {
	case "tools/call", "prompts/get":
		name = e.name
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		uri = e.uri
	case "tasks/get", "tasks/update", "tasks/cancel", "tasks/result":
		name = e.taskID
	case "completion/complete":
		name, uri = e.reference(c)
	default:
		if !known {
			name, uri = e.name, e.uri
		}
	}
	if known && !(isString(name) && isString(uri)) {
		return "the name, uri or taskId of params must be a string"
	}
	c.Name, c.URI = Text(text(name)), Text(text(uri))
	return ""
}

// reference returns what a completion is for. The type decides, since servers go by it: a reference to a prompt may carry
// a uri that nobody reads. With a type that we do not know both count, and the resource type stays empty.
func (e *envelope) reference(c *Call) (name, uri []byte) {
	switch string(text(e.refType)) {
	case "ref/prompt":
		c.ResourceType = "prompt"
		return e.refName, nil
	case "ref/resource":
		c.ResourceType = "resource"
		return nil, e.refURI
	}
	return e.refName, e.refURI
}

// isString reports whether a raw value is absent or a string.
func isString(raw []byte) bool { return raw == nil || raw[0] == '"' }

// maxID is how long an id may be, in bytes of raw JSON.
const maxID = 512

// validID returns raw when it is a string or an integer of sane length, else nil.
func validID(raw []byte) []byte {
	if len(raw) == 0 || len(raw) > maxID {
		return nil
	}
	if raw[0] == '"' {
		return raw
	}
	for i, c := range raw {
		if (c < '0' || c > '9') && (i != 0 || c != '-') {
			return nil
		}
	}
	return raw
}
