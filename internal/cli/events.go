package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// eventTime is RFC 3339 with milliseconds, in which events of one second stay apart.
const eventTime = "2006-01-02T15:04:05.000Z07:00"

// event is an event of the audit trail as the API and exports give it, and what of it is read here.
type event struct {
	raw json.RawMessage

	ID       string    `json:"id"`
	Time     time.Time `json:"timestamp"`
	Phase    string    `json:"phase"`
	Decision string    `json:"decision"`
	Outcome  string    `json:"outcome"`
	User     string    `json:"user_id"`
	Action   string    `json:"action_operation"`
	Method   string    `json:"method"`
	Verb     string    `json:"http_method"`
	Path     string    `json:"path"`
	Server   string    `json:"server_name"`
	Tool     string    `json:"tool_name"`
	Resource string    `json:"resource"`
	Reason   string    `json:"reason"`
	Error    string    `json:"error_message"`
}

// UnmarshalJSON keeps the whole event beside the members that are read.
func (e *event) UnmarshalJSON(text []byte) error {
	type members event
	if err := json.Unmarshal(text, (*members)(e)); err != nil {
		return err
	}
	e.raw = bytes.Clone(text)
	return nil
}

// eventPrinter writes events, for people or for programs.
type eventPrinter struct {
	out     io.Writer
	asJSON  bool
	headed  bool // the header was written
	printed int  // events
	table   *table
}

func newEventPrinter(out io.Writer, asJSON bool) *eventPrinter {
	return &eventPrinter{out: out, asJSON: asJSON, table: &table{out: out, widths: []int{24, 8, 12, 14, 20}}}
}

// print writes events in their order, and before the first of them the header of a table, as wide as they are.
func (p *eventPrinter) print(events []event) error {
	p.printed += len(events)
	if !p.asJSON {
		var rows [][]string
		if !p.headed {
			p.headed = true
			rows = append(rows, []string{"TIME", "DECISION", "USER", "ACTION", "SERVER/TOOL", "REASON"})
		}
		for i := range events {
			rows = append(rows, events[i].row())
		}
		return p.table.write(rows...)
	}
	var lines bytes.Buffer
	for i := range events {
		if err := json.Compact(&lines, events[i].raw); err != nil {
			return fmt.Errorf("print event %s: %w", events[i].ID, err)
		}
		lines.WriteByte('\n')
	}
	_, err := p.out.Write(lines.Bytes())
	return err
}

func (e *event) row() []string {
	action, target := cmp.Or(e.Action, e.Method), e.target()
	if action == "" && target == "" { // refused before it was known what is asked for
		action, target = e.Verb, e.Path
	}
	return []string{e.Time.Local().Format(eventTime), e.verdict(), e.User, action, target, cmp.Or(e.Reason, e.Error)}
}

// verdict is the decision, and the outcome where it is not the one that goes with the decision.
func (e *event) verdict() string {
	outcome := e.Outcome
	if e.Phase == "open" {
		outcome = "open"
	}
	switch {
	case e.Decision == "":
		return outcome
	case outcome == "", e.Decision == "allow" && outcome == "allowed", e.Decision == "deny" && outcome == "denied":
		return e.Decision
	}
	return e.Decision + "/" + outcome
}

// target is what the exchange was about.
func (e *event) target() string {
	object := cmp.Or(e.Tool, e.Resource)
	if e.Server == "" || object == "" {
		return e.Server + object
	}
	return e.Server + "/" + object
}
