package mcp

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// FirstModern is the first revision of the stateless family. Revisions are dates and compare as text.
const FirstModern = "2026-07-28"

// Header holds the values of the MCP request headers, as sent, without surrounding white space; nil when absent. The
// caller has already refused repeated ones.
type Header struct {
	ProtocolVersion []byte // MCP-Protocol-Version
	Method          []byte // Mcp-Method
	Name            []byte // Mcp-Name
}

// ModernVersion reports whether a revision belongs to the stateless family.
func ModernVersion(version string) bool {
	return len(version) == len(FirstModern) && version >= FirstModern && version[4] == '-' && version[7] == '-'
}

// DecodeHeader returns the text of an Mcp-Name or Mcp-Param-* value: plain as it is, or the UTF-8 text in a
// "=?base64?...?=" sentinel (MCP 2026-07-28, "Header encoding"). ok is false for a sentinel that does not decode.
func DecodeHeader(value []byte) (text []byte, ok bool) {
	const prefix, suffix = "=?base64?", "?="
	if !bytes.HasPrefix(value, []byte(prefix)) || !bytes.HasSuffix(value, []byte(suffix)) || len(value) < len(prefix)+len(suffix) {
		return value, true
	}
	enc := value[len(prefix) : len(value)-len(suffix)]
	if bytes.ContainsAny(enc, "\r\n") { // the decoder would skip them
		return nil, false
	}
	text = make([]byte, base64.StdEncoding.DecodedLen(len(enc)))
	n, err := base64.StdEncoding.Strict().Decode(text, enc)
	if err != nil || !utf8.Valid(text[:n]) {
		return nil, false
	}
	return text[:n], true
}

// match compares the headers with the body that was read (MCP 2026-07-28: whoever processes the body must). What is sent
// must agree in both eras; what must be sent depends on the revision that the header names. It returns what is wrong, or "".
func match(c *Call, h Header, version []byte) string {
	modern := ModernVersion(Text(h.ProtocolVersion))
	switch {
	case version != nil && h.ProtocolVersion == nil && ModernVersion(Text(version)):
		return "MCP-Protocol-Version header is missing"
	case version != nil && h.ProtocolVersion != nil && !bytes.Equal(version, h.ProtocolVersion):
		return "MCP-Protocol-Version header differs from _meta"
	case h.Method != nil && string(h.Method) != c.Method:
		return "Mcp-Method header differs from the body"
	case modern && h.Method == nil && c.Kind == Request:
		return "Mcp-Method header is missing"
	}
	return matchName(c, h, modern)
}

func matchName(c *Call, h Header, modern bool) string {
	want, named := mirrored(c)
	if h.Name == nil {
		if modern && named && c.Kind == Request && c.ResourceType != "task" {
			return "Mcp-Name header is missing"
		}
		return ""
	}
	got, ok := DecodeHeader(h.Name)
	if !ok {
		return "Mcp-Name header cannot be decoded"
	}
	if named && string(got) != want {
		return "Mcp-Name header differs from the body"
	}
	return ""
}

// mirrored returns the parameter that Mcp-Name repeats for this method.
func mirrored(c *Call) (string, bool) {
	switch c.Method {
	case "tools/call", "prompts/get", "tasks/get", "tasks/update", "tasks/cancel":
		return c.Name, true
	case "resources/read":
		return c.URI, true
	}
	return "", false
}
