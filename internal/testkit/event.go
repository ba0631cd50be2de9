package testkit

import (
	"bufio"
	"strings"
	"time"
)

// Event is one server-sent event as the WHATWG HTML standard §9.2 parses it,
// or a block of comments alone.
type Event struct {
	Name    string // of the last event line
	Data    string // of all data lines, joined by line feeds
	ID      string
	Retry   string   // as written, normally milliseconds
	Comment []string // comment lines without the colon

	// HasData tells an event with an empty data line from one without any.
	HasData bool

	// At is when the blank line that ends the event was read.
	At time.Time
}

// eventReader cuts a body into events.
type eventReader struct {
	r *bufio.Reader
}

// ReadEvent waits for the next event of a stream. At the end of the body ok is
// false and Err says how it ended: nil only when the body was whole and its
// last event too. It fails the test when nothing comes within Patience. Do not
// mix it with the other ways to read the body.
func (r *Reply) ReadEvent() (e Event, ok bool) {
	r.client.t.Helper()
	r.client.wait()
	if r.events == nil {
		r.events = &eventReader{r: bufio.NewReader(r.body)}
	}
	e, err := r.events.next()
	if timedOut(err) {
		r.client.t.Fatalf("no event came within %s", Patience)
	}
	r.Err = bodyEnd(err)
	return e, err == nil
}

// ReadData waits for the next event that carries data and returns the data,
// passing over comments and priming events. It fails the test at the end of
// the stream.
func (r *Reply) ReadData() string {
	r.client.t.Helper()
	for {
		e, ok := r.ReadEvent()
		if !ok {
			r.client.t.Fatalf("the stream ended before an event with data: %v", r.Err)
		}
		if e.Data != "" {
			return e.Data
		}
	}
}

// next reads lines up to a blank one. Blank lines before the first field are
// passed over.
func (r *eventReader) next() (Event, error) {
	var e Event
	var data []string
	empty := true
	for {
		line, err := readLine(r.r)
		if err != nil {
			return Event{}, cutEvent(err, empty)
		}
		if line == "" && empty {
			continue
		}
		if line == "" {
			e.Data, e.HasData, e.At = strings.Join(data, "\n"), data != nil, time.Now()
			return e, nil
		}
		empty = false
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "":
			e.Comment = append(e.Comment, value)
		case "event":
			e.Name = value
		case "data":
			data = append(data, value)
		case "id":
			e.ID = value
		case "retry":
			e.Retry = value
		}
	}
}

// cutEvent tells the end of the body between two events, io.EOF, from one
// within an event.
func cutEvent(err error, between bool) error {
	if between {
		return err
	}
	return noEOF(err)
}

// ParseEvents cuts a body that was read whole into its events. What follows
// the last blank line is dropped, as the standard says.
func ParseEvents(body string) []Event {
	r := &eventReader{r: bufio.NewReader(strings.NewReader(body))}
	var events []Event
	for {
		e, err := r.next()
		if err != nil {
			return events
		}
		events = append(events, e)
	}
}
