package storetest_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store"
	"sark/store/export"
	"sark/store/postgres"
	"sark/store/spool"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// taskVariable names the environment variable that makes this test binary, or that of the next version, perform a task in place
// of the tests.
const taskVariable = "SARK_UPGRADE_TASK"

// task is what a gateway is to do, and with what.
type task struct {
	Do       string // the name of one of tasks
	Dir      string // its data directory
	Database string // a postgres:// URL, or a file
	Export   string // the file of an export
}

// tasks are what a gateway does. They print a line for each thing that they have done or found.
func (t *task) tasks() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"record": t.record, "ship": t.ship, "finish": t.finish, "list": t.list, "query": t.query, "verify": t.verify,
		"export": t.export, "verify export": t.verifyExport,
	}
}

// perform does not return.
func perform(text string) {
	var t task
	err := json.Unmarshal([]byte(text), &t)
	if err == nil {
		err = t.tasks()[t.Do](context.Background())
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (t *task) openSpool() (*spool.Spool, error) {
	return spool.Open(spool.Options{Dir: filepath.Join(t.Dir, "spool"), SegmentBytes: 128 << 10, Log: zap.NewNop()})
}

// sink is a database of either kind.
type sink interface {
	store.Sink
	Events(ctx context.Context, f store.EventFilter) (store.EventPage, error)
	Close() error
}

func (t *task) openSink(ctx context.Context) (sink, error) {
	if strings.HasPrefix(t.Database, "postgres://") {
		return postgres.Open(ctx, postgres.Options{URL: t.Database, Log: zap.NewNop()})
	}
	return sqlite.Open(ctx, sqlite.Options{Path: t.Database, Log: zap.NewNop()})
}

// trail is a view of the trail in a database of either kind.
type trail interface {
	store.Trail
	Close() error
}

func (t *task) openTrail(ctx context.Context) (trail, error) {
	if strings.HasPrefix(t.Database, "postgres://") {
		return postgres.OpenTrail(ctx, t.Database)
	}
	return sqlite.OpenTrail(ctx, t.Database)
}

// key signs the digests of every gateway of the test, so that one public key verifies all.
func (t *task) key() (*store.DigestKey, error) {
	return store.OpenDigestKey(filepath.Join(t.Dir, "..", "digest.key"))
}

// announced is an event of a call that was announced before.
func (t *task) announced(s *spool.Spool, n int) error {
	e := storetest.Event(n)
	setHindsight(&e)
	ticket, err := s.Reserve(&e)
	if err != nil {
		return err
	}
	fmt.Println("intent", e.ExchangeID)
	ticket.Record(&e)
	fmt.Println("event", e.ExchangeID)
	return nil
}

// recordFrom records until it is killed.
func (t *task) recordFrom(s *spool.Spool, n int) error {
	for ; ; n++ {
		if err := t.announced(s, n); err != nil {
			return err
		}
	}
}

// record fills the spool until it is killed. Nothing is shipped.
func (t *task) record(context.Context) error {
	s, err := t.openSpool()
	if err != nil {
		return err
	}
	return t.recordFrom(s, 0)
}

func (t *task) shipper(ctx context.Context, s *spool.Spool) (*store.Shipper, sink, error) {
	db, err := t.openSink(ctx)
	if err != nil {
		return nil, nil, err
	}
	key, err := t.key()
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: s, Sink: db, Key: key, Batch: 1000, Interval: 5 * time.Millisecond, DeadDir: filepath.Join(t.Dir, "dead"),
		Log: zap.NewNop(),
	})
	return shipper, db, err
}

// ship records some events, so that what waits is of two versions after an upgrade, ships all that as one batch, and then records
// and ships until it is killed.
func (t *task) ship(ctx context.Context) error {
	s, err := t.openSpool()
	if err != nil {
		return err
	}
	shipper, _, err := t.shipper(ctx, s)
	if err != nil {
		return err
	}
	const before = 20
	for n := range before {
		if err := t.announced(s, n); err != nil {
			return err
		}
	}
	if err := s.Sync(); err != nil { // only what is on the disk is shipped
		return err
	}
	failed := make(chan error, 2) // both may fail
	go func() { failed <- shipper.Run(ctx) }()
	go func() { failed <- t.recordFrom(s, before) }()
	return <-failed
}

