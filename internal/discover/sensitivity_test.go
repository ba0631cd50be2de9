package discover_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/discover"
)

func TestSuggest(t *testing.T) {
	for _, c := range []struct {
		name, description, schema, level string
		because                          []string
	}{
		{"delete_customer", "", "", "high", []string{"delete"}},
		{"deleteCustomer", "", "", "high", []string{"delete"}},
		{"rotateAPIKey", "", "", "critical", []string{"key"}},
		{"monkey", "a keyboard, compost and an input", "", "medium", nil},
		{"charge", "Takes the number of a credit card.", "", "critical", []string{"credit card"}},
		{"find", "", `{"type":"object","properties":{"user":{},"passwords":{}}}`, "critical", []string{"password"}},
		{"find", "lists what is there", `{"properties":7}`, "low", []string{"list", "find"}},
		{"run", "Executes or drops. Then writes.", "", "high", []string{"drop", "execute"}},
		{"save_list", "", "", "medium", []string{"save"}},
		{"", "", "", "medium", nil},
		{"credit", "card", "", "medium", nil}, // one after the other, but not in one text
	} {
		level, because := discover.Suggest(c.name, c.description, []byte(c.schema))
		slices.Sort(because)
		slices.Sort(c.because)
		if diff := cmp.Diff([]any{c.level, c.because}, []any{level, because}); diff != "" {
			t.Errorf("%q, %q (-want +got):\n%s", c.name, c.description, diff)
		}
	}
}

// FuzzSuggest sees that no text breaks it, and that the reason is a reason.
func FuzzSuggest(f *testing.F) {
	f.Add("deleteCustomer", "lists", []byte(`{"properties":{"key":{}}}`))
	f.Add("ÄÖ\xff", "", []byte(`{`))
	f.Fuzz(func(t *testing.T, name, description string, schema []byte) {
		level, because := discover.Suggest(name, description, schema)
		if !slices.Contains([]string{"low", "medium", "high", "critical"}, level) || (len(because) == 0) && level != "medium" {
			t.Errorf("level %q because of %q", level, because)
		}
	})
}
