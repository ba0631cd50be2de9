package export

import (
	"encoding/binary"
	"io"
	"math"
	"time"

	"github.com/parquet-go/parquet-go"

	"sark/internal/audit"
)

// rowGroup is how many events are held until they are written: some 50 MB.
const rowGroup = 20_000

// parquetEncoder writes the columns of the trail as those of a Parquet file, under their names. Parquet orders them by name.
type parquetEncoder struct {
	out     *parquet.GenericWriter[any]
	columns []audit.Column
	place   []int // of each column in a row
	row     parquet.Row
	rows    int
}

func newParquetEncoder(to io.Writer) *parquetEncoder {
	columns := audit.Columns()
	group := parquet.Group{}
	for _, c := range columns {
		group[c.Name] = parquetNode(c)
	}
	schema := parquet.NewSchema("audit_event", group)
	p := &parquetEncoder{columns: columns, place: make([]int, len(columns))}
	for i, c := range columns {
		leaf, _ := schema.Lookup(c.Name)
		p.place[i] = leaf.ColumnIndex
	}
	p.out = parquet.NewGenericWriter[any](to, schema, parquet.Compression(&parquet.Zstd))
	return p
}

func parquetNode(c audit.Column) parquet.Node {
	node := parquetType(c.Type)
	switch {
	case c.Type == audit.TypeTextArray:
		return parquet.Repeated(node)
	case c.Required:
		return parquet.Required(node)
	}
	return parquet.Optional(node)
}

func parquetType(t audit.Type) parquet.Node {
	switch t {
	case audit.TypeUUID:
		return parquet.UUID()
	case audit.TypeTimestamp:
		return parquet.Timestamp(parquet.Microsecond)
	case audit.TypeInt4:
		return parquet.Int(32)
	case audit.TypeInt8:
		return parquet.Int(64)
	case audit.TypeFloat8:
		return parquet.Leaf(parquet.DoubleType)
	case audit.TypeBool:
		return parquet.Leaf(parquet.BooleanType)
	case audit.TypeJSONB:
		return parquet.JSON()
	case audit.TypeBytea:
		return parquet.Leaf(parquet.ByteArrayType)
	case audit.TypeText, audit.TypeTextArray, audit.TypeInet:
	}
	return parquet.String()
}

func (p *parquetEncoder) write(tuple []byte, _ *audit.Event) error {
	var fields audit.Fields
	if err := audit.SplitTuple(tuple, &fields); err != nil {
		return err
	}
	byPlace := make([][]parquet.Value, len(p.columns))
	for i, c := range p.columns {
		byPlace[p.place[i]] = parquetValues(c, p.place[i], fields[i])
	}
	p.row = p.row[:0]
	for _, values := range byPlace {
		p.row = append(p.row, values...)
	}
	if _, err := p.out.WriteRows([]parquet.Row{p.row}); err != nil {
		return err
	}
	if p.rows++; p.rows%rowGroup == 0 {
		return p.out.Flush()
	}
	return nil
}

func (p *parquetEncoder) close() error { return p.out.Close() }

// parquetValues are the values of a field with their levels of repetition and definition.
func parquetValues(c audit.Column, place int, field []byte) []parquet.Value {
	present := 1 // of a column that may be missing
	if c.Required {
		present = 0
	}
	switch {
	case field == nil:
		return []parquet.Value{parquet.NullValue().Level(0, 0, place)}
	case c.Type == audit.TypeTextArray:
		texts, _ := audit.FieldTexts(field)
		values := make([]parquet.Value, len(texts))
		for i, s := range texts {
			values[i] = parquet.ByteArrayValue([]byte(s)).Level(min(i, 1), 1, place)
		}
		return values
	}
	return []parquet.Value{parquetValue(c.Type, field).Level(0, present, place)}
}

func parquetValue(t audit.Type, f []byte) parquet.Value {
	switch t {
	case audit.TypeUUID:
		return parquet.FixedLenByteArrayValue(f)
	case audit.TypeTimestamp:
		return parquet.Int64Value(audit.FieldTime(f).UnixNano() / int64(time.Microsecond))
	case audit.TypeInt4:
		return parquet.Int32Value(int32(binary.BigEndian.Uint32(f))) //nolint:gosec // two's complement on purpose
	case audit.TypeInt8:
		return parquet.Int64Value(int64(binary.BigEndian.Uint64(f))) //nolint:gosec // two's complement on purpose
	case audit.TypeFloat8:
		return parquet.DoubleValue(math.Float64frombits(binary.BigEndian.Uint64(f)))
	case audit.TypeBool:
		return parquet.BooleanValue(f[0] != 0)
	case audit.TypeJSONB:
		return parquet.ByteArrayValue(f[1:])
	case audit.TypeInet:
		ip, _ := audit.FieldAddr(f)
		return parquet.ByteArrayValue([]byte(ip.String()))
	case audit.TypeText, audit.TypeTextArray, audit.TypeBytea:
	}
	return parquet.ByteArrayValue(f)
}
