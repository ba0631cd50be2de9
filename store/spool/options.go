package spool

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sark/internal/audit"
)

// ErrFull says that the spool has no room for another exchange: nothing may be forwarded.
var ErrFull = errors.New("spool is full")

// ErrClosed says that the spool was closed.
var ErrClosed = errors.New("spool is closed")

// Mode says when an event counts as recorded.
type Mode uint8

// The modes.
const (
	// Auto is Durable for events that Durably names and Written for all others.
	Auto Mode = iota
	// Written events survive kill -9; a power cut may take those of the last 50 ms.
	Written
	// Durable events survive a power cut: they are synced before Record returns.
	Durable
)

// OnFull says what a full spool does with events of severity low.
type OnFull uint8

// The ways of being full.
const (
	// Deny refuses every reservation when the spool is full.
	Deny OnFull = iota
	// ShedLow drops events of severity low from seven eighths of the room on, and says so by a gap event and a counter; the
	// last eighth is kept for the other events, and when it is used up, reservations are refused.
	ShedLow
)

// Defaults of Options.
const (
	DefaultSegmentBytes = 64 << 20
	DefaultMaxBytes     = 1 << 30
	// DefaultRefusalsPerMinute is for each address and rule.
	DefaultRefusalsPerMinute = 600
)

// syncEvery is how long an event that was only written may stay unsynced.
const syncEvery = 50 * time.Millisecond

// Options say where a spool lives and what it promises.
type Options struct {
	// Dir is the folder, made with mode 0700 when missing. One process at a time uses it.
	Dir string
	// SegmentBytes is the size at which a new segment begins; 0 is a sixteenth of MaxBytes, but 64 MiB at the most. Only whole
	// segments are given back: one that may be as large as all of the room would fill it with events that are long delivered.
	SegmentBytes int64
	// MaxBytes bounds everything that waits for the sink, reservations included; 0 is 1 GiB. A sixteenth of it is kept for
	// the events of calls that are refused. An event that is larger than what was reserved for it may pass the bound.
	MaxBytes int64
	// MaxAge is for how long an event may wait for the sink before new calls are refused; 0 is for ever. What an earlier
	// process has left counts from the first start since which the sink was not reached.
	MaxAge time.Duration
	// MinFree is how many bytes of the disk stay free: with less, new calls are refused; 0 is none. It is looked at once a
	// second.
	MinFree int64
	// RefusalsPerMinute is how many events the refused calls of one address may leave for each rule, see Refused; 0 is
	// DefaultRefusalsPerMinute, negative is no bound.
	RefusalsPerMinute int
	// Durability says when an event counts as recorded.
	Durability Mode
	// OnFull says what happens at MaxBytes, MaxAge and MinFree.
	OnFull OnFull
	// Log is required.
	Log *zap.Logger
	// Metrics registers the metrics sark_store_spool_*; nil registers nothing.
	Metrics prometheus.Registerer
	// Now is the clock for gap events; nil is time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" || o.Log == nil {
		return o, errors.New("options Dir and Log are required")
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = min(DefaultSegmentBytes, o.MaxBytes/slackParts)
	}
	if o.SegmentBytes < 0 || o.MaxBytes < 2*outcomeRoom {
		return o, fmt.Errorf("option SegmentBytes %d or MaxBytes %d is too small", o.SegmentBytes, o.MaxBytes)
	}
	if o.MaxAge < 0 || o.MinFree < 0 {
		return o, fmt.Errorf("option MaxAge %v or MinFree %d is negative", o.MaxAge, o.MinFree)
	}
	if o.RefusalsPerMinute == 0 {
		o.RefusalsPerMinute = DefaultRefusalsPerMinute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

// durable reports whether an event, or an intent, must be synced before its append returns.
func (m Mode) durable(e *audit.Event, intent bool) bool {
	return m == Durable || m == Auto && Durably(e, intent)
}

// Durably is the rule of mode Auto: intents of sensitivity high or critical; outcomes that were denied, in error or unknown;
// and every change of registry, policies, keys and caches. Losing any of those in a power cut would hide an attack or a
// change of the rules; losing the outcome of an allowed call leaves its intent or its upstream's own log.
func Durably(e *audit.Event, intent bool) bool {
	switch e.Action {
	case "server:register", "server:update", "server:delete", "policy:update", "cache:invalidate", "apikey:manage":
		return true
	}
	if intent {
		return e.Sensitivity == string(audit.SeverityHigh) || e.Sensitivity == string(audit.SeverityCritical)
	}
	switch e.Outcome {
	case audit.OutcomeDenied, audit.OutcomeError, audit.OutcomeUnknown:
		return true
	case audit.OutcomeAllowed, audit.OutcomeClientGone, audit.OutcomeUpstreamFailed:
	}
	return false
}
