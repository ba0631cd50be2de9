package ocsf

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// class is what a class says of its events.
type class struct {
	category     int32
	categoryName string
	name         string
}

// classOf describes a class; events of one that is unknown here are API activity.
func classOf(uid int32) (int32, class) {
	switch uid {
	case DetectionFinding:
		return uid, class{2, "Findings", "Detection Finding"}
	case Authentication:
		return uid, class{3, "Identity & Access Management", "Authentication"}
	case EntityManagement:
		return uid, class{3, "Identity & Access Management", "Entity Management"}
	}
	return APIActivity, class{6, "Application Activity", "API Activity"}
}

// Of renders an event. It keeps nothing of the event's memory but its strings.
func Of(e *audit.Event) *Event {
	uid, c := classOf(e.ClassUID)
	o := &Event{
		ClassUID: uid, ClassName: c.name, CategoryUID: c.category, CategoryName: c.categoryName,
		Metadata: metadataOf(e), Unmapped: map[string]any{},
		Attestations: []attestation{{ChainUID: e.WriterID.String(), Fingerprint: fingerprint{
			Algorithm: "SHA-256", AlgorithmID: 3, EncodingID: 1, Value: hex.EncodeToString(e.Hash[:]),
		}}},
	}
	o.ActivityID, o.ActivityName = activity(uid, e)
	o.TypeUID, o.TypeName = int64(uid)*100+int64(o.ActivityID), c.name+": "+o.ActivityName
	o.setTimes(e)
	o.setResult(e)
	o.setVerdict(e)
	o.setUnmapped(e)
	switch uid {
	case DetectionFinding:
		o.fillFinding(e)
	case Authentication:
		o.fillAuthentication(e)
	case EntityManagement:
		o.fillEntity(e)
	default:
		o.fillAPI(e)
	}
	o.Metadata.Profiles = o.profiles()
	if len(o.Unmapped) == 0 {
		o.Unmapped = nil
	}
	return o
}

func metadataOf(e *audit.Event) metadata {
	m := metadata{
		Version: Version, Product: product{Name: "SARK", VendorName: "SARK"}, UID: e.ID.String(), Sequence: e.Seq,
		EventCode: e.EventType, LogName: "audit", CorrelationUID: idText(e.ExchangeID),
	}
	if e.Environment != "" {
		m.Labels = []string{"environment:" + e.Environment}
	}
	return m
}

// idText is empty for an id that is not set.
func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// activity names what was done in the words of the class.
func activity(uid int32, e *audit.Event) (id int32, name string) {
	switch uid {
	case Authentication:
		return 1, "Logon"
	case DetectionFinding:
		return 1, "Create"
	}
	_, verb, _ := strings.Cut(e.Action, ":")
	switch verb {
	case "register", "create":
		return 1, "Create"
	case "read", "list", "get":
		return 2, "Read"
	case "update":
		return 3, "Update"
	case "delete":
		return 4, "Delete"
	case "":
		return 0, "Unknown"
	}
	return 99, verb
}

// setTimes says when the exchange began and ended. A close event's own time is that of the end.
func (o *Event) setTimes(e *audit.Event) {
	o.Time = e.Time.UnixMilli()
	begin, end := e.Time, e.Time.Add(time.Duration(e.DurationUS)*time.Microsecond)
	if e.Phase == audit.PhaseClose {
		begin, end = e.Time.Add(-time.Duration(e.DurationUS)*time.Microsecond), e.Time
	}
	o.StartTime = begin.UnixMilli()
	if e.Phase != audit.PhaseOpen {
		o.EndTime, o.Duration = end.UnixMilli(), e.DurationUS/1000
	}
}

