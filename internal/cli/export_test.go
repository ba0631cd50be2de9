package cli

import (
	"context"
	"time"

	"sark/store"
)

// MayCreate is exported to tests because they cannot change the user that runs them.
var MayCreate = mayCreate

// Follower is exported to tests so that they can follow a trail under a clock of their own.
type Follower struct{ f *follower }

// NewFollower follows the trail of the gateway that listens on a unix socket.
func NewFollower(socket string, overlap time.Duration, now func() time.Time) Follower {
	return Follower{newFollower(newSocketClient(socket), store.EventFilter{}, overlap, false, now)}
}

// Start returns the users of the latest events.
func (f Follower) Start(ctx context.Context, lines int) ([]string, error) {
	return usersOf(f.f.start(ctx, lines))
}

// Next returns the users of the events that are new.
func (f Follower) Next(ctx context.Context) ([]string, error) { return usersOf(f.f.next(ctx)) }

// Remembered is how many ids are kept.
func (f Follower) Remembered() int { return len(f.f.seen) }

// Close ends idle connections.
func (f Follower) Close() { f.f.client.close() }

func usersOf(events []event, err error) ([]string, error) {
	var users []string
	for i := range events {
		users = append(users, events[i].User)
	}
	return users, err
}
