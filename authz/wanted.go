package authz

import "slices"

// wanted is what of the input a policy can read, in the terms of documents and keys. Documents hold no more than that, and
// keys cover no less: what is in neither cannot change a decision. policy_config is in no key, as it is the same for all
// that one memo remembers.
type wanted struct {
	members   memberSet // of the document itself
	fields    fieldSet
	arguments *selection // of the arguments; nil when none is read
	claims    *selection // of the principal's claims; nil when none is read
	headers   headers
	// parameters says that arguments are read as input.tool.parameters, which are there only when the tool is.
	parameters bool
	// mcpArguments says that they are read as input.mcp.arguments.
	mcpArguments bool
	context      bool
}

// memberSet is a set of members of the input document.
type memberSet uint16

const (
	memberAction memberSet = 1 << iota
	memberMCP
	memberPrincipal
	memberRequest
	memberTime
	memberUser
	memberVersion
)

func memberOf(name string) memberSet {
	switch name {
	case "action":
		return memberAction
	case "mcp":
		return memberMCP
	case "principal":
		return memberPrincipal
	case "request":
		return memberRequest
	case "time":
		return memberTime
	case "user":
		return memberUser
	case "version":
		return memberVersion
	}
	return 0 // there only when it applies to a request, or always
}

// headers says which headers are read.
type headers struct {
	all   bool
	names []string
}

// wantsAll is for documents of which it is not known what is read.
func wantsAll() *wanted {
	w := new(wanted)
	for _, name := range []string{
		"action", "context", "mcp", "policy_config", "principal", "request", "resource", "server", "time", "tool", "user", "version",
	} {
		w.add(inputPath{name}, fieldPaths())
	}
	return w
}

// want translates what an analysis found.
func want(r *reads) *wanted {
	if !r.exact() {
		return wantsAll()
	}
	w, places := new(wanted), fieldPaths()
	for _, p := range r.paths {
		w.add(p, places)
	}
	return w
}

// add adds what is at a path. A path that leads into a field reads the field; one that leads nowhere, nothing.
func (w *wanted) add(p inputPath, places [fields]inputPath) {
	w.members |= memberOf(p[0])
	if p[0] == "user" {
		p = append(inputPath{"principal"}, p[1:]...)
	}
	for f, place := range places {
		if p.overlaps(place) {
			w.fields |= 1 << f
		}
	}
	if rest, ok := p.below("tool", "parameters"); ok {
		w.arguments, w.parameters = w.arguments.with(rest), true
	}
	if rest, ok := p.below("mcp", "arguments"); ok {
		w.arguments, w.mcpArguments = w.arguments.with(rest), true
	}
	if rest, ok := p.below("principal", "claims"); ok {
		w.claims = w.claims.with(rest)
	}
	if rest, ok := p.below("principal", "mfa_verified"); ok && len(p) > 1 {
		w.claims = w.claims.with(append(inputPath{"mfa_verified"}, rest...))
	}
	if rest, ok := p.below("request", "headers"); ok {
		w.headers.add(rest)
	}
	w.context = w.context || p[0] == "context"
}

// below reports whether p and the given place overlap, and what p says beyond the place; nothing when it ends before.
func (p inputPath) below(place ...string) (rest inputPath, ok bool) {
	if !p.overlaps(place) {
		return nil, false
	}
	return p[min(len(place), len(p)):], true
}

func (h *headers) add(rest inputPath) {
	if len(rest) == 0 {
		h.all = true
		return
	}
	h.names = append(h.names, rest[0])
}

func (h *headers) any() bool { return h.all || len(h.names) > 0 }

func (h *headers) reads(name string) bool { return h.all || slices.Contains(h.names, name) }

func (w *wanted) reads(m memberSet) bool { return w.members&m != 0 }

func (w *wanted) has(f field) bool { return w.fields.has(f) }
