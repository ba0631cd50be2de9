package authz

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/logging"
	"go.uber.org/zap"
)

// opaLogger hands what the OPA SDK logs to zap. The SDK formats its messages, so they go under one constant message.
type opaLogger struct{ log *zap.Logger }

func newOPALogger(log *zap.Logger) logging.Logger { return opaLogger{log} }

func (l opaLogger) Debug(format string, a ...any) { l.log.Debug("opa", detail(format, a)) }
func (l opaLogger) Info(format string, a ...any)  { l.log.Debug("opa", detail(format, a)) }
func (l opaLogger) Warn(format string, a ...any)  { l.log.Warn("opa", detail(format, a)) }
func (l opaLogger) Error(format string, a ...any) { l.log.Error("opa", detail(format, a)) }

func detail(format string, a []any) zap.Field {
	return zap.String("detail", fmt.Sprintf(format, a...))
}

// WithFields returns a logger that adds the fields to every line.
func (l opaLogger) WithFields(fields map[string]any) logging.Logger {
	zf := make([]zap.Field, 0, len(fields))
	for k, v := range fields {
		zf = append(zf, zap.Any(k, v))
	}
	return opaLogger{l.log.With(zf...)}
}

// GetLevel returns Warn: from Info on the SDK compiles print statements into policies, and policies that print would write
// arguments into the log.
func (l opaLogger) GetLevel() logging.Level { return logging.Warn }

// SetLevel does nothing: the level is zap's.
func (l opaLogger) SetLevel(logging.Level) {}

// consoleLogger hands the decisions that decision_logs.console writes to zap: the operator asked for them.
type consoleLogger struct{ opaLogger }

// Info writes one decision.
func (l consoleLogger) Info(string, ...any) { l.log.Info("decision") }

// WithFields returns a logger that adds the fields to every line.
func (l consoleLogger) WithFields(fields map[string]any) logging.Logger {
	return consoleLogger{l.opaLogger.WithFields(fields).(opaLogger)}
}
