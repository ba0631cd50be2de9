package mcp_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"sark/internal/mcp"
)

// callOf returns a tools/call of about size bytes, with a mix of keys, text, escapes and numbers in its arguments.
func callOf(size int) []byte {
	const head = `{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"refund","arguments":{"order":"A-1009","amount":12.5`
	const row = `{"sku":"MX-4711","count":2,"price":19.99,"note":"two \"blue\" ones, gift wrapped","tags":["new","sale"]}`
	var b strings.Builder
	b.WriteString(head)
	b.WriteString(`,"rows":[`)
	for b.Len()+len(row) < size-60 {
		b.WriteString(row)
		b.WriteByte(',')
	}
	b.WriteString(`null],"reason":"damaged"},"_meta":{"progressToken":"abc"}}}`)
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	flat := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":` + manyKeys(10_000) + `}}}`
	for _, bm := range []struct {
		name string
		body []byte
	}{
		{"small", callOf(200)},
		{"1KB", callOf(1 << 10)},
		{"4KB", callOf(4 << 10)},
		{"64KB", callOf(64 << 10)},
		{"256KB", callOf(256 << 10)},
		{"1MB", callOf(1 << 20)},
		{"plain256KB", inArguments(`"` + strings.Repeat("bG9yZW0gaXBzdW0g", 256<<10/16) + `"`)},
		{"wide256KB", inArguments(`"` + strings.Repeat("請確認訂單、", 256<<10/18) + `"`)},
		{"keys40", []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":` + manyKeys(40) + `}}}`)},
		{"text256KB", inArguments(`"` + strings.Repeat(`lorem ipsum dolor sit amet, consetetur\n`, 256<<10/40) + `"`)},
		{"keys10000", []byte(flat)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.body)))
			var c mcp.Call
			for b.Loop() {
				if err := mcp.Parse(&c, bm.body, mcp.Header{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseModern is a modern call with all its headers.
func BenchmarkParseModern(b *testing.B) {
	body := []byte(`{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"refund","arguments":{"order":"A-1009"},` + modernMeta + `}}`)
	h := modern("tools/call", "refund")
	b.ReportAllocs()
	var c mcp.Call
	for b.Loop() {
		if err := mcp.Parse(&c, body, h); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkValid is the yardstick: encoding/json looks at the grammar only.
func BenchmarkValid(b *testing.B) {
	body := callOf(200)
	b.ReportAllocs()
	for b.Loop() {
		if !json.Valid(body) {
			b.Fatal("invalid")
		}
	}
}

func BenchmarkParseReply(b *testing.B) {
	reply := []byte(`{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"` + strings.Repeat("lorem ipsum ", 80) + `"}],"isError":false}}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(reply)))
	for b.Loop() {
		if _, err := mcp.ParseReply(reply); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFilterList(b *testing.B) {
	var list strings.Builder
	list.WriteString(`{"jsonrpc":"2.0","id":17,"result":{"tools":[`)
	for i := range 50 {
		list.WriteString(`{"name":"` + keyNumber(i) + `","description":"does this and that","inputSchema":{"type":"object","properties":{"a":{"type":"string"}}}},`)
	}
	list.WriteString(`{"name":"last"}]}}`)
	message, dst := []byte(list.String()), make([]byte, 0, 16<<10)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if _, _, err := mcp.FilterList(dst, message, func(_, id string) bool { return id != "last" }); err != nil {
			b.Fatal(err)
		}
	}
}

// tools returns a tools/list reply of n tools with schemas as servers write them.
func tools(n int) []byte {
	var list strings.Builder
	list.WriteString(`{"jsonrpc":"2.0","id":17,"result":{"tools":[`)
	for i := range n {
		list.WriteString(`{"name":"` + keyNumber(i) + `","title":"Create an issue","description":"Creates an issue in a repository.\nAsks before it writes.",` +
			`"inputSchema":{"type":"object","properties":{"title":{"type":"string","description":"What it is about"},"labels":{"type":"array",` +
			`"items":{"type":"string"},"maxItems":10},"private":{"type":"boolean","default":false}},"required":["title"]},` +
			`"annotations":{"readOnlyHint":false,"destructiveHint":true}},`)
	}
	list.WriteString(`{"name":"last"}]}}`)
	return []byte(list.String())
}

// BenchmarkFilterTools takes every tenth of 500 tools out of a list.
func BenchmarkFilterTools(b *testing.B) {
	message := tools(500)
	dst := make([]byte, 0, 2*len(message))
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if _, _, err := mcp.FilterList(dst, message, func(_, id string) bool { return id[len(id)-1] != '7' }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMaskReply takes a field and a pattern out of a result of 16 KiB that holds its document twice, as MCP asks for.
func BenchmarkMaskReply(b *testing.B) {
	mask, err := mcp.NewMask([]string{"$.rows[*].email"}, []string{`\b\d{3}-\d{2}-\d{4}\b`})
	if err != nil {
		b.Fatal(err)
	}
	var rows strings.Builder
	for rows.Len() < 8<<10 {
		rows.WriteString(`{"id":17,"email":"ada@example.com","city":"London","note":"called twice, no answer"},`)
	}
	doc := `{"rows":[` + strings.TrimSuffix(rows.String(), ",") + `]}`
	reply := []byte(`{"jsonrpc":"2.0","id":17,"result":{"structuredContent":` + doc + `,"content":[{"type":"text","text":` +
		string(mcp.AppendString(nil, doc)) + `}]}}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(reply)))
	for b.Loop() {
		if _, err := mask.Reply(reply); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrameReader(b *testing.B) {
	stream := strings.Repeat("event: message\nid: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n", 1000)
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		f := mcp.NewFrameReader(strings.NewReader(stream), frameLimit)
		for {
			if _, err := f.Next(); err != nil {
				break
			}
		}
	}
}

// BenchmarkFrameReaderLarge reads one event that is larger than any buffer kept.
func BenchmarkFrameReaderLarge(b *testing.B) {
	for _, size := range []int{200 << 10, 600 << 10, 1 << 20, 1900 << 10} {
		b.Run(strconv.Itoa(size>>10)+"KiB", func(b *testing.B) {
			stream := "data: " + strings.Repeat("x", size) + "\n\n"
			b.ReportAllocs()
			b.SetBytes(int64(len(stream)))
			for b.Loop() {
				if _, err := mcp.NewFrameReader(strings.NewReader(stream), 2<<20).Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
