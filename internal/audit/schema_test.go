package audit_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
)

// reference is the generated page, from this folder.
const reference = "../../docs/audit-schema.md"

var update = flag.Bool("update", false, "rewrite docs/audit-schema.md")

func TestSchemaReference(t *testing.T) {
	want := renderReference(t)
	if *update {
		if err := os.WriteFile(reference, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is stale; run go generate ./internal/audit (-want +got):\n%s", reference, diff)
	}
}

func renderReference(t *testing.T) []byte {
	t.Helper()
	comments := fieldComments(t)
	var page bytes.Buffer
	page.WriteString(`# The audit event

<!-- Generated from internal/audit by "go generate ./internal/audit". Do not edit. -->

One row of the audit trail is one exchange, or one phase of a long one. The columns have the same names in PostgreSQL, in SQLite
and in every export, and this order in JSON; in a table those of a later format come last. A column that is not required is NULL
(left out of JSON) when it has nothing to say. The format is the first that has the column, see [Formats](#formats).

| # | Column | Type | Required | Format | Meaning |
|---|---|---|---|---|---|
`)
	for i, c := range audit.Columns() {
		required := ""
		if c.Required {
			required = "yes"
		}
		fmt.Fprintf(&page, "| %d | `%s` | %s | %s | %d | %s |\n", i+1, c.Name, c.Type, required, c.Since, comments[i])
	}
	fmt.Fprintf(&page, `
Texts hold at most %d bytes and JSON documents %d bytes; longer texts are cut, larger documents replaced by their size.
`, audit.MaxText, audit.MaxJSON)
	page.WriteString(`SQLite keeps a uuid and a bytea as a blob, a timestamptz as whole microseconds since 1970 UTC, a bool as 0 or 1, a text[] as a
JSON array, and an inet or a jsonb as text.

` + "`hash`" + ` is the SHA-256 of a zero byte, the hash of the same writer's event before, and the row's binary COPY tuple up
to and without ` + "`hash`" + `. The chain of a writer begins with the SHA-256 of "sark audit chain 1", a zero byte and the 16 bytes of
the writer's id. Numbers of a writer are without holes, except where an event of type ` + "`audit_gap`" + ` says which are missing.
`)
	page.WriteString(strings.ReplaceAll(`
## Formats

A later version of SARK may add columns to the trail. It never removes one, and never changes what one holds. An event keeps the
format in which it was sealed: its hash covers the columns of that format, and the number of the format, which the row has in
~format~ (NULL is 1). Whoever computes a hash anew takes those columns and no others; a value in a column that the row's format
does not have is a change. In the tuple the columns of a format stand in the order of the table above.

## Beside the events

~audit_digests~ holds one signed digest per batch, ~audit_writer_offset~ up to which number each writer's events are stored,
and ~audit_retention~ one signed mark per removal by age: everything that was stored before ~cutoff~ may be gone, by ~rule~. An
event of type ~audit_retention~ says the same, with ~before~, ~events~ and ~chunks~ in its details.

~audit_forwarded~ holds up to which number each receiver (~audit.siem~) of a writer has its events. The view
~audit_events_forwarded~ has ~id~, ~timestamp~, ~writer_id~ and ~seq~ of each event and ~siem_forwarded~: whether all receivers of
its writer have it, NULL without receivers.

~audit_rollups~ counts events by ~hour~, ~server_id~, ~server_name~, ~tool_name~, ~decision~ and ~outcome~ (an empty text for
NULL): ~events~, and the sums of ~duration_us~, ~upstream_us~, ~bytes_in~ and ~bytes_out~. In mode ~timescale~ the continuous
aggregate ~audit_rollups_hourly~ has the same columns. ~audit_rollup_dirty~ lists the hours that are to be counted again.
`, "~", "`"))
	return page.Bytes()
}

// fieldComments returns the comment of each field of Event; a field without one shares its predecessor's.
func fieldComments(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var comments []string
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE || gen.Specs[0].(*ast.TypeSpec).Name.Name != "Event" {
			continue
		}
		for _, f := range gen.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType).Fields.List {
			if f.Doc == nil {
				comments = append(comments, comments[len(comments)-1])
				continue
			}
			text := strings.Join(strings.Fields(f.Doc.Text()), " ")
			comments = append(comments, strings.ReplaceAll(text, "|", `\|`))
		}
	}
	return comments
}
