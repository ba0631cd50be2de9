package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

// maxFindings is how many findings are shown to people; programs get all.
const maxFindings = 100

// verifyPrinter writes what audit verify finds, for people or for programs.
type verifyPrinter struct {
	program  *program
	asJSON   bool
	anchored bool // there is something against which a cut tail would be found
	table    *table
	printed  int
	failure  error // the first of writing
}

// findingLine is a finding as a program reads it.
type findingLine struct {
	Type   string            `json:"type"` // "finding"
	Kind   store.FindingKind `json:"kind"`
	Writer uuid.UUID         `json:"writer_id"`
	First  int64             `json:"first_seq"`
	Last   int64             `json:"last_seq"`
	Detail string            `json:"detail"`
}

// summaryLine is the outcome as a program reads it.
type summaryLine struct {
	Type     string     `json:"type"` // "summary"
	Events   int64      `json:"events"`
	Writers  int        `json:"writers"`
	Digests  int64      `json:"digests"`
	Findings int64      `json:"findings"`
	Gaps     int64      `json:"gaps"`
	Until    *time.Time `json:"until,omitempty"`
	Heads    []string   `json:"heads"`
}

// finding implements store.VerifyOptions.Found.
func (o *verifyPrinter) finding(f store.Finding) {
	if o.failure != nil {
		return
	}
	if o.asJSON {
		o.failure = json.NewEncoder(o.program.stdout).Encode(findingLine{"finding", f.Kind, f.Writer, f.First, f.Last, f.Detail})
		return
	}
	if o.table == nil {
		o.table = &table{out: o.program.stdout, widths: []int{9, 9, 36}}
		o.failure = o.table.write([]string{"FINDING", "EVENTS", "WRITER", "WHAT IS WRONG"})
	}
	if o.printed++; o.printed > maxFindings || o.failure != nil {
		return
	}
	events := fmt.Sprint(f.First)
	if f.Last != f.First {
		events += fmt.Sprintf("-%d", f.Last)
	}
	o.failure = o.table.write([]string{string(f.Kind), events, f.Writer.String(), f.Detail})
}

// summary says what was verified and how it stands.
func (o *verifyPrinter) summary(v *store.Verification) error {
	if o.failure != nil {
		return o.failure
	}
	if !o.anchored {
		o.program.say("an end that was cut off together with its signatures is found only with --head or --digest-file")
	}
	if o.asJSON {
		return o.summaryJSON(v)
	}
	if more := o.printed - maxFindings; more > 0 {
		o.program.say("%d more are not shown; --output json prints all", more)
	}
	verdict := "all as they were recorded"
	if v.Findings > 0 {
		verdict = plural(v.Findings, "finding", "findings")
	}
	if v.Gaps > 0 {
		verdict += fmt.Sprintf(", %s that the gateway recorded itself", plural(v.Gaps, "gap", "gaps"))
	}
	_, err := fmt.Fprintf(o.program.stdout, "%s of %s in %s%s: %s\n", plural(v.Events, "event", "events"),
		plural(int64(v.Writers), "writer", "writers"), plural(v.Digests, "signed batch", "signed batches"), until(v), verdict)
	for _, h := range v.Heads {
		if err == nil {
			_, err = fmt.Fprintf(o.program.stdout, "head %s\n", h.Head)
		}
	}
	return err
}

func (o *verifyPrinter) summaryJSON(v *store.Verification) error {
	s := summaryLine{
		Type: "summary", Events: v.Events, Writers: v.Writers, Digests: v.Digests, Findings: v.Findings, Gaps: v.Gaps, Heads: []string{},
	}
	if at := v.Until(); !at.IsZero() {
		s.Until = &at
	}
	for _, h := range v.Heads {
		s.Heads = append(s.Heads, h.String())
	}
	return json.NewEncoder(o.program.stdout).Encode(s)
}

func until(v *store.Verification) string {
	if at := v.Until(); !at.IsZero() {
		return ", stored until " + at.Local().Format(eventTime)
	}
	return ""
}

// plural writes a number of things.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// progressPause is how often progress is shown.
const progressPause = 200 * time.Millisecond

// progress shows on a terminal how far a long run is; nil where nobody watches. The next line is written over it.
func (p *program) progress(verb string) func(done, total int64) {
	f, ok := p.stderr.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	var shown time.Time
	return func(done, total int64) {
		switch now := p.now(); {
		case done >= total && !shown.IsZero():
			_, _ = fmt.Fprint(p.stderr, "\x1b[K")
		case done < total && now.Sub(shown) >= progressPause:
			_, _ = fmt.Fprintf(p.stderr, "\x1b[K%s %d of %d events\r", verb, done, total)
			shown = now
		}
	}
}
