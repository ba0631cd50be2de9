package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"
)

// ErrNotReady says that the database was not reached since Open, so that nobody knows whether its schema is ours: nothing is
// read or written before that.
var ErrNotReady = errors.New("the database was not reached yet")

// The pauses between attempts to reach a database that was down at Open.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// late is the wait for a database that was down at Open. Its goroutine ends with the first success, or with Close.
type late struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// awaitDatabase looks at the database as Open does, again and again until that succeeds.
func (d *DB) awaitDatabase(o Options, why error) {
	d.gate(why)
	ctx, cancel := context.WithCancel(context.Background())
	d.late.cancel = cancel
	o.Log.Error("the database does not answer; audit events wait in the spool until it does", zap.Error(why))
	d.late.done.Go(func() {
		for pause := firstPause; ; pause = min(2*pause, lastPause) {
			timer := time.NewTimer(pause/2 + rand.N(pause/2)) //nolint:gosec // jitter is no secret
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			if d.tryOpen(ctx, o) {
				return
			}
		}
	})
}

// tryOpen reports whether the database is there, and is ours. A panic is one more reason why not.
func (d *DB) tryOpen(ctx context.Context, o Options) (ready bool) {
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("BUG: %v", p)
		}
		if ready = err == nil; !ready {
			if ctx.Err() == nil && !Unreachable(err) {
				o.Log.Error("the database answers and cannot be used", zap.Error(err))
			}
			d.gate(err)
		}
	}()
	if err = d.prepare(ctx, o); err == nil {
		o.Log.Info("the database answers", zap.String("mode", string(d.Mode())))
		d.gate(nil)
	}
	return err == nil
}

// reach reports whether the server answers.
func (d *DB) reach(ctx context.Context) error {
	c, err := d.audit.acquireAny(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return c.Ping(ctx)
}

// gate keeps everybody from the database, or with nil lets them in.
func (d *DB) gate(why error) {
	for _, p := range []*pool{d.api, d.audit} {
		if why == nil {
			p.gate.Store(nil)
			continue
		}
		err := fmt.Errorf("%w: %w", ErrNotReady, why)
		p.gate.Store(&err)
	}
}

// stop ends the wait.
func (l *late) stop() {
	if l.cancel != nil {
		l.cancel()
		l.done.Wait()
	}
}

// SQLSTATE classes and codes of a server that cannot serve now: connection exceptions, too many connections, starting up or
// shutting down.
const (
	classConnection = "08"
	classResources  = "53"
	classOperator   = "57"
)

// Unreachable reports whether an error means that the database may be there later: nobody answers at its address, or it is
// not ready yet. A password, a database or a schema that is wrong will not mend itself.
func Unreachable(err error) bool {
	if code := state(err); code != "" {
		return strings.HasPrefix(code, classConnection) || strings.HasPrefix(code, classResources) || strings.HasPrefix(code, classOperator)
	}
	var refused *pgconn.ConnectError
	return errors.As(err, &refused) || errors.Is(err, context.DeadlineExceeded)
}