func (o *Event) setResult(e *audit.Event) {
	o.SeverityID, o.Severity = severity(e.Severity)
	switch {
	case e.Phase == audit.PhaseOpen || e.Outcome == audit.OutcomeUnknown:
		o.StatusID, o.Status = 0, "Unknown"
	case e.Success:
		o.StatusID, o.Status = 1, "Success"
	default:
		o.StatusID, o.Status = 2, "Failure"
	}
	if e.StatusCode != 0 {
		o.StatusCode = strconv.Itoa(int(e.StatusCode))
	}
	o.StatusDetail = e.Reason
	o.Message = strings.TrimSpace(e.EventType + " " + string(e.Outcome))
}

func severity(s audit.Severity) (int32, string) {
	switch s {
	case audit.SeverityLow:
		return 2, "Low"
	case audit.SeverityMedium:
		return 3, "Medium"
	case audit.SeverityHigh:
		return 4, "High"
	case audit.SeverityCritical:
		return 5, "Critical"
	}
	return 0, "Unknown"
}

// setVerdict says what the policy, or the gateway before it, made of the call.
func (o *Event) setVerdict(e *audit.Event) {
	refused := e.Decision == "deny" || e.Outcome == audit.OutcomeDenied
	switch {
	case refused:
		o.ActionID, o.Action, o.DispositionID, o.Disposition = 2, "Denied", 2, "Blocked"
	case e.Outcome == audit.OutcomeError:
		o.ActionID, o.Action, o.DispositionID, o.Disposition = 99, "Other", 27, "Error"
	case e.Decision == "allow":
		o.ActionID, o.Action, o.DispositionID, o.Disposition = 1, "Allowed", 1, "Allowed"
	default:
		o.Action, o.Disposition = "Unknown", "Unknown"
	}
	if e.PolicyID != "" || e.Rule != "" {
		o.Policy = &policy{UID: e.PolicyID, Name: e.Rule, Version: e.PolicyRevision, IsApplied: e.PolicyID != ""}
	}
	if e.Decision != "" {
		o.Authorizations = []authorization{{Decision: e.Decision, Policy: o.Policy}}
	}
}

// profiles lists the profiles whose attributes the event has.
func (o *Event) profiles() []string {
	list := []string{"record_integrity", "security_control"}
	if o.Context != nil {
		list = append([]string{"ai_operation"}, list...)
	}
	if o.Trace != nil {
		list = append(list, "trace")
	}
	return list
}

// setUnmapped keeps what OCSF has no attribute for, or not in every class, under the column's name.
func (o *Event) setUnmapped(e *audit.Event) {
	for name, text := range map[string]string{
		"phase": string(e.Phase), "outcome": string(e.Outcome), "decision_id": idText(e.DecisionID), "tier": e.Tier, "shadow": e.Shadow,
		"auth_method": e.AuthMethod, "arguments_hash": e.ArgumentsHash, "era": e.Era, "cache_status": e.CacheStatus,
		"resource_type": e.ResourceType,
	} {
		o.keep(name, text)
	}
	for name, n := range map[string]int64{"duration_us": e.DurationUS, "upstream_us": e.UpstreamUS} {
		if n != 0 {
			o.Unmapped[name] = n
		}
	}
	for name, doc := range map[string][]byte{
		"principal_attributes": e.PrincipalAttributes, "action_parameters": e.Arguments, "details": e.Details,
	} {
		o.keepDocument(name, doc)
	}
	if e.Format != 0 {
		o.Unmapped["format"] = e.Format
	}
	if e.Cost != 0 {
		o.Unmapped["cost"] = e.Cost
	}
	if !e.RetentionUntil.IsZero() {
		o.Unmapped["retention_until"] = e.RetentionUntil.Format(time.RFC3339Nano)
	}
}

func (o *Event) keep(name, text string) {
	if text != "" {
		o.Unmapped[name] = text
	}
}

// keepDocument keeps a document; one that is no JSON as a text.
func (o *Event) keepDocument(name string, doc []byte) {
	switch {
	case len(doc) == 0:
	case json.Valid(doc):
		o.Unmapped[name] = json.RawMessage(doc)
	default:
		o.Unmapped[name] = string(doc)
	}
}
