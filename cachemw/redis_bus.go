package cachemw

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// heartbeat is how long a subscription may be silent before it is asked for a sign of life, and how long that may take.
const heartbeat = time.Second

// signOfLife is what a subscription is asked to say, and what nothing on it says by itself. When a wait ends in the middle
// of a message, the client drops what it has read of it and takes the rest for further messages, of which any text counts
// as an answer to a ping: without a word of our own an invalidation would be lost, and nobody would know.
const signOfLife = "sark: are you there?"

// Why a subscription counts as broken although the client goes on with it.
var (
	errSilent       = errors.New("no answer to a ping")
	errResubscribed = errors.New("the connection was replaced")
	errTorn         = errors.New("a message came in parts")
)

// Publish implements Bus. It is tried even when the breaker is open, for as long as RedisOptions.Timeout.
func (r *Redis) Publish(ctx context.Context, message string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Publish(ctx, r.channel(), message).Err(); err != nil {
		return r.failed("publish", fmt.Errorf("publish on redis channel %s: %w", r.channel(), err))
	}
	return nil
}

// Listen implements Bus. A connection that is lost is noticed at once, one that is silent within three heartbeats.
func (r *Redis) Listen(ctx context.Context, up func(), heard func(message string)) error {
	err := r.listen(ctx, up, heard)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.failed("listen", fmt.Errorf("listen on redis channel %s: %w", r.channel(), err))
}

// listen is Listen, whose error may be that the subscription was closed because ctx is done.
func (r *Redis) listen(ctx context.Context, up func(), heard func(message string)) error {
	connecting, cancel := context.WithTimeout(ctx, 2*heartbeat)
	defer cancel()
	subscription := r.client.Subscribe(connecting, r.channel())
	defer func() { _ = subscription.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = subscription.Close() })
	defer stop()
	for subscribed, silent := false, 0; ; {
		m, err := receive(ctx, subscription)
		if isTimeout(err) {
			if silent++; silent > 1 {
				return errSilent
			}
			if err = subscription.Ping(ctx, signOfLife); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		silent = 0
		switch m := m.(type) {
		case *redis.Subscription:
			// The client reconnects by itself, and what was published meanwhile is lost.
			if subscribed {
				return errResubscribed
			}
			subscribed = true
			up()
		case *redis.Message:
			heard(m.Payload)
		case *redis.Pong:
			if m.Payload != signOfLife {
				return errTorn
			}
		}
	}
}

// receive waits for a message for a heartbeat. Its context bounds how long the client may try to reconnect before it tells
// that the connection was lost.
func receive(ctx context.Context, s *redis.PubSub) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*heartbeat)
	defer cancel()
	return s.ReceiveTimeout(ctx, heartbeat)
}

// isTimeout reports whether an error means that nothing came in time.
func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
