package ocsf_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/internal/audit/ocsf"
)

// schema is testdata/schema.json.
type schema struct {
	Classes map[string]shape
	Objects map[string]shape
}

type shape struct {
	Name       string
	Caption    string
	Category   string
	Profiles   []string
	AtLeastOne []string `json:"at_least_one"`
	Attributes map[string]attribute
}

type attribute struct {
	Type     string
	Array    bool
	Required bool
	Profile  string
	Enum     []int64
}

func readSchema(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// check lists what of a rendered event the schema does not allow.
func (s *schema) check(e map[string]any) []string {
	c, ok := s.Classes[fmt.Sprint(e["class_uid"])]
	if !ok {
		return []string{fmt.Sprintf("there is no class %v", e["class_uid"])}
	}
	var profiles []string
	for _, p := range e["metadata"].(map[string]any)["profiles"].([]any) {
		profiles = append(profiles, p.(string))
	}
	var wrong []string
	for _, p := range profiles {
		if !slices.Contains(c.Profiles, p) {
			wrong = append(wrong, "the class has no profile "+p)
		}
	}
	return append(wrong, s.checkShape("", c, e, profiles)...)
}

func (s *schema) checkShape(at string, o shape, v map[string]any, profiles []string) (wrong []string) {
	for name, value := range v {
		a, ok := o.Attributes[name]
		switch {
		case !ok:
			wrong = append(wrong, at+name+": the schema has no such attribute")
			continue
		case a.Profile != "" && !slices.Contains(profiles, a.Profile):
			wrong = append(wrong, at+name+": profile "+a.Profile+" is not named")
		}
		wrong = append(wrong, s.checkValue(at+name, a, value, profiles)...)
	}
	for name, a := range o.Attributes {
		if _, ok := v[name]; a.Required && !ok && (a.Profile == "" || slices.Contains(profiles, a.Profile)) {
			wrong = append(wrong, at+name+": is required")
		}
	}
	has := func(name string) bool { _, ok := v[name]; return ok }
	if len(o.AtLeastOne) > 0 && !slices.ContainsFunc(o.AtLeastOne, has) {
		wrong = append(wrong, at+": needs one of "+strings.Join(o.AtLeastOne, ", "))
	}
	return wrong
}

func (s *schema) checkValue(at string, a attribute, value any, profiles []string) (wrong []string) {
	if a.Array {
		list, ok := value.([]any)
		if !ok {
			return []string{at + ": should be a list"}
		}
		a.Array = false
		for _, item := range list {
			wrong = append(wrong, s.checkValue(at+"[]", a, item, profiles)...)
		}
		return wrong
	}
	switch a.Type {
	case "integer_t", "long_t", "timestamp_t", "port_t":
		n, ok := value.(json.Number)
		i, err := n.Int64()
		if !ok || err != nil {
			return []string{fmt.Sprintf("%s: %v should be a whole number", at, value)}
		}
		if a.Enum != nil && !slices.Contains(a.Enum, i) {
			return []string{fmt.Sprintf("%s: %d is none of %v", at, i, a.Enum)}
		}
	case "boolean_t":
		if _, ok := value.(bool); !ok {
			return []string{at + ": should be a boolean"}
		}
	case "json_t", "object": // anything
	case "ip_t":
		if _, err := netip.ParseAddr(fmt.Sprint(value)); err != nil {
			return []string{at + ": " + err.Error()}
		}
	default:
		if strings.HasSuffix(a.Type, "_t") {
			if _, ok := value.(string); !ok {
				return []string{at + ": should be a text"}
			}
			return nil
		}
		o, ok := s.Objects[a.Type]
		if !ok {
			return []string{at + ": the extract has no object " + a.Type}
		}
		return s.checkShape(at+".", o, value.(map[string]any), profiles)
	}
	return nil
}

// full has something to say in every column.
func full(class int32) audit.Event {
	at := time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)
	id := func(n byte) uuid.UUID { return uuid.UUID{15: n} }
	return audit.Event{
		ID: id(1), Time: at, ClassUID: class, EventType: "c-event_type", Severity: audit.SeverityHigh, Phase: audit.PhaseSingle,
		Outcome: audit.OutcomeUpstreamFailed, Decision: "allow", Rule: "c-rule", Reason: "c-reason", ExchangeID: id(2), DecisionID: id(3),
		PolicyID: "c-policy_id", PolicyRevision: "c-policy_revision", Tier: "c-tier", Shadow: "c-shadow", UserID: "c-user_id",
		UserEmail: "c-user_email", PrincipalType: "user", UserRoles: []string{"c-user_roles"}, AuthMethod: "c-auth_method",
		PrincipalAttributes: []byte(`{"at":"c-principal_attributes"}`), ClientID: "c-client_id", SessionID: "c-session_id",
		Action: "tool:c-action_operation", ResourceType: "c-resource_type", Method: "c-method", ServerID: "c-server_id",
		ServerName: "c-server_name", ToolName: "c-tool_name", Resource: "c-resource", Sensitivity: "c-sensitivity",
		ArgumentsHash: "c-arguments_hash", Arguments: []byte(`{"at":"c-action_parameters"}`), RequestID: "c-request_id",
		TraceID: "c-trace_id", SpanID: "c-span_id", IP: netip.MustParseAddr("192.0.2.7"), UserAgent: "c-user_agent",
		HTTPMethod: "c-http_method", Path: "c-path", ProtocolVersion: "c-protocol_version", Era: "c-era", StatusCode: 902, RPCCode: 903,
		Success: true, ErrorMessage: "c-error_message", CacheStatus: "c-cache_status", DurationUS: 904_000, UpstreamUS: 905,
		BytesIn: 906, BytesOut: 907, Environment: "c-environment", Cost: 908.5, RetentionUntil: at.AddDate(0, 0, 9),
		Details: []byte(`{"at":"c-details"}`), Format: 910, WriterID: id(4), Seq: 909, Hash: [32]byte{0xc0, 0xff, 0xee},
	}
}

