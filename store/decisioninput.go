package store

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"
)

// DecisionInput is a question that a policy answered, as it was recorded for replay, and the answer.
type DecisionInput struct {
	DecisionID uuid.UUID
	// Timestamp is when the request was accepted, in UTC with microseconds.
	Timestamp time.Time
	// PolicyRevision is the revision of the policy that decided.
	PolicyRevision string
	// Input is the input document, redacted, as canonical JSON. Its member "recorded" says what was withheld.
	Input []byte
	// Allow is what the policy said, whatever became of the request.
	Allow bool
	// Rule is the rule of the policy that decided.
	Rule string
}

// InputSink is what a Sink also has that keeps decision inputs.
type InputSink interface {
	// AppendDecisionInputs stores inputs, all or none; those that are there already stay as they are. It wraps ErrBadRow when
	// one of them can never be stored.
	AppendDecisionInputs(ctx context.Context, inputs []DecisionInput) error
}

// InputReader reads decision inputs.
type InputReader interface {
	// DecisionInputs reads the inputs since a moment, oldest first, in memory that does not grow with their count. An error
	// ends it.
	DecisionInputs(ctx context.Context, since time.Time) iter.Seq2[DecisionInput, error]
	// DecisionInput returns the input of one decision, false when none is kept.
	DecisionInput(ctx context.Context, decision uuid.UUID) (DecisionInput, bool, error)
}

// InputPage is how many inputs a reader asks for at once.
const InputPage = 500

// PageInputs reads all inputs since a moment by pages: next returns up to InputPage inputs that come after a time and an id,
// in that order.
func PageInputs(since time.Time, next func(at time.Time, after uuid.UUID) ([]DecisionInput, error)) iter.Seq2[DecisionInput, error] {
	return func(yield func(DecisionInput, error) bool) {
		at, after := since, uuid.Nil
		for {
			page, err := next(at, after)
			if err != nil {
				yield(DecisionInput{}, err)
				return
			}
			for _, in := range page {
				if !yield(in, nil) {
					return
				}
			}
			if len(page) < InputPage {
				return
			}
			last := &page[len(page)-1]
			at, after = last.Timestamp, last.DecisionID
		}
	}
}
