package api_test

import (
	"testing"
	"time"

	"sark/store"
)

// TestRollups counts the trail of the event tests by hour and by day.
func TestRollups(t *testing.T) {
	g, _ := trail(t)
	hours, err := g.db.DirtyHours(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, hour := range hours {
		if err := g.db.Recount(t.Context(), hour); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]float64{
		"": 5, "?bucket=day": 5, "?server=crm": 3, "?server=crm&tool=find": 2, "?from=-1h": 5, "?to=-2d": 0,
	} {
		r := g.get(t, "/api/v1/audit/rollups"+query)
		body, ok := r.Body.(map[string]any)
		if r.Code != 200 || !ok {
			t.Fatalf("%s: status %d, body %v", query, r.Code, r.Body)
		}
		var sum float64
		for _, item := range body["items"].([]any) {
			sum += item.(map[string]any)["events"].(float64)
		}
		diff(t, query, want, sum)
	}
	r := g.get(t, "/api/v1/audit/rollups?tool=refund")
	diff(t, "reply", any(map[string]any{
		"bucket": "hour", "from": at("12:00:00").Add(-24 * time.Hour).Format(time.RFC3339), "to": at("12:00:00").Format(time.RFC3339), "has_more": false,
		"items": []any{map[string]any{
			"start": at("11:00:00").Format(time.RFC3339), "server_id": "", "server_name": "crm", "tool_name": "refund", "decision": "deny",
			"outcome": "denied", "events": 1.0, "duration_us": 0.0, "upstream_us": 0.0, "bytes_in": 0.0, "bytes_out": 0.0,
		}},
	}), r.Body)
}

func TestRollupsRefuseBadParameters(t *testing.T) {
	g, _ := trail(t)
	for _, query := range []string{"bucket=week", "from=-1h&to=-2h", "user_id=a", "from=yesterday", "server="} {
		if r := g.get(t, "/api/v1/audit/rollups?"+query); r.Code != 400 {
			t.Errorf("%s: status %d, body %v", query, r.Code, r.Body)
		}
	}
	if _, err := g.db.Rollups(t.Context(), store.RollupFilter{Bucket: "week"}); err == nil {
		t.Error("the store knows weeks")
	}
}
