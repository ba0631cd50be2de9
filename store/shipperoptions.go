package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sark/internal/audit"
)

// Defaults of ShipperOptions, measured: with 1,000 events a batch the processor time of one is a third more, larger ones win
// nothing.
const (
	DefaultBatch    = 5000
	DefaultInterval = 250 * time.Millisecond
	DefaultPause    = 30 * time.Second
)

// DefaultPatience lets a failover or a restart of the database pass, and is less than a container is given to end.
const DefaultPatience = 3 * time.Second

// ShipperOptions say what is shipped where.
type ShipperOptions struct {
	// Source and Sink are required.
	Source Source
	Sink   Sink
	// Batch is how many events are stored at once, 1 to 5000; 0 is DefaultBatch.
	Batch int
	// Interval is how long an event waits for others before it is stored; 0 is DefaultInterval.
	Interval time.Duration
	// LongestPause is that between two attempts while the sink is away: they begin 100 ms apart, and each pause is twice as long
	// as the one before, less up to half of it at random; 0 is DefaultPause. From 100 ms on.
	LongestPause time.Duration
	// DeadDir is the folder into which events go that the sink can never take, one JSON file each; required.
	DeadDir string
	// Key signs a digest of each batch, which the sink, a DigestSink then, stores with it; nil signs none.
	Key *DigestKey
	// DigestFile is where the shipper keeps a copy of the digests; nil keeps none. It needs Key.
	DigestFile *DigestFile
	// Patience is how long Flush tries again without a success; 0 is DefaultPatience.
	Patience time.Duration
	// Log is required.
	Log *zap.Logger
	// Metrics registers the metrics sark_store_shipper_*; nil registers nothing.
	Metrics prometheus.Registerer
}

func (o ShipperOptions) withDefaults() (ShipperOptions, error) {
	if o.Source == nil || o.Sink == nil || o.DeadDir == "" || o.Log == nil {
		return o, errors.New("options Source, Sink, DeadDir and Log are required")
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.LongestPause == 0 {
		o.LongestPause = DefaultPause
	}
	if o.LongestPause < firstPause {
		return o, fmt.Errorf("option LongestPause %v is out of range", o.LongestPause)
	}
	if o.Batch < 1 || o.Batch > 5000 || o.Interval < 0 || o.Patience < 0 {
		return o, fmt.Errorf("option Batch %d, Interval %v or Patience %v is out of range", o.Batch, o.Interval, o.Patience)
	}
	return o, nil
}

// digester returns the one who signs, nil when there is no key.
func (o ShipperOptions) digester() (*digester, error) {
	if o.Key == nil {
		return nil, nil //nolint:nilnil // nobody signs
	}
	sink, ok := o.Sink.(DigestSink)
	if !ok {
		return nil, fmt.Errorf("the sink, a %T, keeps no digests", o.Sink)
	}
	return &digester{key: o.Key, sink: sink, file: o.DigestFile, writer: o.Source.Writer(), tree: audit.NewTree()}, nil
}
