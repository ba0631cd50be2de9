package app_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// TestRegistryWritesAreDecidedAndRecorded changes a server as its owner and as somebody else, and reads the trail.
func TestRegistryWritesAreDecidedAndRecorded(t *testing.T) {
	dir := dataDir(t)
	g := start(t, configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp"))
	owner, admin := over(g.API, newKey(t, dir, "developer")), overSocket(g.Socket)
	register := func(c caller, name, level string) string {
		var made struct {
			ID string `json:"server_id"`
		}
		c.post(t, "/api/v1/servers/", `{"name":"`+name+`","transport":"stdio","command":"mcp","tools":[],"sensitivity_level":"`+level+`"}`).decode(t, &made)
		return made.ID
	}
	mine, theirs := register(owner, "mine", "low"), register(admin, "theirs", "high")
	statuses := []int{
		owner.do(t, "PATCH", "/api/v1/servers/"+mine, `{"status":"active"}`).Status,
		owner.do(t, "PATCH", "/api/v1/servers/"+theirs, `{"status":"active"}`).Status,
		owner.do(t, "DELETE", "/api/v1/servers/"+theirs, "").Status,
		admin.do(t, "DELETE", "/api/v1/servers/"+theirs, "").Status,
	}
	if diff := cmp.Diff([]int{200, 403, 403, 200}, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	g.stop(t)

	type told struct{ Type, Severity, Server, Details string }
	var got []told
	for _, e := range stored(t, dir) {
		if e.ResourceType == "server" && e.Outcome == "allowed" && e.EventType != "server_registered" {
			got = append(got, told{e.EventType, string(e.Severity), e.ServerID, string(e.Details)})
		}
	}
	want := []told{
		{"server_updated", "medium", mine, `{"changed":["status"],"from":{"status":"registered"},"revision":2,"to":{"status":"active"}}`},
		{"server_decommissioned", "high", theirs, `{"changed":["status"],"from":{"status":"registered"},"revision":2,"to":{"status":"decommissioned"}}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
