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
	// Since is the first format that has the column, see Format.
	Since int32
}

// The number of columns, and the place of the one that says the format. They are checked against Columns in a test.
const (
	ColumnCount  = 60
	columnFormat = 56
)

// Columns lists the columns of the audit trail in their order: the order of Event's fields and of a tuple. Those of a later
// format stand behind those of the earlier ones, and before writer_id, seq and hash. The slice is the caller's own.
func Columns() []Column {
	return []Column{
		{"id", TypeUUID, true, 1},
		{"timestamp", TypeTimestamp, true, 1},
		{"class_uid", TypeInt4, true, 1},
		{"event_type", TypeText, true, 1},
		{"severity", TypeText, true, 1},
		{"phase", TypeText, true, 1},
		{"outcome", TypeText, false, 1},
		{"decision", TypeText, false, 1},
		{"rule", TypeText, false, 1},
		{"reason", TypeText, false, 1},
		{"exchange_id", TypeUUID, false, 1},
		{"decision_id", TypeUUID, false, 1},
		{"policy_id", TypeText, false, 1},
		{"policy_revision", TypeText, false, 1},
		{"tier", TypeText, false, 1},
		{"shadow", TypeText, false, 1},
		{"user_id", TypeText, false, 1},
		{"user_email", TypeText, false, 1},
		{"principal_type", TypeText, false, 1},
		{"user_roles", TypeTextArray, false, 1},
		{"auth_method", TypeText, false, 1},
		{"principal_attributes", TypeJSONB, false, 1},
		{"client_id", TypeText, false, 1},
		{"session_id", TypeText, false, 1},
		{"action_operation", TypeText, false, 1},
		{"resource_type", TypeText, false, 1},
		{"method", TypeText, false, 1},
		{"server_id", TypeText, false, 1},
		{"server_name", TypeText, false, 1},
		{"tool_name", TypeText, false, 1},
		{"resource", TypeText, false, 1},
		{"sensitivity", TypeText, false, 1},
		{"arguments_hash", TypeText, false, 1},
		{"action_parameters", TypeJSONB, false, 1},
		{"request_id", TypeText, false, 1},
		{"trace_id", TypeText, false, 1},
		{"span_id", TypeText, false, 1},
		{"ip_address", TypeInet, false, 1},
		{"user_agent", TypeText, false, 1},
		{"http_method", TypeText, false, 1},
		{"path", TypeText, false, 1},
		{"protocol_version", TypeText, false, 1},
		{"era", TypeText, false, 1},
		{"status_code", TypeInt4, true, 1},
		{"rpc_code", TypeInt4, true, 1},
		{"success", TypeBool, true, 1},
		{"error_message", TypeText, false, 1},
		{"cache_status", TypeText, false, 1},
		{"duration_us", TypeInt8, true, 1},
		{"upstream_us", TypeInt8, true, 1},
		{"bytes_in", TypeInt8, true, 1},
		{"bytes_out", TypeInt8, true, 1},
		{"environment", TypeText, false, 1},
		{"cost", TypeFloat8, true, 1},
		{"retention_until", TypeTimestamp, false, 1},
		{"details", TypeJSONB, false, 1},
		{"format", TypeInt4, false, 2},
		{"writer_id", TypeUUID, true, 1},
		{"seq", TypeInt8, true, 1},
		{"hash", TypeBytea, true, 1},
	}
}
