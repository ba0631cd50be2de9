package postgres

import (
	"encoding/json"
	"fmt"
	"time"

	"sark/internal/audit"
)

// texts reads a jsonb array of texts; an empty one is nil.
type texts []string

// Scan implements sql.Scanner.
func (t *texts) Scan(src any) error {
	var list []string
	if err := unmarshal(src, &list); err != nil {
		return err
	}
	*t = nil
	if len(list) > 0 {
		*t = list
	}
	return nil
}

// document reads a jsonb in its canonical form: the database's own has spaces, and an order of keys that is its secret.
type document json.RawMessage

// Scan implements sql.Scanner.
func (d *document) Scan(src any) error {
	var raw json.RawMessage
	if err := unmarshal(src, &raw); err != nil {
		return err
	}
	canonical, err := audit.AppendCanonical(nil, raw)
	if err != nil { // a number beyond float64, for example
		canonical = raw
	}
	*d = canonical
	return nil
}

func unmarshal(src, dst any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), dst)
	case []byte:
		return json.Unmarshal(v, dst)
	}
	return fmt.Errorf("read jsonb: it is a %T", src)
}

// jsonTexts is how lists of texts are kept.
func jsonTexts(lists ...[]string) ([]string, error) {
	out := make([]string, len(lists))
	for i, l := range lists {
		if len(l) == 0 {
			out[i] = "[]"
			continue
		}
		b, err := json.Marshal(l)
		if err != nil {
			return nil, fmt.Errorf("write texts: %w", err)
		}
		out[i] = storableJSON(string(b))
	}
	return out, nil
}

// jsonDocument is how a JSON object that may be missing is kept.
func jsonDocument(doc json.RawMessage) string {
	if len(doc) == 0 {
		return "{}"
	}
	return storableJSON(string(doc))
}

// storableJSON replaces the escape \u0000, which jsonb refuses, by that of U+FFFD, as package audit does in events.
func storableJSON(doc string) string {
	b := []byte(doc)
	for i := 0; i+5 < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if string(b[i+1:i+6]) == "u0000" {
			copy(b[i+2:], "fffd")
		}
		i++ // the escaped character is no escape itself
	}
	return string(b)
}

// optional is how a time that may be missing is kept.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// instant is optional's inverse.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
