package configs

import (
	"net/url"
	"strings"
)

// redacted stands in for a secret.
const redacted = "[redacted]"

// worldReadable is the permission bit that lets everyone read a file.
const worldReadable = 0o004

// secretFile reads the value of a secret from the file that raw names, less
// one trailing newline. The path is that of the secret itself.
func (r *reader) secretFile(n *node, raw any, path string, set setter) {
	if raw == nil {
		return
	}
	name, ok := raw.(string)
	if !ok || name == "" {
		r.complain(path, "%s must be the path of a file", n.name+FileSuffix)
		return
	}
	content, err := r.readFile(name)
	if err != nil {
		r.complain(path, "cannot read what %s names: %s", n.name+FileSuffix, err)
		return
	}
	r.warnWorldReadable(path, name)
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" {
		r.complain(path, "the file %s is empty", name)
		return
	}
	set(n, text)
}

// warnWorldReadable warns of a secret file that everyone may read.
func (r *reader) warnWorldReadable(path, name string) {
	if r.stat == nil {
		return
	}
	if info, err := r.stat(name); err == nil && info.Mode().Perm()&worldReadable != 0 {
		r.warn("%s: everyone on this host can read %s; chmod o-r it", path, name)
	}
}

// redact returns what may be shown of a secret value.
func (n *node) redact(text string) string {
	if n.secret == "" || text == "" {
		return text
	}
	u, err := url.Parse(text)
	if n.secret != "url" || err != nil || u.Scheme == "" || u.Opaque != "" {
		return redacted
	}
	query := u.Query()
	for name := range query {
		if secretParameter(name) {
			query.Set(name, redacted)
		}
	}
	if len(query) > 0 {
		u.RawQuery = query.Encode()
	}
	return u.Redacted()
}

// secretParameter tells by its name whether a parameter of an address, or a key
// of a free-form mapping, may hold a secret. It errs on the side of hiding.
func secretParameter(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"pass", "secret", "token", "key", "authorization", "credential"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
