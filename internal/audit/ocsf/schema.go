package ocsf

import "encoding/json"

// Version is the version of the schema.
const Version = "1.9.0"

// Classes, as their class_uid, into which events fall.
const (
	DetectionFinding int32 = 2004
	Authentication   int32 = 3002
	EntityManagement int32 = 3004
	APIActivity      int32 = 6003
)

// Event is an event in the form of its class. Attributes that the class does not have are left empty.
type Event struct {
	Metadata     metadata `json:"metadata"`
	Time         int64    `json:"time"` // milliseconds since 1970
	StartTime    int64    `json:"start_time,omitempty"`
	EndTime      int64    `json:"end_time,omitempty"`
	Duration     int64    `json:"duration,omitempty"` // milliseconds
	CategoryUID  int32    `json:"category_uid"`
	CategoryName string   `json:"category_name"`
	ClassUID     int32    `json:"class_uid"`
	ClassName    string   `json:"class_name"`
	ActivityID   int32    `json:"activity_id"`
	ActivityName string   `json:"activity_name"`
	TypeUID      int64    `json:"type_uid"`
	TypeName     string   `json:"type_name"`
	SeverityID   int32    `json:"severity_id"`
	Severity     string   `json:"severity"`
	StatusID     int32    `json:"status_id"`
	Status       string   `json:"status"`
	StatusCode   string   `json:"status_code,omitempty"`
	StatusDetail string   `json:"status_detail,omitempty"`
	Message      string   `json:"message"`

	// The profile security_control: what the policy said.
	ActionID       int32           `json:"action_id"`
	Action         string          `json:"action"`
	DispositionID  int32           `json:"disposition_id"`
	Disposition    string          `json:"disposition"`
	Policy         *policy         `json:"policy,omitempty"`
	Authorizations []authorization `json:"authorizations,omitempty"`

	Actor        *actor        `json:"actor,omitempty"`
	User         *user         `json:"user,omitempty"`
	Service      *entity       `json:"service,omitempty"`
	Session      *session      `json:"session,omitempty"`
	API          *api          `json:"api,omitempty"`
	Source       *endpoint     `json:"src_endpoint,omitempty"`
	Destination  *endpoint     `json:"dst_endpoint,omitempty"`
	HTTPRequest  *httpRequest  `json:"http_request,omitempty"`
	HTTPResponse *httpResponse `json:"http_response,omitempty"`
	Resources    []resource    `json:"resources,omitempty"`
	Entity       *entity       `json:"entity,omitempty"`
	Finding      *finding      `json:"finding_info,omitempty"`

	// The profiles trace, ai_operation and record_integrity.
	Trace        *trace          `json:"trace,omitempty"`
	Context      *messageContext `json:"message_context,omitempty"`
	Attestations []attestation   `json:"attestation_list,omitempty"`

	Unmapped map[string]any `json:"unmapped,omitempty"`
}

type metadata struct {
	Version        string   `json:"version"`
	Product        product  `json:"product"`
	Profiles       []string `json:"profiles"`
	UID            string   `json:"uid"`
	Sequence       int64    `json:"sequence"`
	EventCode      string   `json:"event_code"`
	LogName        string   `json:"log_name"`
	CorrelationUID string   `json:"correlation_uid,omitempty"`
	Labels         []string `json:"labels,omitempty"`
}

type product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

type policy struct {
	UID       string `json:"uid,omitempty"`
	Name      string `json:"name,omitempty"`
	Version   string `json:"version,omitempty"`
	IsApplied bool   `json:"is_applied"`
}

type authorization struct {
	Decision string  `json:"decision"`
	Policy   *policy `json:"policy,omitempty"`
}

type actor struct {
	User           *user           `json:"user,omitempty"`
	Session        *session        `json:"session,omitempty"`
	Authorizations []authorization `json:"authorizations,omitempty"`
}

type user struct {
	UID           string   `json:"uid,omitempty"`
	Name          string   `json:"name,omitempty"`
	Email         string   `json:"email_addr,omitempty"`
	TypeID        int32    `json:"type_id"`
	Type          string   `json:"type,omitempty"`
	CredentialUID string   `json:"credential_uid,omitempty"`
	Groups        []entity `json:"groups,omitempty"`
}

// entity is whatever has a name or an id: a group, a service, a managed entity.
type entity struct {
	UID     string `json:"uid,omitempty"`
	Name    string `json:"name,omitempty"`
	Type    string `json:"type,omitempty"`
	Version string `json:"version,omitempty"`
}

type session struct {
	UID string `json:"uid"`
}

type api struct {
	Operation string       `json:"operation"`
	Group     *entity      `json:"group,omitempty"`
	Version   string       `json:"version,omitempty"`
	Service   *entity      `json:"service,omitempty"`
	Request   *apiRequest  `json:"request,omitempty"`
	Response  *apiResponse `json:"response,omitempty"`
}

type apiRequest struct {
	UID string `json:"uid"`
}

type apiResponse struct {
	Code         int32  `json:"code,omitempty"`
	ErrorMessage string `json:"error_message,omitempty"`
}

type endpoint struct {
	IP      string `json:"ip,omitempty"`
	Name    string `json:"name,omitempty"`
	UID     string `json:"uid,omitempty"`
	Service string `json:"svc_name,omitempty"`
}

type httpRequest struct {
	Method     string `json:"http_method,omitempty"`
	URL        *url   `json:"url,omitempty"`
	UserAgent  string `json:"user_agent,omitempty"`
	BodyLength int64  `json:"body_length"`
}

type url struct {
	Path string `json:"path"`
}

type httpResponse struct {
	Code       int32 `json:"code"`
	BodyLength int64 `json:"body_length"`
}

type resource struct {
	UID         string `json:"uid,omitempty"`
	Name        string `json:"name,omitempty"`
	Type        string `json:"type,omitempty"`
	Criticality string `json:"criticality,omitempty"`
}

type finding struct {
	UID   string `json:"uid"`
	Title string `json:"title"`
	Desc  string `json:"desc,omitempty"`
}

type trace struct {
	UID  string `json:"uid"`
	Span *span  `json:"span,omitempty"`
}

type span struct {
	UID       string `json:"uid"`
	StartTime int64  `json:"start_time"`
	EndTime   int64  `json:"end_time"`
}

type messageContext struct {
	Name    string  `json:"name"`
	RoleID  int32   `json:"ai_role_id"`
	Role    string  `json:"ai_role"`
	Service *entity `json:"service"`
}

type attestation struct {
	ChainUID    string      `json:"chain_uid"`
	Fingerprint fingerprint `json:"fingerprint"`
}

type fingerprint struct {
	Algorithm   string `json:"algorithm"`
	AlgorithmID int32  `json:"algorithm_id"`
	EncodingID  int32  `json:"encoding_id"`
	Value       string `json:"value"`
}

// Append appends an event as a JSON object in one line.
func Append(dst []byte, e *Event) ([]byte, error) {
	text, err := json.Marshal(e)
	return append(dst, text...), err
}
