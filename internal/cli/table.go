package cli

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCell is the most characters of a cell that is not the last of its row.
const maxCell = 48

// columnGap stands between two columns.
const columnGap = "  "

// table writes rows in aligned columns. Rows may come in batches: a column is as wide as its widest cell so far.
type table struct {
	out    io.Writer
	widths []int // in characters
}

// write writes a batch of rows. Cells are what others may have chosen, so nothing in them reaches the terminal as a
// command.
func (t *table) write(rows ...[]string) error {
	for _, row := range rows {
		for i := range row {
			limit := maxCell
			if i == len(row)-1 {
				limit = 0
			}
			row[i] = cell(row[i], limit)
			t.widen(i, utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, text := range row {
			b.WriteString(text)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(text)) + columnGap)
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}

func (t *table) widen(column, width int) {
	for len(t.widths) <= column {
		t.widths = append(t.widths, 0)
	}
	t.widths[column] = max(t.widths[column], width)
}

// cell makes a text fit for one cell: of one line, without control characters, at most limit characters (0: any number),
// and "-" when it is empty.
func cell(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	if limit > 0 && utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit-1]) + "…"
	}
	return s
}
