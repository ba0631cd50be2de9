package api

import (
	"bytes"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sark/internal/audit"
	"sark/store"
)

// difference is one field of a server that a write changed. From and To are set for the fields by which policies decide and
// the gateway routes; what else changes may hold anything, and the trail keeps its name alone.
type difference struct {
	Field    string
	From, To any
}

// differences lists the fields in which two states of a server differ.
func differences(a, b *store.Server) []difference {
	var list []difference
	valued := func(field string, from, to any) {
		if !reflect.DeepEqual(from, to) {
			list = append(list, difference{field, from, to})
		}
	}
	named := func(field string, same bool) {
		if !same {
			list = append(list, difference{Field: field})
		}
	}
	valued("name", a.Name, b.Name)
	valued("transport", a.Transport, b.Transport)
	valued("status", a.Status, b.Status)
	valued("sensitivity_level", a.SensitivityLevel, b.SensitivityLevel)
	valued("owner_id", a.OwnerID, b.OwnerID)
	valued("team_id", a.TeamID, b.TeamID)
	valued("teams", words(a.Teams), words(b.Teams))
	named("description", a.Description == b.Description)
	named("endpoint", a.Endpoint == b.Endpoint)
	named("command", a.Command == b.Command)
	named("version", a.Version == b.Version)
	named("capabilities", reflect.DeepEqual(words(a.Capabilities), words(b.Capabilities)))
	named("tags", reflect.DeepEqual(words(a.Tags), words(b.Tags)))
	named("metadata", sameJSON(document(a.Metadata), document(b.Metadata)))
	return append(list, toolDifferences(a.Tools, b.Tools)...)
}

// words makes an empty list and none the same.
func words(s []string) []string { return append([]string{}, s...) }

// toolDifferences tells of each tool that came or went, or whose level or need of approval changed, and names others that
// changed.
func toolDifferences(a, b []store.Tool) []difference {
	type rights struct {
		Level    string `json:"sensitivity_level"`
		Approval bool   `json:"requires_approval"`
	}
	old := map[string]*store.Tool{}
	for i := range a {
		old[a[i].Name] = &a[i]
	}
	var list []difference
	for i := range b {
		was, now := old[b[i].Name], &b[i]
		delete(old, now.Name)
		to := rights{now.SensitivityLevel, now.RequiresApproval}
		switch {
		case was == nil:
			list = append(list, difference{"tools." + now.Name, nil, to})
		case to != rights{was.SensitivityLevel, was.RequiresApproval}:
			list = append(list, difference{"tools." + now.Name, rights{was.SensitivityLevel, was.RequiresApproval}, to})
		case !sameTool(was, now):
			list = append(list, difference{Field: "tools." + now.Name})
		}
	}
	for i := range a {
		if t := &a[i]; old[t.Name] != nil {
			list = append(list, difference{"tools." + t.Name, rights{t.SensitivityLevel, t.RequiresApproval}, nil})
		}
	}
	return list
}

// sameTool reports whether two tools of one name differ in nothing but their place.
func sameTool(a, b *store.Tool) bool {
	return a.Description == b.Description && sameJSON(document(a.Parameters), document(b.Parameters)) &&
		a.SuggestedLevel == b.SuggestedLevel && reflect.DeepEqual(words(a.SuggestedBy), words(b.SuggestedBy))
}

// sameJSON compares documents in their canonical form (RFC 8785): databases keep spaces and the order of keys as they like.
func sameJSON(a, b []byte) bool {
	canonical := func(doc []byte) jsontext.Value {
		v := jsontext.Value(bytes.Clone(doc))
		_ = v.Canonicalize() // one that has no canonical form is compared as it is
		return v
	}
	return bytes.Equal(a, b) || bytes.Equal(canonical(a), canonical(b))
}

// maxDetails bounds how many changed fields an audit event tells of.
const maxDetails = 64

// detailsOf is what the audit event of a change tells: the fields that changed, values of some, and the new revision.
func detailsOf(changed []difference, revision int64) []byte {
	details := struct {
		Changed  []string       `json:"changed"`
		More     int            `json:"more,omitzero"`
		From     map[string]any `json:"from,omitempty"`
		To       map[string]any `json:"to,omitempty"`
		Revision int64          `json:"revision"`
	}{From: map[string]any{}, To: map[string]any{}, Revision: revision}
	if len(changed) > maxDetails {
		details.More, changed = len(changed)-maxDetails, changed[:maxDetails]
	}
	for _, d := range changed {
		details.Changed = append(details.Changed, d.Field)
		if d.From != nil {
			details.From[d.Field] = d.From
		}
		if d.To != nil {
			details.To[d.Field] = d.To
		}
	}
	return told(details)
}

// told renders what an audit event tells. It is canonical, because the trail's chain hashes the form that every database gives
// back.
func told(v any) []byte {
	text, err := audit.AppendCanonical(nil, encoded(v))
	if err != nil {
		panic("BUG: audit details have no canonical form: " + err.Error())
	}
	return text
}

// encoded renders a value that can always be encoded.
func encoded(v any) []byte {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic("BUG: a value cannot be encoded: " + err.Error())
	}
	return text
}
