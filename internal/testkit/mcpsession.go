package testkit

import (
	"fmt"
	"net/http"
)

// admit checks the session of a message and answers for itself when it is
// wrong: 400 when missing, 404 with an empty body when unknown or ended.
func (u *MCPUpstream) admit(x *Exchange, m Message) bool {
	if m.Modern {
		data := fmt.Sprintf(`{"supported":["2025-11-25"],"requested":%s}`, quote(m.Version))
		x.JSON(http.StatusBadRequest, m.Refuse(codeUnsupportedVersion, "unsupported protocol version", data))
		return false
	}
	if m.Method == "initialize" {
		return true
	}
	id := x.Request.Header.Value("Mcp-Session-Id")
	if id == "" {
		x.Reply(http.StatusBadRequest, "no session")
		return false
	}
	u.mu.Lock()
	open := u.sessions[id]
	u.mu.Unlock()
	if !open {
		x.Reply(http.StatusNotFound, "")
	}
	return open
}

// newSession returns "session-1", "session-2" and so on.
func (u *MCPUpstream) newSession() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	id := fmt.Sprintf("session-%d", len(u.sessions)+1)
	u.sessions[id] = true
	return id
}

// endSession reports whether the session was open.
func (u *MCPUpstream) endSession(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	open := u.sessions[id]
	if open {
		u.sessions[id] = false
	}
	return open
}
