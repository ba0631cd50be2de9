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
	task, extra                           bool
}

// read scans the whole body and remembers the parts that matter.
func (e *envelope) read(s *scanner) error {
	switch s.peek() {
	case '{':
	case '[':
		return errBatch
	default:
		s.skip(1)
		if err := s.end(); err != nil {
			return err
		}
		return errNotObject
	}
	m := members{s: s, depth: 2}
	for m.next() {
		switch string(m.key) {
		case "jsonrpc":
			e.version = m.raw()
		case "id":
			e.readID(&m)
		case "method":
			e.method = m.raw()
		case "params":
			e.readParams(s, m.depth)
		case "result":
			e.result = m.raw()
		case "error":
			e.failure = m.raw()
		default:
			e.extra = true
			s.fold(m.key, envelopeKeys)
		}
	}
	return s.end()
}

// readID forgets an id that ends where the body ends: it may be the first digits of a longer one.
func (e *envelope) readID(m *members) {
	id := m.raw()
	if m.s.err != nil {
		return
	}
	if e.id = id; m.s.i == len(m.s.b) {
		e.id = nil
	}
}

// readParams reads params.
func (e *envelope) readParams(s *scanner, depth int) {
	from := s.i
	m := members{s: s, depth: depth + 1}
	for m.next() {
		switch string(m.key) {
		case "name":
			e.name = m.raw()
		case "uri":
			e.uri = m.raw()
		case "taskId":
			e.taskID = m.raw()
		case "arguments":
			e.arguments = m.raw()
		case "_meta":
			e.readMeta(s, m.depth)
		case "ref":
			e.readRef(s, m.depth)
		case "task":
			e.task = true
		case "inputResponses", "requestState":
			e.continuation = true
		default:
			s.fold(m.key, paramsKeys)
		}
	}
	e.params = s.since(from)
}

// readMeta reads params._meta.
func (e *envelope) readMeta(s *scanner, depth int) {
	from, object := s.i, s.peek() == '{'
	m := members{s: s, depth: depth + 1}
	for m.next() {
		switch string(m.key) {
		case metaVersion:
			e.metaVersion = m.raw()
		case metaCapabilities:
			e.capabilities = m.raw()
		case metaLogLevel:
			e.logLevel = true
		case "progressToken":
			e.progressToken = true
		default:
			s.fold(m.key, metaKeys)
		}
	}
	if object {
		e.meta = s.since(from)
	}
}

// readRef reads params.ref.
func (e *envelope) readRef(s *scanner, depth int) {
	m := members{s: s, depth: depth + 1}
	for m.next() {
		switch string(m.key) {
		case "type":
			e.refType = m.raw()
		case "name":
			e.refName = m.raw()
		case "uri":
			e.refURI = m.raw()
		default:
			s.fold(m.key, refKeys)
		}
	}
}
