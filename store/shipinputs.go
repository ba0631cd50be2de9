package store

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"sark/internal/audit"
)

// InputSource is what a Source also has that carries decision inputs.
type InputSource interface {
	// Inputs returns those that come before the events of the last Read, see spool.Spool.
	Inputs() [][]byte
}

// shipInputs stores the decision inputs that came with a batch, before its events: as long as the events are not stored, the
// inputs come again, and a sink that has them already keeps them as they are. What a sink can never take is dropped.
func (s *Shipper) shipInputs(ctx context.Context) error {
	source, ok := s.o.Source.(InputSource)
	if !ok {
		return nil
	}
	sink, ok := s.o.Sink.(InputSink)
	raw := source.Inputs()
	if !ok || len(raw) == 0 {
		return nil
	}
	inputs := make([]DecisionInput, 0, len(raw))
	for _, b := range raw {
		in, err := audit.DecodeInput(b)
		if err != nil {
			s.dropInputs(1, err)
			continue
		}
		inputs = append(inputs, DecisionInput{
			DecisionID: in.DecisionID, Timestamp: in.Time, PolicyRevision: in.Revision, Input: in.Document, Allow: in.Allow, Rule: in.Rule,
		})
	}
	return s.storeInputs(ctx, sink, inputs)
}

// storeInputs halves a batch that the sink refuses, until the input that it can never take is alone.
func (s *Shipper) storeInputs(ctx context.Context, sink InputSink, inputs []DecisionInput) error {
	if len(inputs) == 0 {
		return nil
	}
	err := sink.AppendDecisionInputs(ctx, inputs)
	switch {
	case !errors.Is(err, ErrBadRow):
		return err
	case len(inputs) == 1:
		s.dropInputs(1, err)
		return nil
	}
	half := len(inputs) / 2
	if err := s.storeInputs(ctx, sink, inputs[:half]); err != nil {
		return err
	}
	return s.storeInputs(ctx, sink, inputs[half:])
}

func (s *Shipper) dropInputs(n int64, cause error) {
	s.inputsDropped.Add(n)
	s.o.Log.Warn("a decision input cannot be stored, it is dropped", zap.Error(cause))
}
