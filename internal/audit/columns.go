package audit

// Type is a column's type in PostgreSQL's words. It fixes both the binary form of the column in a tuple and its type in
// every database.
type Type string

// The types of columns.
const (
	TypeUUID      Type = "uuid"        // 16 bytes; the zero UUID is NULL
	TypeTimestamp Type = "timestamptz" // microseconds since 2000-01-01 UTC; the zero time is NULL
	TypeInt4      Type = "int4"
	TypeInt8      Type = "int8"
	TypeFloat8    Type = "float8"
	TypeBool      Type = "bool"
	TypeText      Type = "text"   // UTF-8 without NUL; the empty string is NULL unless the column is required
	TypeTextArray Type = "text[]" // one dimension, no NULL elements; an empty array is NULL
	TypeJSONB     Type = "jsonb"  // canonical JSON, see AppendCanonical; no bytes is NULL
	TypeInet      Type = "inet"   // one address, never a network; the invalid address is NULL
	TypeBytea     Type = "bytea"
)

// Column is one column of the audit trail.
type Column struct {
	Name string // the name in every database and export
	Type Type
	// Required columns are never NULL: a required text that is empty is stored as the empty string.
	Required bool
}

// The number of columns, and those places in the column order that code outside the encoder needs to know. They are
// checked against Columns in a test.
const (
	ColumnCount  = 59
	columnWriter = ColumnCount - 3
	columnSeq    = ColumnCount - 2
	columnHash   = ColumnCount - 1
)

// Columns lists the columns of the audit trail in their order: the order of Event's fields, of a tuple, and of the columns
// in every database. The slice is the caller's own.
func Columns() []Column {
	return []Column{
		{"id", TypeUUID, true},
		{"timestamp", TypeTimestamp, true},
		{"class_uid", TypeInt4, true},
		{"event_type", TypeText, true},
		{"severity", TypeText, true},
		{"phase", TypeText, true},
		{"outcome", TypeText, false},
		{"decision", TypeText, false},
		{"rule", TypeText, false},
		{"reason", TypeText, false},
		{"exchange_id", TypeUUID, false},
		{"decision_id", TypeUUID, false},
		{"policy_id", TypeText, false},
		{"policy_revision", TypeText, false},
		{"tier", TypeText, false},
		{"shadow", TypeText, false},
		{"user_id", TypeText, false},
		{"user_email", TypeText, false},
		{"principal_type", TypeText, false},
		{"user_roles", TypeTextArray, false},
		{"auth_method", TypeText, false},
		{"principal_attributes", TypeJSONB, false},
		{"client_id", TypeText, false},
		{"session_id", TypeText, false},
		{"action_operation", TypeText, false},
		{"resource_type", TypeText, false},
		{"method", TypeText, false},
		{"server_id", TypeText, false},
		{"server_name", TypeText, false},
		{"tool_name", TypeText, false},
		{"resource", TypeText, false},
		{"sensitivity", TypeText, false},
		{"arguments_hash", TypeText, false},
		{"action_parameters", TypeJSONB, false},
		{"request_id", TypeText, false},
		{"trace_id", TypeText, false},
		{"span_id", TypeText, false},
		{"ip_address", TypeInet, false},
		{"user_agent", TypeText, false},
		{"http_method", TypeText, false},
		{"path", TypeText, false},
		{"protocol_version", TypeText, false},
		{"era", TypeText, false},
		{"status_code", TypeInt4, true},
		{"rpc_code", TypeInt4, true},
		{"success", TypeBool, true},
		{"error_message", TypeText, false},
		{"cache_status", TypeText, false},
		{"duration_us", TypeInt8, true},
		{"upstream_us", TypeInt8, true},
		{"bytes_in", TypeInt8, true},
		{"bytes_out", TypeInt8, true},
		{"environment", TypeText, false},
		{"cost", TypeFloat8, true},
		{"retention_until", TypeTimestamp, false},
		{"details", TypeJSONB, false},
		{"writer_id", TypeUUID, true},
		{"seq", TypeInt8, true},
		{"hash", TypeBytea, true},
	}
}
