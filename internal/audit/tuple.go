package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The fixed tail of a tuple: writer_id, seq and hash, each with its length before it.
const (
	writerField = 4 + 16
	seqField    = 4 + 8
	hashField   = 4 + 32
	tail        = writerField + seqField + hashField
)

// ErrTuple is wrapped by every error about bytes that are no tuple of a format.
var ErrTuple = errors.New("not an audit tuple")

// AppendTuple appends e as one tuple of PostgreSQL's binary COPY format (field count, then each field with its length
// before it) in the order of Columns, whatever format e was read in. Texts are made storable: cut at MaxText, ill-formed UTF-8 and NUL replaced by U+FFFD.
//
// It allocates nothing once dst has room, and keeps nothing of e.
func AppendTuple(dst []byte, e *Event) []byte {
	b := binary.BigEndian.AppendUint16(dst, ColumnCount)
	b = appendUUID(b, &e.ID)
	b = appendTime(b, e.Time)
	b = appendInt4(b, e.ClassUID)
	b = appendRequiredText(b, e.EventType)
	b = appendRequiredText(b, string(e.Severity))
	b = appendRequiredText(b, string(e.Phase))
	b = appendText(b, string(e.Outcome))
	b = appendText(b, e.Decision)
	b = appendText(b, e.Rule)
	b = appendText(b, e.Reason)
	b = appendOptionalUUID(b, &e.ExchangeID)
	b = appendOptionalUUID(b, &e.DecisionID)
	b = appendText(b, e.PolicyID)
	b = appendText(b, e.PolicyRevision)
	b = appendText(b, e.Tier)
	b = appendText(b, e.Shadow)
	b = appendText(b, e.UserID)
	b = appendText(b, e.UserEmail)
	b = appendText(b, e.PrincipalType)
	b = appendTextArray(b, e.UserRoles)
	b = appendText(b, e.AuthMethod)
	b = appendJSON(b, e.PrincipalAttributes)
	b = appendText(b, e.ClientID)
	b = appendText(b, e.SessionID)
	b = appendText(b, e.Action)
	b = appendText(b, e.ResourceType)
	b = appendText(b, e.Method)
	b = appendText(b, e.ServerID)
	b = appendText(b, e.ServerName)
	b = appendText(b, e.ToolName)
	b = appendText(b, e.Resource)
	b = appendText(b, e.Sensitivity)
	b = appendText(b, e.ArgumentsHash)
	b = appendJSON(b, e.Arguments)
	b = appendText(b, e.RequestID)
	b = appendText(b, e.TraceID)
	b = appendText(b, e.SpanID)
	b = appendInet(b, e.IP)
	b = appendText(b, e.UserAgent)
	b = appendText(b, e.HTTPMethod)
	b = appendText(b, e.Path)
	b = appendText(b, e.ProtocolVersion)
	b = appendText(b, e.Era)
	b = appendInt4(b, e.StatusCode)
	b = appendInt4(b, e.RPCCode)
	b = appendBool(b, e.Success)
	b = appendText(b, e.ErrorMessage)
	b = appendText(b, e.CacheStatus)
	b = appendInt8(b, e.DurationUS)
	b = appendInt8(b, e.UpstreamUS)
	b = appendInt8(b, e.BytesIn)
	b = appendInt8(b, e.BytesOut)
	b = appendText(b, e.Environment)
	b = appendFloat(b, e.Cost)
	b = appendOptionalTime(b, e.RetentionUntil)
	b = appendJSON(b, e.Details)
	b = appendInt4(b, Format)
	b = appendUUID(b, &e.WriterID)
	b = appendInt8(b, e.Seq)
	return appendBytes(b, e.Hash[:])
}

// Fields are the fields of a tuple in the order of Columns, in their binary form; nil is NULL, or a column that the tuple's
// format does not have. They alias the tuple.
type Fields [ColumnCount][]byte

// SplitTuple finds the fields of a tuple of any format. It wraps ErrTuple when the bytes are not one whole tuple; the form of
// the single fields is not looked at.
func SplitTuple(tuple []byte, fields *Fields) error {
	format := TupleFormat(tuple)
	if format == 0 {
		return fmt.Errorf("%w: wrong number of columns", ErrTuple)
	}
	rest := tuple[2:]
	for i := range fields {
		if !has(format, i) {
			fields[i] = nil
			continue
		}
		if len(rest) < 4 {
			return fmt.Errorf("%w: cut in column %d", ErrTuple, i)
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if n == null {
			fields[i] = nil
			continue
		}
		if uint64(n) > uint64(len(rest)) {
			return fmt.Errorf("%w: cut in column %d", ErrTuple, i)
		}
		fields[i], rest = rest[:n:n], rest[n:]
	}
	if len(rest) != 0 {
		return fmt.Errorf("%w: %d bytes after the end", ErrTuple, len(rest))
	}
	if says, err := fields.format(); err != nil || says != format {
		return fmt.Errorf("%w: it has the columns of format %d and says another", ErrTuple, format)
	}
	return nil
}

// JoinTuple appends the tuple of the given fields, in the format that they say: the inverse of SplitTuple. A database's rows
// become tuples again with it, to have their place in the chain checked. An error wraps ErrTuple, or ErrNewer when
// the fields are of a format that this version does not know. A field that their format does not have is an error, since nothing
// would cover it.
func JoinTuple(dst []byte, fields *Fields) ([]byte, error) {
	format, err := fields.format()
	if err != nil {
		return dst, err
	}
	out := binary.BigEndian.AppendUint16(dst, uint16(columnCount(format))) //nolint:gosec // at most ColumnCount
	for i, f := range fields {
		switch {
		case !has(format, i) && f != nil:
			return dst, fmt.Errorf("%w: format %d has no column %s", ErrTuple, format, Columns()[i].Name)
		case !has(format, i):
		case f == nil:
			out = appendNull(out)
		default:
			out = appendBytes(out, f)
		}
	}
	return out, nil
}
