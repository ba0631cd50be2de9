package audit

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// DecodeTuple reads a tuple that AppendTuple wrote. The event owns its memory. An error wraps ErrTuple.
func DecodeTuple(tuple []byte) (Event, error) {
	var f Fields
	if err := SplitTuple(tuple, &f); err != nil {
		return Event{}, err
	}
	return DecodeFields(&f)
}

// DecodeFields is DecodeTuple for fields as a database gives them back. Those of a newer format are read, too, as far as this
// version knows their columns. An error wraps ErrTuple.
func DecodeFields(f *Fields) (Event, error) {
	d := decoder{fields: f}
	e := d.event()
	return e, d.err
}

// decoder takes one field after the other and remembers the first error.
type decoder struct {
	fields *Fields
	column int
	err    error
}

// event lists every field in column order: the mirror image of AppendTuple, in one piece so that the two can be compared.
func (d *decoder) event() Event {
	return Event{
		ID: d.uuid(), Time: d.time(), ClassUID: d.int4(), EventType: d.text(), Severity: Severity(d.text()),
		Phase: Phase(d.text()), Outcome: Outcome(d.text()), Decision: d.text(), Rule: d.text(), Reason: d.text(),
		ExchangeID: d.uuid(), DecisionID: d.uuid(), PolicyID: d.text(), PolicyRevision: d.text(), Tier: d.text(),
		Shadow: d.text(), UserID: d.text(), UserEmail: d.text(), PrincipalType: d.text(), UserRoles: d.textArray(),
		AuthMethod: d.text(), PrincipalAttributes: d.json(), ClientID: d.text(), SessionID: d.text(), Action: d.text(),
		ResourceType: d.text(), Method: d.text(), ServerID: d.text(), ServerName: d.text(), ToolName: d.text(),
		Resource: d.text(), Sensitivity: d.text(), ArgumentsHash: d.text(), Arguments: d.json(), RequestID: d.text(),
		TraceID: d.text(), SpanID: d.text(), IP: d.inet(), UserAgent: d.text(), HTTPMethod: d.text(), Path: d.text(),
		ProtocolVersion: d.text(), Era: d.text(), StatusCode: d.int4(), RPCCode: d.int4(), Success: d.bool(),
		ErrorMessage: d.text(), CacheStatus: d.text(), DurationUS: d.int8(), UpstreamUS: d.int8(), BytesIn: d.int8(),
		BytesOut: d.int8(), Environment: d.text(), Cost: d.float(), RetentionUntil: d.time(), Details: d.json(),
		Format: d.format(), WriterID: d.uuid(), Seq: d.int8(), Hash: d.hash(),
	}
}

func (d *decoder) next() []byte {
	f := d.fields[d.column]
	d.column++
	return f
}

// fixed returns the next field when it has n bytes, nil when it is NULL.
func (d *decoder) fixed(n int) []byte {
	f := d.next()
	if f != nil && len(f) != n {
		d.fail("has %d bytes instead of %d", len(f), n)
		return nil
	}
	return f
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: column %d %s", ErrTuple, d.column-1, fmt.Sprintf(format, args...))
	}
}

func (d *decoder) uuid() (u uuid.UUID) {
	copy(u[:], d.fixed(len(u)))
	return u
}

func (d *decoder) hash() (h [32]byte) {
	copy(h[:], d.fixed(len(h)))
	return h
}

func (d *decoder) int4() int32 {
	if f := d.fixed(4); f != nil {
		return int32(binary.BigEndian.Uint32(f)) //nolint:gosec // two's complement on purpose
	}
	return 0
}

// format reads the column that rows of the first format do not have.
func (d *decoder) format() int32 { return max(d.int4(), firstFormat) }

func (d *decoder) int8() int64 {
	if f := d.fixed(8); f != nil {
		return int64(binary.BigEndian.Uint64(f)) //nolint:gosec // two's complement on purpose
	}
	return 0
}

func (d *decoder) float() float64 {
	if f := d.fixed(8); f != nil {
		return math.Float64frombits(binary.BigEndian.Uint64(f))
	}
	return 0
}

func (d *decoder) bool() bool {
	f := d.fixed(1)
	return f != nil && f[0] != 0
}

func (d *decoder) time() time.Time {
	f := d.fixed(8)
	if f == nil {
		return time.Time{}
	}
	return FieldTime(f)
}

func (d *decoder) text() string { return string(d.next()) }

func (d *decoder) json() []byte {
	f := d.next()
	if f == nil {
		return nil
	}
	if len(f) < 2 || f[0] != 1 {
		d.fail("is not a jsonb of version 1")
		return nil
	}
	return append([]byte(nil), f[1:]...)
}

func (d *decoder) inet() netip.Addr {
	f := d.next()
	if f == nil {
		return netip.Addr{}
	}
	ip, ok := FieldAddr(f)
	if !ok {
		d.fail("is not an inet")
	}
	return ip
}

func (d *decoder) textArray() []string {
	f := d.next()
	if f == nil {
		return nil
	}
	v, ok := FieldTexts(f)
	if !ok {
		d.fail("is not a text[]")
	}
	return v
}

// FieldTime reads the eight bytes of a timestamptz field, in UTC.
func FieldTime(field []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(field)) + epochMicros).UTC() //nolint:gosec // two's complement on purpose
}

// FieldAddr reads an inet field that holds one address.
func FieldAddr(field []byte) (netip.Addr, bool) {
	if len(field) != 8 && len(field) != 20 || int(field[3]) != len(field)-4 {
		return netip.Addr{}, false
	}
	ip, ok := netip.AddrFromSlice(field[4:])
	return ip, ok && field[0] == family(ip)
}

func family(ip netip.Addr) byte {
	if ip.Is4() {
		return inetV4
	}
	return inetV6
}

// FieldTexts reads a text[] field of one dimension.
func FieldTexts(field []byte) ([]string, bool) {
	v := []string{}
	ok := EachText(field, func(text []byte) { v = append(v, string(text)) })
	if !ok {
		return nil, false
	}
	return v, true
}
