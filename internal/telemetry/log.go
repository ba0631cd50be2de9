package telemetry

import (
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The formats of log lines.
const (
	// FormatJSON is one JSON object per line, for machines. It is the default.
	FormatJSON = "json"
	// FormatConsole is tab-separated text, for people at a terminal.
	FormatConsole = "console"
)

// timeLayout is RFC 3339 with exactly six fractional digits, so that lines sort as text.
const timeLayout = "2006-01-02T15:04:05.000000Z07:00"

// LogOptions says what is logged, how and where.
type LogOptions struct {
	// Level is the least severe level that is logged: "debug", "info", "warn" or "error". Empty means "info".
	Level string
	// Format is FormatJSON or FormatConsole. Empty means FormatJSON.
	Format string
	// Output receives the lines, each in one Write; writes are serialised. Nil means standard error.
	Output io.Writer
}

// NewLogger builds the logger and the level that governs it: setting the level takes effect on the next line, in every
// logger derived from this one. The error names the option that was not understood.
func NewLogger(o LogOptions) (*zap.Logger, zap.AtomicLevel, error) {
	level, err := parseLevel(o.Level)
	if err != nil {
		return nil, zap.AtomicLevel{}, err
	}
	encoder, err := newEncoder(o.Format)
	if err != nil {
		return nil, zap.AtomicLevel{}, err
	}
	output := o.Output
	if output == nil {
		output = os.Stderr
	}
	sink := zapcore.Lock(zapcore.AddSync(output))
	core := zapcore.NewCore(encoder, sink, level)
	return zap.New(core, zap.ErrorOutput(sink)), level, nil
}

// parseLevel accepts the four levels that the configuration documents; zap's panic and fatal levels would silence errors.
func parseLevel(s string) (zap.AtomicLevel, error) {
	switch s {
	case "":
		return zap.NewAtomicLevelAt(zapcore.InfoLevel), nil
	case "debug", "info", "warn", "error":
		return zap.ParseAtomicLevel(s)
	}
	return zap.AtomicLevel{}, fmt.Errorf("log level %q: want debug, info, warn or error", s)
}

// newEncoder returns the encoder of a format. Times are UTC in RFC 3339 with microseconds, as in the audit trail.
func newEncoder(format string) (zapcore.Encoder, error) {
	config := zap.NewProductionEncoderConfig()
	config.TimeKey = "time"
	config.EncodeTime = encodeTime
	config.EncodeDuration = zapcore.StringDurationEncoder
	switch format {
	case "", FormatJSON:
		return zapcore.NewJSONEncoder(config), nil
	case FormatConsole:
		config.EncodeLevel = zapcore.CapitalLevelEncoder
		return zapcore.NewConsoleEncoder(config), nil
	}
	return nil, fmt.Errorf("log format %q: want %s or %s", format, FormatJSON, FormatConsole)
}

func encodeTime(t time.Time, e zapcore.PrimitiveArrayEncoder) {
	e.AppendString(t.UTC().Format(timeLayout))
}
