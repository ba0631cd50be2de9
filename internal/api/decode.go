package api

import (
	"bytes"
	"errors"
	"mime"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
)

// maxDepth bounds how deep objects and arrays may nest in a body; no schema or argument needs more.
const maxDepth = 64

// readBody checks size, type and coding of the request body and decodes it strictly into v.
func (a *API) readBody(r *request, v any) error {
	body := r.in.Body()
	switch {
	case len(body) > a.o.MaxBodyBytes:
		return &Problem{
			Status: fasthttp.StatusRequestEntityTooLarge, Code: "body_too_large",
			Detail: "The body exceeds " + strconv.Itoa(a.o.MaxBodyBytes) + " bytes",
		}
	case !isJSON(string(r.in.Header.ContentType()), r.in.Header.IsPatch()):
		return &Problem{
			Status: fasthttp.StatusUnsupportedMediaType, Code: "unsupported_media_type",
			Detail: "The Content-Type must be application/json",
		}
	case len(r.in.Header.ContentEncoding()) > 0:
		return &Problem{
			Status: fasthttp.StatusUnsupportedMediaType, Code: "unsupported_media_type",
			Detail: "The body must not carry a Content-Encoding",
		}
	}
	if wrong := decode(body, v); wrong != nil {
		return unprocessable(*wrong)
	}
	return nil
}

// isJSON accepts application/json with no charset or utf-8 (RFC 8259 section 8.1 knows no other), and for patches
// application/merge-patch+json (RFC 7396 section 4).
func isJSON(contentType string, patch bool) bool {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/json" && !(patch && kind == "application/merge-patch+json") {
		return false
	}
	charset, ok := parameters["charset"]
	return !ok || charset == "utf-8" || charset == "UTF-8"
}

// decode reads one JSON object into v, or says what is wrong with it. It refuses duplicate and unknown keys, keys that
// differ in case from a known one, invalid UTF-8 and lone surrogates, bytes after the object and nesting over maxDepth.
// Options override these rules.
func decode(body []byte, v any, options ...json.Options) *FieldError {
	if !shallow(body) {
		return &FieldError{Loc: []any{"body"}, Msg: "Nested more than " + strconv.Itoa(maxDepth) + " deep", Type: "json_too_deep"}
	}
	if kind := jsontext.Value(body).Kind(); kind != '{' && kind != jsontext.KindInvalid {
		return &FieldError{Loc: []any{"body"}, Msg: "The body should be a JSON object", Type: "object_type"}
	}
	options = append([]json.Options{json.RejectUnknownMembers(true)}, options...)
	if err := json.Unmarshal(body, v, options...); err != nil {
		return fieldError(err)
	}
	return nil
}

// fieldError explains a decoding error without the words of the implementation.
func fieldError(err error) *FieldError {
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return &FieldError{Loc: location(syntax.JSONPointer), Msg: "The key appears twice", Type: "duplicate_key"}
	case errors.As(err, &syntax):
		return &FieldError{Loc: location(syntax.JSONPointer), Msg: "Not valid JSON", Type: "json_invalid"}
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return &FieldError{Loc: location(semantic.JSONPointer), Msg: "The field is not known", Type: "extra_forbidden"}
	case errors.As(err, &semantic):
		want := kindOf(semantic.GoType)
		return &FieldError{Loc: location(semantic.JSONPointer), Msg: "The value should be " + want.article, Type: want.name + "_type"}
	}
	return &FieldError{Loc: []any{"body"}, Msg: "Not valid JSON", Type: "json_invalid"}
}

// location turns a JSON pointer (RFC 6901) into the path of a FieldError.
func location(p jsontext.Pointer) []any {
	path := []any{"body"}
	for token := range p.Tokens() {
		if i, err := strconv.Atoi(token); err == nil {
			path = append(path, i)
			continue
		}
		path = append(path, token)
	}
	return path
}

// jsonKind names what a field holds.
type jsonKind struct{ name, article string }

func kindOf(t reflect.Type) jsonKind {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return jsonKind{"value", "of another type"}
	}
	switch t.Kind() {
	case reflect.String:
		return jsonKind{"string", "a string"}
	case reflect.Bool:
		return jsonKind{"bool", "true or false"}
	case reflect.Slice:
		return jsonKind{"list", "a list"}
	}
	return jsonKind{"object", "an object"}
}

// shallow reports whether no object or array of body lies deeper than maxDepth. It counts brackets outside strings, which
// is exact for valid JSON; anything else is refused later.
func shallow(body []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// isObject reports whether a raw value, as the decoder keeps it, is an object.
func isObject(raw jsontext.Value) bool { return bytes.HasPrefix(raw, []byte("{")) }
