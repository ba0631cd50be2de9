package app

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"
)

// lifecycle holds the stops of what was started.
type lifecycle struct {
	stops []stop
	log   *zap.Logger
}

type stop struct {
	name string
	run  func(ctx context.Context) error
}

// onStop registers how to stop what was just started.
func (l *lifecycle) onStop(name string, run func(ctx context.Context) error) {
	l.stops = append(l.stops, stop{name, run})
}

// stop runs all stops backwards, each even when another failed, and joins their errors. ctx bounds them all. It does
// nothing the second time.
func (l *lifecycle) stop(ctx context.Context) error {
	var errs []error
	for i := len(l.stops) - 1; i >= 0; i-- {
		s := l.stops[i]
		l.log.Debug("stopping", zap.String("part", s.name))
		if err := s.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	l.stops = nil
	return errors.Join(errs...)
}
