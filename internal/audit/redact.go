package audit

import (
	"bytes"
	"strings"
)

// redactedJSON stands where a secret stood.
const redactedJSON = `"[redacted]"`

// Redactor writes the arguments of a call for the audit trail with secrets taken out. It is the one place where SARK
// decides what may be recorded of arguments; it errs on the side of redacting.
type Redactor struct {
	keys []string
}

// NewRedactor returns a Redactor that takes out the values of members whose key contains, in any case and however
// separated, one of the built-in words (password, secret, token, api key, authorization, cookie, private key, credential,
// and the like) or one of the further words given.
func NewRedactor(words ...string) *Redactor {
	r := &Redactor{keys: []string{
		"password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "cookie", "privatekey",
		"credential", "accesskey", "signature", "bearer", "pincode", "cvv", "ssn", "cardnumber",
	}}
	for _, w := range words {
		if w = fold([]byte(w)); w != "" {
			r.keys = append(r.keys, w)
		}
	}
	return r
}

// Append appends the canonical form of the JSON value src with secrets replaced by "[redacted]": members by their key, and
// texts that look like a credential (bearer and basic credentials, JSON Web Tokens, keys of SARK and of well-known services,
// PEM blocks) wherever they stand. Errors are those of AppendCanonical.
func (r *Redactor) Append(dst, src []byte) ([]byte, error) { return canonicalise(dst, src, r) }

func (r *Redactor) secretKey(key []byte) bool {
	k := fold(key)
	for _, w := range r.keys {
		if strings.Contains(k, w) {
			return true
		}
	}
	return false
}

func (r *Redactor) secretValue(text []byte) bool {
	for _, prefix := range []string{
		"Bearer ", "bearer ", "Basic ", "basic ", "sark_", "sk-", "ghp_", "gho_", "github_pat_", "glpat-", "xox", "AKIA", "ASIA",
	} {
		if bytes.HasPrefix(text, []byte(prefix)) {
			return true
		}
	}
	return bytes.Contains(text, []byte("-----BEGIN ")) ||
		bytes.HasPrefix(text, []byte("eyJ")) && bytes.Count(text, []byte(".")) >= 2
}

// fold keeps the letters and digits of a key, in lower case, so that "API-Key", "api_key" and "apiKey" are the same word.
func fold(key []byte) string {
	folded := make([]byte, 0, len(key))
	for _, b := range key {
		switch {
		case b >= 'A' && b <= 'Z':
			folded = append(folded, b+'a'-'A')
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9', b >= 0x80:
			folded = append(folded, b)
		}
	}
	return string(folded)
}
