package mcp

// The keys of _meta that make a request modern (MCP 2026-07-28, "Request metadata").
const (
	metaVersion      = "io.modelcontextprotocol/protocolVersion"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	metaLogLevel     = "io.modelcontextprotocol/logLevel"
)

// Keys with a meaning, by the object they stand in. A key that equals one of these only under case folding is refused: a
// reader that ignores case would see a different message.
var (
	envelopeKeys = []string{"jsonrpc", "id", "method", "params", "result", "error"}
	paramsKeys   = []string{
		"name", "uri", "arguments", "_meta", "cursor", "taskId", "ref", "argument", "context", "inputResponses",
		"requestState", "notifications", "task", "level", "requestId", "progressToken", "protocolVersion",
		"capabilities", "clientInfo",
	}
	metaKeys = []string{metaVersion, metaCapabilities, metaLogLevel, "io.modelcontextprotocol/clientInfo", "progressToken"}
	refKeys  = []string{"type", "name", "uri"}
)

// envelope is what one pass over a message remembers: raw JSON that aliases the body.
type envelope struct {
	version, method, id, params           []byte
	result, failure                       []byte
	name, uri, taskID, arguments, meta    []byte
	refType, refName, refURI              []byte
	metaVersion, capabilities             []byte
	progressToken, logLevel, continuation bool
	task                                  bool
}

// read scans the whole body and remembers the parts that matter.
func (e *envelope) read(s *scanner) error {
	switch s.next() {
	case '{':
	case '[':
		return errBatch
	default:
		if err := s.document(); err != nil {
			return err
		}
		return errNotObject
	}
	if err := s.object(1, e.member); err != nil {
		return err
	}
	return s.end()
}

// member reads one member of the message.
func (e *envelope) member(s *scanner, key []byte, depth int) error {
	switch string(key) {
	case "jsonrpc":
		return s.span(&e.version, depth, nil)
	case "id":
		return e.readID(s, depth)
	case "method":
		return s.span(&e.method, depth, nil)
	case "params":
		return s.span(&e.params, depth, e.param)
	case "result":
		return s.span(&e.result, depth, nil)
	case "error":
		return s.span(&e.failure, depth, nil)
	}
	s.fold(key, envelopeKeys)
	return s.value(depth)
}

// readID forgets an id that ends where the body ends: it may be the first digits of a longer one.
func (e *envelope) readID(s *scanner, depth int) error {
	err := s.span(&e.id, depth, nil)
	if s.i == len(s.b) {
		e.id = nil
	}
	return err
}

// param reads one member of params.
func (e *envelope) param(s *scanner, key []byte, depth int) error {
	switch string(key) {
	case "name":
		return s.span(&e.name, depth, nil)
	case "uri":
		return s.span(&e.uri, depth, nil)
	case "taskId":
		return s.span(&e.taskID, depth, nil)
	case "arguments":
		return s.span(&e.arguments, depth, nil)
	case "_meta":
		if s.peek() == '{' {
			return s.span(&e.meta, depth, e.metaMember)
		}
	case "ref":
		return s.span(nil, depth, e.refMember)
	case "task":
		e.task = true
	case "inputResponses", "requestState":
		e.continuation = true
	default:
		s.fold(key, paramsKeys)
	}
	return s.value(depth)
}

// metaMember reads one member of params._meta.
func (e *envelope) metaMember(s *scanner, key []byte, depth int) error {
	switch string(key) {
	case metaVersion:
		return s.span(&e.metaVersion, depth, nil)
	case metaCapabilities:
		return s.span(&e.capabilities, depth, nil)
	case metaLogLevel:
		e.logLevel = true
	case "progressToken":
		e.progressToken = true
	default:
		s.fold(key, metaKeys)
	}
	return s.value(depth)
}

// refMember reads one member of params.ref.
func (e *envelope) refMember(s *scanner, key []byte, depth int) error {
	switch string(key) {
	case "type":
		return s.span(&e.refType, depth, nil)
	case "name":
		return s.span(&e.refName, depth, nil)
	case "uri":
		return s.span(&e.refURI, depth, nil)
	}
	s.fold(key, refKeys)
	return s.value(depth)
}

// span scans a value and remembers its raw bytes in dst, unless nil. visit, unless nil, reads the members when the value
// is an object.
func (s *scanner) span(dst *[]byte, depth int, visit func(*scanner, []byte, int) error) error {
	from := s.i
	var err error
	if visit != nil && s.peek() == '{' {
		err = s.object(depth, visit)
	} else {
		err = s.value(depth)
	}
	if err == nil && dst != nil {
		*dst = s.b[from:s.i]
	}
	return err
}
