package bench

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// ratio divides the best figures of a variant by those of another, if both were measured.
type ratio struct{ variant, by, label string }

// writeTables prints a table of best / median for each load, and the ratios within it.
func writeTables(w io.Writer, cells []Cell, ratios []ratio) error {
	for _, load := range loads(cells) {
		if err := writeTable(w, cells, load, ratios); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "Figures are best / median of %d rounds.\n", rounds(cells))
	return err
}

// writeTable prints one load. The table writer keeps its first error for Flush.
func writeTable(w io.Writer, cells []Cell, load int, ratios []ratio) error {
	table := tabwriter.NewWriter(w, 18, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(table, "%d connections\treq/s\tCPU µs/req\tupstream µs/req\tp50 ms\tp99 ms\t\n", load)
	for _, c := range cells {
		if c.Connections == load {
			writeRow(table, c.Variant, c.Best(), c.Median())
		}
	}
	for _, r := range ratios {
		of, okOf := cell(cells, r.variant, load)
		by, okBy := cell(cells, r.by, load)
		if okOf && okBy {
			writeRatio(table, r.label, of.Best(), by.Best())
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// loads returns the numbers of connections, in order, each once.
func loads(cells []Cell) []int {
	var all []int
	for _, c := range cells {
		all = append(all, c.Connections)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func rounds(cells []Cell) int {
	if len(cells) == 0 {
		return 0
	}
	return len(slices.MaxFunc(cells, func(a, b Cell) int { return cmp.Compare(len(a.Rounds), len(b.Rounds)) }).Rounds)
}

func writeRow(w io.Writer, name string, best, median Measurement) {
	_, _ = fmt.Fprintf(w, "%s\t%.0f / %.0f\t%.1f / %.1f\t%.1f / %.1f\t%.2f / %.2f\t%.2f / %.2f\t\n", name,
		best.RequestsPerSecond, median.RequestsPerSecond, best.CPU, median.CPU, best.UpstreamCPU, median.UpstreamCPU,
		milliseconds(best.P50), milliseconds(median.P50), milliseconds(best.P99), milliseconds(median.P99))
}

func writeRatio(w io.Writer, label string, of, by Measurement) {
	_, _ = fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", label, of.RequestsPerSecond/by.RequestsPerSecond,
		of.CPU/by.CPU, of.UpstreamCPU/by.UpstreamCPU, float64(of.P50)/float64(by.P50), float64(of.P99)/float64(by.P99))
}

func cell(cells []Cell, variant string, load int) (Cell, bool) {
	i := slices.IndexFunc(cells, func(c Cell) bool { return c.Variant == variant && c.Connections == load })
	if i < 0 {
		return Cell{}, false
	}
	return cells[i], true
}
