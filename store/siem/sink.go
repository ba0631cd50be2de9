package siem

import (
	"context"
	"errors"
	"time"
)

// Sink is a receiver.
type Sink interface {
	// Send gives events to the receiver and returns when it has them. It wraps ErrRejected when the receiver refuses what is in
	// them, and a RetryError when it says when to come back. No events ask only whether what was sent has arrived.
	Send(ctx context.Context, events []Event) error
	// Close ends the connection.
	Close() error
}

// ErrRejected says that a receiver refuses what is in a batch, and would again.
var ErrRejected = errors.New("receiver refuses the events")

// RetryError is the error of a receiver that says how long to wait.
type RetryError struct {
	After time.Duration
	Err   error
}

// Error is that of the cause.
func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RetryError) Unwrap() error { return e.Err }
