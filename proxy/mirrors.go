package proxy

import (
	"bytes"
	"strings"
	"sync"
	"time"

	"sark/internal/mcp"
)

const (
	// mirrorsLife is how long what a list says of a tool counts. It is the longest that this gateway can go by an old
	// schema when the new one was read through another replica, or without one.
	mirrorsLife = 10 * time.Minute
	// maxMirrored is of how many tools of a server it is known which arguments are mirrored.
	maxMirrored = 1000
)

// mirrors are the arguments that clients of one server repeat in headers, as the lists of its tools say that pass here. What
// no list has said is not known, and headers that are not known go on untouched: it is the server that must know them (MCP
// 2026-07-28, "Server Behavior for Custom Headers"). The last list counts.
// It is safe for concurrent use.
type mirrors struct {
	mu    sync.RWMutex
	tools map[string]mirrored
}

// mirrored is what a list has said of one tool.
type mirrored struct {
	arguments []mcp.Mirror
	seen      time.Time
}

// learn reads a tools/list reply.
func (m *mirrors) learn(message []byte, now time.Time) {
	if !mcp.MayMirror(message) && m.empty() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = mcp.Mirrors(message, func(tool string, arguments []mcp.Mirror) { // the list has just been read and is sound
		if len(arguments) == 0 {
			delete(m.tools, tool)
			return
		}
		m.putLocked(tool, mirrored{arguments: arguments, seen: now})
	})
}

func (m *mirrors) empty() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.tools) == 0
}

func (m *mirrors) putLocked(tool string, what mirrored) {
	if m.tools == nil {
		m.tools = make(map[string]mirrored)
	}
	if _, known := m.tools[tool]; !known && len(m.tools) >= maxMirrored {
		for name, t := range m.tools {
			if what.seen.Sub(t.seen) >= mirrorsLife {
				delete(m.tools, name)
			}
		}
		if len(m.tools) >= maxMirrored {
			return
		}
	}
	m.tools[tool] = what
}

// forget drops everything, because the server says that its tools have changed.
func (m *mirrors) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tools)
}

// argument returns which argument of a tool a header repeats; header is what follows mcp.ParamPrefix in its name.
func (m *mirrors) argument(tool string, header []byte, now time.Time) (mcp.Mirror, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.tools[tool]
	if now.Sub(t.seen) >= mirrorsLife {
		return mcp.Mirror{}, false
	}
	for _, a := range t.arguments {
		if strings.EqualFold(a.Header, mcp.Text(header)) {
			return a, true
		}
	}
	return mcp.Mirror{}, false
}

// params refuses Mcp-Param-* headers that cannot be decoded, and those that are known to repeat an argument and do not say
// what it says; others are for the server to hold against its schema. Without such headers nothing is looked up.
func (h *Handler) params(x *Exchange) bool {
	if x.Call.Era != mcp.Modern {
		return true
	}
	reason := ""
	for name, value := range x.ctx.Request.Header.All() {
		param, ok := bytes.CutPrefix(name, []byte(mcp.ParamPrefix))
		if !ok || reason != "" {
			continue
		}
		if _, good := mcp.DecodeHeader(value); !good {
			reason = "a Mcp-Param header cannot be decoded"
		} else if !h.mirrored(x, param, value) {
			reason = mcp.ParamPrefix + string(param) + " header differs from the arguments"
		}
	}
	if reason == "" {
		return true
	}
	return x.refuse(&Problem{Status: 400, Code: mcp.CodeHeaderMismatch, Rule: "header_mismatch", Reason: reason})
}

// mirrored reports whether a header says what the argument says that it is known to repeat.
func (h *Handler) mirrored(x *Exchange, param, value []byte) bool {
	if x.Call.Method != "tools/call" {
		return true
	}
	argument, known := x.target.server.mirrors.argument(x.Call.Name, param, x.Start)
	return !known || argument.Agrees(value, x.Call.Arguments)
}
