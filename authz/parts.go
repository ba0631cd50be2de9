package authz

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"sark/internal/authn"
	"sark/internal/mcp"
)

// partSlots is the number of parts of a kind that are kept. It is a power of two.
const partSlots = 1024

// maxKeptPath bounds the paths that are kept, which the caller chooses, in bytes.
const maxKeptPath = 256

// parts keeps those parts of input documents that are the same for many requests, as far as one policy reads them. Terms
// are immutable, so documents share them. Each kind has a fixed number of slots without locks; an entry is found by a hash
// and used only when its whole key is equal, so the worst that a collision does is to build a part anew. Keys are copies:
// the strings of an input may be bytes of a request, which die with it.
type parts struct {
	seed       maphash.Seed
	wanted     *wanted
	principals slots[*authn.Principal]
	servers    slots[Server]
	requests   slots[requestKey]
	calls      slots[callKey]
	texts      *texts
}

type (
	slots[K any] [partSlots]atomic.Pointer[slot[K]]

	// slot is immutable.
	slot[K any] struct {
		key  K
		term *ast.Term
	}

	requestKey struct {
		method, path string
		ip           netip.Addr
	}

	// callKey is what of a call is read, but for the arguments.
	callKey struct {
		method, phase, name, uri, version string
		era                               mcp.Era
	}
)

func newParts(w *wanted) *parts {
	return &parts{seed: maphash.MakeSeed(), wanted: w, texts: &texts{seed: maphash.MakeSeed()}}
}

func (s *slots[K]) at(hash uint64) *atomic.Pointer[slot[K]] { return &s[hash%partSlots] }

// principal returns input.principal. An authenticator hands out one principal for all requests with the same credential,
// and a principal never changes, so its address is its key: an entry holds on to its principal, and no other can have that
// address meanwhile.
func (p *parts) principal(who *authn.Principal) (*ast.Term, error) {
	at := p.principals.at(binary.LittleEndian.Uint64(who.Fingerprint[:]))
	if s := at.Load(); s != nil && s.key == who {
		return s.term, nil
	}
	term, err := p.wanted.principal(who)
	if err != nil {
		return nil, err
	}
	at.Store(&slot[*authn.Principal]{who, term})
	return term, nil
}

// server returns input.server, nil when there is none.
func (p *parts) server(s *Server) *ast.Term {
	if !s.applies() || p.wanted.fields&serverFields == 0 {
		return nil
	}
	at := p.servers.at(maphash.String(p.seed, s.ID))
	if kept := at.Load(); kept != nil && kept.key.equal(s) {
		return kept.term
	}
	kept := &slot[Server]{s.clone(), p.wanted.server(s)}
	at.Store(kept)
	return kept.term
}

// clone copies all that the caller might change later.
func (s *Server) clone() Server {
	c := Server{
		ID: strings.Clone(s.ID), Name: strings.Clone(s.Name), SensitivityLevel: strings.Clone(s.SensitivityLevel),
		OwnerID: strings.Clone(s.OwnerID), Status: strings.Clone(s.Status), Teams: slices.Clone(s.Teams),
	}
	for i, team := range c.Teams {
		c.Teams[i] = strings.Clone(team)
	}
	return c
}

func (s *Server) equal(o *Server) bool {
	return s.ID == o.ID && s.Name == o.Name && s.SensitivityLevel == o.SensitivityLevel && s.OwnerID == o.OwnerID &&
		s.Status == o.Status && slices.Equal(s.Teams, o.Teams)
}

// request returns input.request. Requests with headers that are read, or a long path, are not kept.
func (p *parts) request(r *Request) *ast.Term {
	if p.wanted.fields&requestFields == 0 && !p.wanted.headers.any() {
		return bareRequest
	}
	if (len(r.Headers) > 0 && p.wanted.headers.any()) || len(r.Path) > maxKeptPath {
		return p.wanted.request(r)
	}
	key := requestKey{r.Method, r.Path, r.ClientIP}
	at := p.requests.at(maphash.Comparable(p.seed, key))
	if kept := at.Load(); kept != nil && kept.key == key {
		return kept.term
	}
	key.method, key.path = strings.Clone(key.method), strings.Clone(key.path)
	kept := &slot[requestKey]{key, p.wanted.request(r)}
	at.Store(kept)
	return kept.term
}

// time returns input.time. The settings keep the latest.
func (p *parts) time(in *Input, set *settings) *ast.Term {
	if p.wanted.fields&timeFields == 0 {
		return emptyObject
	}
	return set.at(in.Time).term
}

// mcp returns input.mcp. Calls whose arguments are read there, or with long texts, are not kept.
func (p *parts) mcp(in *Input, arguments *ast.Term) *ast.Term {
	if p.wanted.fields&mcpFields == 0 && !p.wanted.mcpArguments {
		return emptyObject
	}
	key := p.wanted.call(in)
	if p.wanted.mcpArguments || len(key.method)+len(key.name)+len(key.uri)+len(key.version) > maxKeptPath {
		return p.call(in, arguments)
	}
	at := p.calls.at(maphash.Comparable(p.seed, key))
	if kept := at.Load(); kept != nil && kept.key == key {
		return kept.term
	}
	kept := &slot[callKey]{key.clone(), p.call(in, nil)}
	at.Store(kept)
	return kept.term
}

func (w *wanted) call(in *Input) (k callKey) {
	call := in.Call
	if w.has(fieldMCPMethod) {
		k.method = call.Method
	}
	if w.has(fieldMCPPhase) {
		k.phase = phase(in)
	}
	if w.has(fieldMCPName) {
		k.name = call.Name
	}
	if w.has(fieldMCPURI) {
		k.uri = call.URI
	}
	if w.has(fieldMCPProtocolVersion) {
		k.version = call.ProtocolVersion
	}
	if w.has(fieldMCPEra) {
		k.era = call.Era
	}
	return k
}

func (k callKey) clone() callKey {
	return callKey{
		strings.Clone(k.method), strings.Clone(k.phase), strings.Clone(k.name), strings.Clone(k.uri), strings.Clone(k.version), k.era,
	}
}
