package cachemw

import (
	"context"
	"strings"
)

// Bus carries messages between the gateways that share a backend. Redis is one.
type Bus interface {
	// Publish gives a message to every gateway that listens. An error means that some may not hear it.
	Publish(ctx context.Context, message string) error
	// Listen calls up once when it hears everything that is published from then on, and heard for every message, all from
	// one goroutine. It returns when ctx is done, and with an error as soon as a message may have been missed.
	Listen(ctx context.Context, up func(), heard func(message string)) error
}

// A message is the sender, a space, and what to forget: everything, or one server after the prefix.
const (
	forgetAll    = "all"
	forgetServer = "server "
)

// message returns the message of a sender.
func message(sender, what string) string { return sender + " " + what }

// readMessage takes a message apart.
func readMessage(m string) (sender, what string) {
	sender, what, _ = strings.Cut(m, " ")
	return sender, what
}
