package api

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sark/store"
)

// Problem is a refusal as clients see it: the one shape of every error of the API.
type Problem struct {
	// Status is the HTTP status.
	Status int
	// Code is a stable word for machines, for example "validation_error".
	Code string
	// Detail is a sentence for people. Ignored when Fields is set.
	Detail string
	// Fields says what is wrong with the body, field by field.
	Fields []FieldError
	// DecisionID replaces the decision of the exchange when another decision refused.
	DecisionID uuid.UUID

	cause error // for the log only
}

// FieldError is one mistake in a request body.
type FieldError struct {
	// Loc is the path to the value: "body", then names (string) and array positions (int).
	Loc []any `json:"loc"`
	// Msg is a sentence for people.
	Msg string `json:"msg"`
	// Type is a stable word for machines, for example "missing".
	Type string `json:"type"`
}

// Error returns the problem in one line, with its cause.
func (p *Problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%d %s: %s: %v", p.Status, p.Code, p.Detail, p.cause)
	}
	return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.cause }

// envelope is the JSON of a problem.
type envelope struct {
	Detail     any    `json:"detail"`
	Code       string `json:"code"`
	RequestID  string `json:"request_id,omitempty"`
	DecisionID string `json:"decision_id,omitempty"`
}

// Write renders the problem for the exchange with the given identifiers; zero identifiers are left out.
func (p *Problem) Write(resp *fasthttp.Response, exchange, decision uuid.UUID) {
	if p.DecisionID != uuid.Nil {
		decision = p.DecisionID
	}
	body := envelope{Detail: p.Detail, Code: p.Code, RequestID: text(exchange), DecisionID: text(decision)}
	if p.Fields != nil {
		body.Detail = p.Fields
	}
	if err := writeJSON(resp, p.Status, body); err != nil {
		panic("BUG: a problem cannot be encoded: " + err.Error())
	}
}

// text returns the usual form of an id, or "" for the zero id.
func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// writeJSON sets status, type and body of a reply. Browsers are told not to guess and not to render. Documents from the
// store go out as they are: a row that was written before a rule was made must not make a whole list unreadable.
func writeJSON(resp *fasthttp.Response, status int, v any) error {
	body, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Errorf("encode the reply: %w", err)
	}
	resp.SetStatusCode(status)
	resp.Header.SetContentType("application/json")
	resp.Header.Set("X-Content-Type-Options", "nosniff")
	resp.Header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	resp.SetBodyRaw(body)
	return nil
}

// invalidParameter refuses a query parameter by name.
func invalidParameter(name, why string) *Problem {
	return &Problem{Status: fasthttp.StatusBadRequest, Code: "invalid_parameter", Detail: name + ": " + why}
}

// storeProblem turns an error of the registry or the audit trail into what the client is told.
func storeProblem(err error, what string) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &Problem{Status: fasthttp.StatusNotFound, Code: "not_found", Detail: "Server not found"}
	case errors.Is(err, store.ErrNameTaken):
		return &Problem{Status: fasthttp.StatusConflict, Code: "name_taken", Detail: "A server with this name exists"}
	case errors.Is(err, store.ErrConflict):
		return &Problem{
			Status: fasthttp.StatusConflict, Code: "conflict",
			Detail: "The server was changed in the meantime; read it and try again",
		}
	case errors.Is(err, store.ErrBadCursor):
		return invalidParameter("cursor", "not a cursor of this list")
	}
	var filter *store.FilterError
	if errors.As(err, &filter) {
		return invalidParameter(filter.Field, "not a value of this filter")
	}
	return &Problem{
		Status: fasthttp.StatusServiceUnavailable, Code: "store_unavailable",
		Detail: "The " + what + " cannot answer now", cause: err,
	}
}
