package configs

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size in bytes. Written as text it is a plain number of bytes or a
// whole number with a unit: KiB, MiB, GiB, TiB, or kB, MB, GB, TB.
type Bytes int64

// Object is a free-form mapping that SARK hands on as it is written; unlike
// all other keys its keys may be anything.
type Object map[string]any

// The units of Bytes, in bytes.
const (
	kibibyte = 1 << (10 * (iota + 1))
	mebibyte
	gibibyte
	tebibyte
)

var errSize = errors.New("not a size")

// byteUnit returns the number of bytes in a unit, and false for an unknown one.
func byteUnit(name string) (int64, bool) {
	switch strings.ToLower(name) {
	case "", "b":
		return 1, true
	case "kb":
		return 1e3, true
	case "mb":
		return 1e6, true
	case "gb":
		return 1e9, true
	case "tb":
		return 1e12, true
	case "kib", "ki":
		return kibibyte, true
	case "mib", "mi":
		return mebibyte, true
	case "gib", "gi":
		return gibibyte, true
	case "tib", "ti":
		return tebibyte, true
	}
	return 0, false
}

// parseBytes reads a size such as "4194304" or "4 MiB".
func parseBytes(text string) (Bytes, error) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := byteUnit(strings.TrimSpace(text[len(digits):]))
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return 0, fmt.Errorf("%q: %w", text, errSize)
	}
	return Bytes(n * unit), nil
}

// String returns the size with the largest binary unit that divides it.
func (b Bytes) String() string {
	units := []struct {
		size int64
		name string
	}{{tebibyte, "TiB"}, {gibibyte, "GiB"}, {mebibyte, "MiB"}, {kibibyte, "KiB"}}
	for _, u := range units {
		if b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// parseDuration reads a Go duration ("1m30s") or a bare number of seconds,
// fractions allowed.
func parseDuration(text string) (time.Duration, error) {
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		return seconds(s)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("read a duration: %w", err)
	}
	return d, nil
}

// seconds turns a number of seconds into a duration, to the nanosecond.
func seconds(s float64) (time.Duration, error) {
	ns := math.Round(s * float64(time.Second))
	if math.IsNaN(ns) || math.Abs(ns) >= math.MaxInt64 {
		return 0, fmt.Errorf("%v seconds do not fit a duration", s)
	}
	return time.Duration(ns), nil
}

// durationText writes a duration as people do: "1h" rather than "1h0m0s".
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
