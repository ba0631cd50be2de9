package cachemw

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// KeyParts is everything that a response may depend on. Fields that do not apply stay empty.
type KeyParts struct {
	// Partition is who may share a private entry: a digest of the credential. Parts without one are a bug. The public key
	// leaves it out of the digest.
	Partition []byte
	// Server is the upstream that answers.
	Server string
	// Generation is the generation of Server (see Cache.Generation). The cache compares it with the entry's own too, so a
	// key without it is safe; a key with it never finds an entry of another generation in a shared backend.
	Generation uint64
	// Route is the route of a plain request, empty for JSON-RPC.
	Route string
	// Method is the JSON-RPC method, or the HTTP method of a plain request.
	Method string
	// Params is the raw JSON of params. It is brought into a canonical form that leaves out what cannot change the result.
	Params []byte
	// Query is the raw query string, without "?", byte by byte: a server may mind the order of its parameters, and take names
	// that are spelt in two ways, as "a" and "%61" or "A", for one.
	Query []byte
	// Selected is what the request says in the fields that the answer varies on (RFC 9111 section 4.1).
	Selected []byte
	// Accept is the negotiated media type or types.
	Accept string
	// ProtocolVersion is the MCP revision.
	ProtocolVersion string
	// Capabilities is the raw JSON of the client's capabilities.
	Capabilities []byte
}

// keyDomain begins every digest. It changes when the meaning of a part does, so that a shared backend never mixes two
// versions of the gateway.
const keyDomain = "sark cachemw key 4"

// keyWriter holds the memory that making a key takes.
type keyWriter struct {
	canonicaliser
	digested []byte
}

// keyWriters are kept because their memory escapes: the canonical form is built by recursion.
var keyWriters = sync.Pool{New: func() any { return new(keyWriter) }}

// maxKept is the size, in bytes, above which a writer's memory is not kept.
const maxKept = 16 << 10

// NewKeys returns the two keys under which an answer may be stored: one for those of p.Partition, one for everybody. A key is
// a SHA-256 over each part with its length before it, so that no value can pose as the end of one part and the beginning of
// the next, and then one over that and who asks, so that two keys of one question cost little more than one. It panics when
// there is no partition, and does not allocate for requests of usual size.
func NewKeys(p KeyParts) (private, public Key) {
	w, _ := keyWriters.Get().(*keyWriter)
	defer w.keep()
	asked := w.question(&p)
	return w.sum(asked, Private, p.Partition), w.sum(asked, Public, nil)
}

// keep puts the writer back.
func (w *keyWriter) keep() {
	if cap(w.digested) <= maxKept {
		keyWriters.Put(w)
	}
}

// sum digests a question and who may share the answer.
func (w *keyWriter) sum(asked [sha256.Size]byte, scope Scope, partition []byte) Key {
	d := append(w.digested[:0], asked[:]...)
	if scope == Public {
		d = append(d, 'P')
	} else {
		if len(partition) == 0 {
			panic("BUG: a private cache key needs a partition")
		}
		d = appendPart(append(d, 'p'), partition)
	}
	w.digested = d
	return sha256.Sum256(d)
}

// question digests all apart from who asks.
func (w *keyWriter) question(p *KeyParts) [sha256.Size]byte {
	d := append(w.digested[:0], keyDomain...)
	d = appendPart(d, p.Server)
	d = binary.BigEndian.AppendUint64(d, p.Generation)
	d = appendPart(d, p.Route)
	d = appendPart(d, p.Method)
	d = w.appendJSON(d, p.Params, inParams)
	d = appendPart(d, p.Query)
	d = appendPart(d, p.Selected)
	d = appendPart(d, p.Accept)
	d = appendPart(d, p.ProtocolVersion)
	w.digested = w.appendJSON(d, p.Capabilities, elsewhere)
	return sha256.Sum256(w.digested)
}

// appendJSON appends the canonical form of a JSON value as a part. What has none, because it is malformed, ambiguous or
// too large to be worth the work, counts byte by byte: then two spellings of one question merely miss each other. The
// letter before a part keeps the two kinds apart.
func (w *keyWriter) appendJSON(dst, value []byte, at place) []byte {
	start := len(dst)
	out, ok := w.append(append(dst, 'c', 0, 0, 0, 0, 0, 0, 0, 0), value, at)
	if !ok {
		return appendPart(append(out[:start], 'r'), value)
	}
	body := start + 1 + 8
	binary.BigEndian.PutUint64(out[start+1:body], uint64(len(out)-body)) //nolint:gosec // out only grows
	return out
}

// appendPart appends the length of part and part.
func appendPart[T string | []byte](dst []byte, part T) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(part)))
	return append(dst, part...)
}
