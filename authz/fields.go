package authz

import "sark/internal/authn"

// field is one value of the input document that has a fixed place. The values below principal.claims, the arguments,
// context and policy_config have none: see wanted.
type field uint8

// The fields, in the order of fieldTable.
const (
	fieldAction field = iota
	fieldVersion
	fieldServerID
	fieldServerName
	fieldServerSensitivity
	fieldServerTeams
	fieldServerOwnerID
	fieldServerStatus
	fieldToolName
	fieldToolSensitivity
	fieldToolKnown
	fieldToolReadOnly
	fieldResourceType
	fieldResourceID
	fieldResourceSensitivity
	fieldResourceTeams
	fieldResourceOwnerID
	fieldMCPMethod
	fieldMCPPhase
	fieldMCPName
	fieldMCPURI
	fieldMCPProtocolVersion
	fieldMCPEra
	fieldRequestMethod
	fieldRequestPath
	fieldRequestClientIP
	fieldTimeHour
	fieldTimeMinute
	fieldTimeWeekday
	fieldTimeUnix
	fieldPrincipalID // from here on fields of the principal
	fieldPrincipalType
	fieldPrincipalMethod
	fieldPrincipalIssuer
	fieldPrincipalClientID
	fieldPrincipalKeyID
	fieldPrincipalEmail
	fieldPrincipalRoles
	fieldPrincipalTeams
	fieldPrincipalScopes
	fieldPrincipalAuthenticated
	fieldPrincipalRole
	fields // their number
)

// fieldSet is a set of fields.
type fieldSet uint64

func (w fieldSet) has(f field) bool { return w&(1<<f) != 0 }

const (
	allFields       = fieldSet(1)<<fields - 1
	principalFields = allFields &^ (1<<fieldPrincipalID - 1)
	timeFields      = fieldSet(1<<(fieldTimeUnix+1) - 1<<fieldTimeHour)
	serverFields    = fieldSet(1<<(fieldServerStatus+1) - 1<<fieldServerID)
	toolFields      = fieldSet(1<<(fieldToolReadOnly+1) - 1<<fieldToolName)
	resourceFields  = fieldSet(1<<(fieldResourceOwnerID+1) - 1<<fieldResourceType)
	mcpFields       = fieldSet(1<<(fieldMCPEra+1) - 1<<fieldMCPMethod)
	requestFields   = fieldSet(1<<(fieldRequestClientIP+1) - 1<<fieldRequestMethod)
)

// principalEncoder encodes one field of the principal.
type principalEncoder = func(b []byte, p *authn.Principal) []byte

// fieldPaths says where in the input document each field stands.
func fieldPaths() [fields]inputPath {
	return [fields]inputPath{
		fieldAction:                 {"action"},
		fieldVersion:                {"version"},
		fieldServerID:               {"server", "id"},
		fieldServerName:             {"server", "name"},
		fieldServerSensitivity:      {"server", "sensitivity_level"},
		fieldServerTeams:            {"server", "teams"},
		fieldServerOwnerID:          {"server", "owner_id"},
		fieldServerStatus:           {"server", "status"},
		fieldToolName:               {"tool", "name"},
		fieldToolSensitivity:        {"tool", "sensitivity_level"},
		fieldToolKnown:              {"tool", "known"},
		fieldToolReadOnly:           {"tool", "read_only"},
		fieldResourceType:           {"resource", "type"},
		fieldResourceID:             {"resource", "id"},
		fieldResourceSensitivity:    {"resource", "sensitivity_level"},
		fieldResourceTeams:          {"resource", "teams"},
		fieldResourceOwnerID:        {"resource", "owner_id"},
		fieldMCPMethod:              {"mcp", "method"},
		fieldMCPPhase:               {"mcp", "phase"},
		fieldMCPName:                {"mcp", "name"},
		fieldMCPURI:                 {"mcp", "uri"},
		fieldMCPProtocolVersion:     {"mcp", "protocol_version"},
		fieldMCPEra:                 {"mcp", "era"},
		fieldRequestMethod:          {"request", "method"},
		fieldRequestPath:            {"request", "path"},
		fieldRequestClientIP:        {"request", "client_ip"},
		fieldTimeHour:               {"time", "hour"},
		fieldTimeMinute:             {"time", "minute"},
		fieldTimeWeekday:            {"time", "weekday"},
		fieldTimeUnix:               {"time", "unix"},
		fieldPrincipalID:            {"principal", "id"},
		fieldPrincipalType:          {"principal", "type"},
		fieldPrincipalMethod:        {"principal", "method"},
		fieldPrincipalIssuer:        {"principal", "issuer"},
		fieldPrincipalClientID:      {"principal", "client_id"},
		fieldPrincipalKeyID:         {"principal", "key_id"},
		fieldPrincipalEmail:         {"principal", "email"},
		fieldPrincipalRoles:         {"principal", "roles"},
		fieldPrincipalTeams:         {"principal", "teams"},
		fieldPrincipalScopes:        {"principal", "scopes"},
		fieldPrincipalAuthenticated: {"principal", "authenticated"},
		fieldPrincipalRole:          {"principal", "role"},
	}
}
