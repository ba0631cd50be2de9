package cachemw

import (
	"slices"
	"strings"
)

// NotModified reports whether a GET under these conditions is answered with 304 from a response with these fields (RFC 9110
// sections 13.1.2 and 13.1.3): an If-None-Match names its ETag, or without one it was not modified since.
func NotModified(ifNoneMatch, ifModifiedSince string, stored Fields) bool {
	if ifNoneMatch != "" {
		return matches(ifNoneMatch, stored("ETag"))
	}
	if ifModifiedSince == "" {
		return false
	}
	since, ok := parseDate(ifModifiedSince)
	if !ok {
		return false
	}
	modified, ok := parseDate(stored("Last-Modified"))
	if !ok {
		if modified, ok = parseDate(stored("Date")); !ok {
			return false
		}
	}
	return !modified.After(since)
}

// matches compares weakly (RFC 9110 section 8.8.3.2).
func matches(list, etag string) bool {
	if strings.TrimSpace(list) == "*" {
		return true
	}
	etag = strings.TrimPrefix(etag, "W/")
	for list != "" {
		var item string
		item, list = cutItem(list)
		if etag != "" && strings.TrimPrefix(strings.TrimSpace(item), "W/") == etag {
			return true
		}
	}
	return false
}

// Refreshed returns the entry with what a 304 says of it (RFC 9111 section 4.3.4): its fields take the place of the stored
// ones of these names. Its lifetime is the caller's to plan anew. The receiver stays as it is.
func (e Entry) Refreshed(fields []HeaderField) Entry {
	old := e.Header
	e.Header = make([]HeaderField, 0, len(old)+len(fields))
	for _, h := range old {
		if !slices.ContainsFunc(fields, func(f HeaderField) bool { return strings.EqualFold(f.Name, h.Name) }) {
			e.Header = append(e.Header, h)
		}
	}
	e.Header = append(e.Header, fields...)
	return e
}

// StoredField reports whether a response field is stored with the body. Those are not that end at a hop, frame the message,
// are a caller's own, or are said anew for each reply.
func StoredField(name string) bool {
	switch name = strings.ToLower(name); name {
	case "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authentication-info", "te", "trailer",
		"transfer-encoding", "upgrade", "content-length", "content-type", "set-cookie", "age", "server":
		return false
	}
	return !strings.HasPrefix(name, "x-sark-") && !strings.HasPrefix(name, "x-cache")
}

// Bounded reports whether the header fields of an entry are few and short enough to be stored.
func Bounded(fields []HeaderField) bool {
	size := 0
	for _, f := range fields {
		size += len(f.Name) + len(f.Value)
	}
	return len(fields) <= maxHeaderFields && size <= maxHeaderBytes
}

// A marker stands where a response was stored that varies: it names the fields that select it, and the response is under the
// key that knows what the request says in them (see KeyParts.Selected).
const markerType = "application/vnd.sark.vary"

// Marker returns the marker of an entry that varies on these names.
func Marker(e Entry, vary []string) Entry {
	e.ContentType, e.Body, e.Header = markerType, []byte(strings.Join(vary, ",")), nil
	return e
}

// Marks returns the names on a marker, nil for any other entry.
func (e Entry) Marks() []string {
	if e.ContentType != markerType {
		return nil
	}
	return strings.Split(string(e.Body), ",")
}

// AppendSelected appends what a request says in the fields that an answer varies on, as KeyParts.Selected takes it. White
// space around values does not count (RFC 9111 section 4.1).
func AppendSelected(dst []byte, vary []string, request Fields) []byte {
	for _, name := range vary {
		dst = appendPart(appendPart(dst, name), strings.TrimSpace(request(name)))
	}
	return dst
}
