package export

import (
	"fmt"
	"io"

	"sark/internal/audit"
	"sark/internal/audit/ocsf"
)

// Format is the form of the events in an export.
type Format string

// The formats.
const (
	NDJSON  Format = "ndjson"  // one object a line, with the columns of the trail
	OCSF    Format = "ocsf"    // one object a line, in the Open Cybersecurity Schema Framework
	Parquet Format = "parquet" // Apache Parquet, compressed with zstd
)

// encoder writes events in a format.
type encoder interface {
	write(tuple []byte, e *audit.Event) error
	// close writes what ends the file.
	close() error
}

func newEncoder(f Format, to io.Writer) (encoder, error) {
	switch f {
	case NDJSON, OCSF:
		return &lineEncoder{format: f, to: to}, nil
	case Parquet:
		return newParquetEncoder(to), nil
	}
	return nil, fmt.Errorf("there is no format %q", f)
}

// lineEncoder writes one JSON object a line.
type lineEncoder struct {
	format Format
	to     io.Writer
	line   []byte
}

func (l *lineEncoder) write(tuple []byte, e *audit.Event) (err error) {
	if l.format == OCSF {
		l.line, err = ocsf.Append(l.line[:0], ocsf.Of(e))
	} else {
		l.line, err = audit.AppendJSON(l.line[:0], tuple)
	}
	if err != nil {
		return err
	}
	l.line = append(l.line, '\n')
	_, err = l.to.Write(l.line)
	return err
}

func (l *lineEncoder) close() error { return nil }
