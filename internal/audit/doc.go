// Package audit says what one audit event is: its columns, their order, their binary form, its place in a writer's hash
// chain, and what may be recorded of a call's arguments.
//
// It promises one list of columns from which the encoder, the database schemas and the reference page are checked, and an
// encoding that allocates nothing. It does no I/O: keeping events is the store's work.
package audit

//go:generate go test -run ^TestSchemaReference$ . -update