// finish ships what waits and ends in order.
func (t *task) finish(ctx context.Context) error {
	s, err := t.openSpool()
	if err != nil {
		return err
	}
	shipper, db, err := t.shipper(ctx, s)
	if err != nil {
		return err
	}
	if err := shipper.Flush(ctx); err != nil {
		return err
	}
	fmt.Println("writer", s.Writer(), s.Last())
	return errors.Join(s.Close(ctx), db.Close())
}

// query prints how many events the newest page has, and which formats.
func (t *task) query(ctx context.Context) error {
	db, err := t.openSink(ctx)
	if err != nil {
		return err
	}
	page, err := db.Events(ctx, store.EventFilter{Limit: store.MaxLimit})
	formats := make(map[int32]bool)
	for _, e := range page.Items {
		formats[e.Format] = true
	}
	fmt.Println("queried", len(page.Items), slices.Sorted(maps.Keys(formats)))
	return errors.Join(err, db.Close())
}

// list prints every event of the trail.
func (t *task) list(ctx context.Context) error {
	trail, err := t.openTrail(ctx)
	if err != nil {
		return err
	}
	defer trail.Close() //nolint:errcheck // opened for reading
	writers, err := trail.Writers(ctx)
	if err != nil {
		return err
	}
	for _, w := range writers {
		for row, err := range trail.Events(ctx, store.Span{Writer: w.Writer, First: math.MinInt64, Last: math.MaxInt64}) {
			if err != nil {
				return err
			}
			e, err := audit.DecodeTuple(row.Tuple)
			if err != nil {
				return err
			}
			text, err := json.Marshal(listed{w.Writer.String(), e.Seq, e.Format, e.ExchangeID.String(), string(e.Outcome), e.EventType, hindsight(&e)})
			if err != nil {
				return err
			}
			fmt.Println("row", string(text))
		}
	}
	return nil
}

// listed is what list says of an event.
type listed struct {
	Writer    string
	Seq       int64
	Format    int32
	Exchange  string
	Outcome   string
	Type      string
	Hindsight string
}

// verify prints what is wrong with the trail.
func (t *task) verify(ctx context.Context) error {
	trail, err := t.openTrail(ctx)
	if err != nil {
		return err
	}
	defer trail.Close() //nolint:errcheck // opened for reading
	return t.verifyTrail(ctx, trail)
}

func (t *task) verifyTrail(ctx context.Context, trail store.Trail) error {
	key, err := t.key()
	if err != nil {
		return err
	}
	result, err := store.Verify(ctx, trail, store.VerifyOptions{
		Keys: []ed25519.PublicKey{key.Public()},
		Found: func(f store.Finding) {
			if f.Kind != store.FindingGap { // a kill may cut a record that nobody was told of
				fmt.Println("found", f.Kind, f.First, f.Last, f.Detail)
			}
		},
	})
	fmt.Println("verified", result.Events, result.Writers)
	return err
}

// export writes the trail to a file.
func (t *task) export(ctx context.Context) error {
	trail, err := t.openTrail(ctx)
	if err != nil {
		return err
	}
	defer trail.Close() //nolint:errcheck // opened for reading
	key, err := t.key()
	if err != nil {
		return err
	}
	m, err := export.Write(ctx, trail, export.Options{Path: t.Export, Format: export.NDJSON, Key: key, Force: true})
	if err == nil {
		fmt.Println("exported", m.Rows)
	}
	return err
}

// verifyExport prints what is wrong with an export.
func (t *task) verifyExport(ctx context.Context) error {
	key, err := t.key()
	if err != nil {
		return err
	}
	m, err := export.ReadManifest(t.Export, []ed25519.PublicKey{key.Public()})
	if err != nil {
		return err
	}
	if err := m.CheckFiles(t.Export); err != nil {
		return err
	}
	return t.verifyTrail(ctx, export.OpenTrail(t.Export, m))
}
