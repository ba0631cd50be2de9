package cli_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store/sqlite"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// trail is the writer's side of an audit trail: what the shipper does in a gateway.
type trail struct {
	db     *sqlite.DB
	writer uuid.UUID
	last   int64
}

// openTrail opens the database of a data directory, which a gateway may have open too.
func openTrail(t *testing.T, dir string) *trail {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "sark.db"), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the trail: %v", err)
		}
	})
	return &trail{db: db, writer: uuid.New()}
}

func (r *trail) add(t *testing.T, events ...audit.Event) {
	t.Helper()
	tuples := make([][]byte, len(events))
	for i := range events {
		e := &events[i]
		e.WriterID, e.Seq = r.writer, r.last+int64(i)+1
		tuples[i] = audit.AppendTuple(nil, e)
	}
	if err := r.db.AppendEvents(t.Context(), r.writer, r.last, r.last+int64(len(events)), tuples); err != nil {
		t.Fatal(err)
	}
	r.last += int64(len(events))
}

// invoked is the event of a tool call.
func invoked(at time.Time, user, tool, decision, reason string) audit.Event {
	outcome := audit.OutcomeAllowed
	if decision == "deny" {
		outcome = audit.OutcomeDenied
	}
	return audit.Event{
		ID: audit.NewID(at), Time: at, ClassUID: 6003, EventType: "tool_invoked", Severity: audit.SeverityLow,
		Phase: audit.PhaseSingle, Outcome: outcome, Decision: decision, Reason: reason, ExchangeID: audit.NewID(at),
		UserID: user, PrincipalType: "user", Action: "tool:invoke", ResourceType: "tool", Method: "tools/call",
		ServerID: "desk", ServerName: "desk", ToolName: tool, IP: netip.MustParseAddr("10.1.2.3"), StatusCode: 200,
	}
}

// fourEvents fills a fresh trail: one event an hour, the last of them at start.
func fourEvents(t *testing.T) (dir string, start time.Time) {
	t.Helper()
	dir, start = t.TempDir(), time.Now().Truncate(time.Microsecond).Add(-time.Minute)
	stream := invoked(start.Add(-2*time.Hour), "ben", "watch", "allow", "granted")
	stream.Outcome = audit.OutcomeUpstreamFailed
	openTrail(t, dir).add(t,
		invoked(start.Add(-3*time.Hour), "ana", "run_report", "allow", "granted"), stream,
		invoked(start.Add(-time.Hour), "ana", "refund_order", "deny", "over the limit"),
		invoked(start, "cy\x1b[2J", "run_report", "allow", "a reason\nof two lines"),
	)
	return dir, start
}

func TestAuditQueryTable(t *testing.T) {
	dir, start := fourEvents(t)
	at := func(hours int) string {
		return start.Add(time.Duration(hours) * time.Hour).Local().Format("2006-01-02T15:04:05.000Z07:00")
	}

	r := run(t, "audit", "query", "--data-dir", dir)

	compare(t, result{0, fmt.Sprintf("%-*s", len(at(0)), "TIME") + `  DECISION               USER          ACTION          SERVER/TOOL           REASON
` + at(0) + `  allow                  cy` + "\uFFFD" + `[2J        tool:invoke     desk/run_report       a reason` + "\uFFFD" + `of two lines
` + at(-1) + `  deny                   ana           tool:invoke     desk/refund_order     over the limit
` + at(-2) + `  allow/upstream_failed  ben           tool:invoke     desk/watch            granted
` + at(-3) + `  allow                  ana           tool:invoke     desk/run_report       granted
`, ""}, r)
}

// TestAuditQueryFilters names the users of the events that each filter leaves.
func TestAuditQueryFilters(t *testing.T) {
	dir, start := fourEvents(t)
	for name, test := range map[string]struct{ flags, want string }{
		"all":            {"", "cy ana ben ana"},
		"user":           {"--user ana", "ana ana"},
		"tool":           {"--tool run_report", "cy ana"},
		"server":         {"--server nowhere", ""},
		"decision":       {"--decision deny", "ana"},
		"outcome":        {"--outcome upstream_failed", "ben"},
		"type":           {"--type tool_invoked --user ben", "ben"},
		"since a span":   {"--since 90m", "cy ana"},
		"since days":     {"--since 1d", "cy ana ben ana"},
		"until a span":   {"--until 90m", "ben ana"},
		"between times":  {"--since " + start.Add(-2*time.Hour).Format(time.RFC3339Nano) + " --until " + start.UTC().Format(time.RFC3339Nano), "ana ben"},
		"nothing at all": {"--since 1s", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, append([]string{"audit", "query", "--data-dir", dir, "--output", "json"}, strings.Fields(test.flags)...)...)
			if diff := cmp.Diff(test.want, users(t, r.Out)); diff != "" || r.Code != 0 || r.Err != "" {
				t.Errorf("users (-want +got):\n%s\n%+v", diff, r)
			}
		})
	}
}

// users returns the users of events that stand one a line, up to their first control character.
func users(t *testing.T, lines string) string {
	t.Helper()
	var names []string
	for line := range strings.Lines(lines) {
		var e struct {
			User string `json:"user_id"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		name, _, _ := strings.Cut(e.User, "\x1b")
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// TestAuditQueryCursor walks through the trail page by page.
func TestAuditQueryCursor(t *testing.T) {
	dir, _ := fourEvents(t)
	query := []string{"audit", "query", "--data-dir", dir, "--output", "json", "--limit", "3"}
	more := regexp.MustCompile(`^there is more: add --cursor (\S+)\n$`)

	first := run(t, query...)
	cursor := more.FindStringSubmatch(first.Err)
	if cursor == nil {
		t.Fatalf("the first page tells no cursor: %+v", first)
	}
	second := run(t, append(query, "--cursor", cursor[1])...)

	if diff := cmp.Diff([]string{"cy ana ben", "ana", ""}, []string{users(t, first.Out), users(t, second.Out), second.Err}); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	compare(t, result{2, "", "sark: --cursor: not a cursor of this list\n"}, run(t, append(query, "--cursor", "AAAA")...))
}

// TestAuditQueryLong prints more events than one question to the store gives.
func TestAuditQueryLong(t *testing.T) {
	dir := t.TempDir()
	start, events := time.Now().Add(-time.Hour), make([]audit.Event, 450)
	for i := range events {
		events[i] = invoked(start.Add(time.Duration(i)*time.Second), fmt.Sprintf("u%d", i), "run_report", "allow", "")
	}
	openTrail(t, dir).add(t, events...)

	r := run(t, "audit", "query", "--data-dir", dir, "--output", "json", "--limit", "430")

	names := strings.Fields(users(t, r.Out))
	if len(names) != 430 || names[0] != "u449" || names[429] != "u20" || !strings.HasPrefix(r.Err, "there is more") {
		t.Errorf("%d events, from %s to %s; %s", len(names), names[0], names[len(names)-1], r.Err)
	}
}
