package configs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
)

var errFraction = errors.New("a fraction where a whole number is needed")

// offWord switches off every setting that can be off: one word for all of
// them, whatever their type. Number keys read 0 alike.
const offWord = "off"

// decode turns a value as a YAML or JSON parser returns it into the Go value
// of the node. The error says what the value must be; it quotes the value
// unless that is secret.
func (n *node) decode(raw any) (any, error) {
	if n.Off != "" && (fmt.Sprint(raw) == n.Off || raw == offWord) {
		return reflect.Zero(n.typ).Interface(), nil
	}
	if text, ok := raw.(string); ok && n.single {
		raw = []string{text}
	}
	out := reflect.New(n.typ)
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:     out.Interface(),
		DecodeHook: mapstructure.ComposeDecodeHookFunc(durationHook, bytesHook, wholeHook),
	})
	if err != nil {
		return nil, fmt.Errorf("make a decoder for %s: %w", n.Path, err)
	}
	if err := decoder.Decode(raw); err != nil {
		return nil, n.mismatch(raw)
	}
	return out.Elem().Interface(), nil
}

// mismatch says what the node wants instead of raw.
func (n *node) mismatch(raw any) error {
	want := "must be a " + n.Type
	if n.Off != "" {
		want += n.offHint()
	}
	if n.Secret {
		return errors.New(want)
	}
	return fmt.Errorf("%s is not right: it %s", quote(raw), want)
}

// quote shows a value in a message, cut to a readable length.
func quote(raw any) string {
	const longest = 60
	text := fmt.Sprintf("%v", raw)
	if s, ok := raw.(string); ok {
		text = strconv.Quote(s)
	}
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	return text
}

// decodeText turns text from the environment or a flag into the Go value of
// the node. Lists and mappings are JSON.
func (n *node) decodeText(text string) (any, error) {
	switch n.kind {
	case kindStrings, kindObject:
		if n.single && !strings.HasPrefix(text, "[") {
			return n.decode(text)
		}
		raw, err := readJSON(text)
		if err != nil {
			return nil, fmt.Errorf("it must be a %s written as JSON: %w", n.Type, err)
		}
		return n.decode(raw)
	case kindBool:
		b, err := parseBool(text)
		if err != nil {
			return nil, n.mismatch(text)
		}
		return b, nil
	case kindInt:
		var number any = text
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			number = f
		}
		return n.decode(number)
	}
	return n.decode(text)
}

// parseBool reads a truth value in the spellings that Go, YAML and the earlier
// settings accept.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "on", "y":
		return true, nil
	case "no", "off", "n":
		return false, nil
	}
	b, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, fmt.Errorf("read a boolean: %w", err)
	}
	return b, nil
}

// readJSON reads exactly one JSON value.
func readJSON(text string) (any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var raw any
	if err := d.Decode(&raw); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the value")
	}
	return plainNumbers(raw), nil
}

// plainNumbers replaces json.Number by int or float64, as YAML returns them.
func plainNumbers(raw any) any {
	switch v := raw.(type) {
	case json.Number:
		if i, err := strconv.Atoi(v.String()); err == nil {
			return i
		}
		f, _ := v.Float64() // The parser has accepted it as a number.
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return raw
}

// durationHook reads durations from text and from numbers of seconds.
func durationHook(from, to reflect.Type, data any) (any, error) {
	if to != reflect.TypeFor[time.Duration]() || from == to {
		return data, nil
	}
	switch v := data.(type) {
	case string:
		return parseDuration(v)
	case int:
		return seconds(float64(v))
	case float64:
		return seconds(v)
	}
	return nil, fmt.Errorf("%T is no duration", data)
}

// bytesHook reads sizes from text.
func bytesHook(_, to reflect.Type, data any) (any, error) {
	if text, ok := data.(string); ok && to == reflect.TypeFor[Bytes]() {
		return parseBytes(text)
	}
	return data, nil
}

// wholeHook refuses fractions for whole numbers, which mapstructure would cut.
func wholeHook(_, to reflect.Type, data any) (any, error) {
	f, isFloat := data.(float64)
	if !isFloat || (to.Kind() != reflect.Int && to.Kind() != reflect.Int64) {
		return data, nil
	}
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return nil, errFraction
	}
	return int64(f), nil
}
