package mcp

import (
	"errors"
	"fmt"
)

// JSON-RPC error codes that the protocol defines (JSON-RPC 2.0 section 5.1, MCP 2026-07-28 "Error codes").
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeHeaderMismatch = -32020

	CodeUnsupportedVersion = -32022
)

// Error is why a message was refused by strict reading. It holds the code for the JSON-RPC reply, and the id of the
// message when it could be read.
type Error struct {
	// Code is the JSON-RPC error code; the HTTP status is 400 for all of them.
	Code int
	// Reason says what is wrong, in words that may be sent to the client.
	Reason string
	// ID is the raw JSON of the message's id, nil when it could not be read.
	ID []byte
}

// Error returns the reason with the code.
func (e *Error) Error() string { return fmt.Sprintf("mcp: %s (%d)", e.Reason, e.Code) }

// What a message is refused for. The texts may be sent to the client.
var (
	errSyntax    = errors.New("invalid JSON")
	errDepth     = errors.New("nested too deep")
	errUTF8      = errors.New("invalid UTF-8")
	errDuplicate = errors.New("duplicate key")
	errSurrogate = errors.New("lone surrogate escape")
	errTrailing  = errors.New("bytes after the message")
	errFold      = errors.New("key differs from a known one only in case")
	errBatch     = errors.New("batches are not accepted")
	errNotObject = errors.New("not a JSON-RPC object")
	errNotList   = errors.New("a list is neither an array nor null")
)