func render(t *testing.T, e *audit.Event) map[string]any {
	t.Helper()
	text, err := ocsf.Append(nil, ocsf.Of(e))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSchema holds what is rendered against the published schema: full events, the emptiest ones, and each enumeration.
func TestSchema(t *testing.T) {
	s := readSchema(t)
	for _, class := range []int32{2004, 3002, 3004, 6003, 0} {
		events := []audit.Event{full(class), {ClassUID: class}}
		for _, outcome := range []audit.Outcome{"", "allowed", "denied", "error", "client_gone", "unknown"} {
			for _, word := range []string{"register", "read", "update", "delete", "invoke"} {
				for _, kind := range []string{"", "user", "service", "system", "anonymous"} {
					e := full(class)
					e.Outcome, e.Action, e.PrincipalType, e.Severity = outcome, "server:"+word, kind, audit.Severity("critical")
					events = append(events, e)
				}
			}
		}
		for i := range events {
			v := render(t, &events[i])
			if diff := cmp.Diff([]string(nil), s.check(v)); diff != "" {
				t.Fatalf("class %d: what the schema does not allow (-want +got):\n%s", class, diff)
			}
			c := s.Classes[fmt.Sprint(v["class_uid"])]
			if diff := cmp.Diff([]any{c.Caption, c.Category}, []any{v["class_name"], v["category_name"]}); diff != "" {
				t.Fatalf("names of class %d (-schema +got):\n%s", class, diff)
			}
		}
	}
}

// TestSchemaCheckFinds shows that the check would find mistakes.
func TestSchemaCheckFinds(t *testing.T) {
	s := readSchema(t)
	for name, spoil := range map[string]func(map[string]any){
		"unknown attribute": func(v map[string]any) { v["colour"] = "red" },
		"missing attribute": func(v map[string]any) { delete(v, "api") },
		"wrong type":        func(v map[string]any) { v["time"] = "noon" },
		"wrong enum":        func(v map[string]any) { v["severity_id"] = json.Number("17") },
		"deep":              func(v map[string]any) { v["actor"].(map[string]any)["user"].(map[string]any)["uid"] = true },
		"unnamed profile":   func(v map[string]any) { v["metadata"].(map[string]any)["profiles"] = []any{"trace"} },
	} {
		e := full(6003)
		v := render(t, &e)
		spoil(v)
		if len(s.check(v)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

// TestNothingIsLeftOut looks up every column's value in each class.
func TestNothingIsLeftOut(t *testing.T) {
	for _, class := range []int32{2004, 3002, 3004, 6003} {
		e := full(class)
		text, err := json.Marshal(render(t, &e))
		if err != nil {
			t.Fatal(err)
		}
		var missing []string
		for _, c := range audit.Columns() {
			want := "c-" + c.Name
			switch c.Name {
			case "id", "exchange_id", "decision_id", "writer_id":
				want = map[string]uuid.UUID{"id": e.ID, "exchange_id": e.ExchangeID, "decision_id": e.DecisionID, "writer_id": e.WriterID}[c.Name].String()
			case "timestamp":
				want = fmt.Sprint(e.Time.UnixMilli())
			case "class_uid":
				want = fmt.Sprint(class)
			case "ip_address":
				want = "192.0.2.7"
			case "hash":
				want = "c0ffee"
			case "severity":
				want = "High"
			case "phase", "outcome", "decision", "success", "principal_type":
				continue // words, which TestSchema covers
			case "retention_until":
				want = "2026-12-02"
			case "status_code", "rpc_code", "duration_us", "upstream_us", "bytes_in", "bytes_out", "cost", "format", "seq":
				want = map[string]string{
					"status_code": "902", "rpc_code": "903", "duration_us": "904000", "upstream_us": "905", "bytes_in": "906",
					"bytes_out": "907", "cost": "908.5", "format": "910", "seq": "909",
				}[c.Name]
			}
			if !strings.Contains(string(text), want) {
				missing = append(missing, c.Name)
			}
		}
		if diff := cmp.Diff([]string(nil), missing); diff != "" {
			t.Errorf("class %d leaves out columns (-want +got):\n%s", class, diff)
		}
	}
}
