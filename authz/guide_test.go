package authz_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/configs/policy"
)

// block is a fenced block of the policy guide: "rego" is a whole policy, "rego extend" a file beside the default policy,
// and "json input" and "json decision" are a question to the policy above and its answer.
var block = regexp.MustCompile("(?ms)^```(rego|rego extend|json input|json decision)\n(.*?)^```$")

// TestGuide runs every sample of the policy guide.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	var e *authz.Engine
	var input []byte
	unasked := ""
	for _, b := range block.FindAllSubmatch(guide, -1) {
		kind, content := string(b[1]), b[2]
		switch kind {
		case "json input":
			input = content
		case "json decision":
			if e == nil || input == nil {
				t.Fatalf("a decision without policy or input: %s", content)
			}
			compareDecision(t, e, input, content)
			input, unasked = nil, ""
		default:
			if unasked != "" {
				t.Errorf("nothing is asked of the sample\n%s", unasked)
			}
			e, unasked = open(t, authz.Options{Bundle: writeSample(t, kind, content), WatchInterval: -1}), string(content)
		}
	}
	if e == nil || unasked != "" {
		t.Errorf("no sample, or nothing is asked of the last one: %s", unasked)
	}
}

func writeSample(t *testing.T, kind string, content []byte) string {
	t.Helper()
	dir := writeFiles(t, map[string]string{"sample.rego": string(content)})
	if kind == "rego extend" {
		if err := os.CopyFS(dir, policy.FS); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func compareDecision(t *testing.T, e *authz.Engine, input, want []byte) {
	t.Helper()
	d, err := e.EvalJSON(t.Context(), input)
	if err != nil {
		t.Fatalf("%v\n%s", err, input)
	}
	if diff := cmp.Diff(normal(t, want), normal(t, asPolicy(t, d))); diff != "" || d.Err != nil {
		t.Errorf("%s(-guide +engine, error %v):\n%s", input, d.Err, diff)
	}
}

// asPolicy writes a decision as a policy writes it.
func asPolicy(t *testing.T, d authz.Decision) []byte {
	t.Helper()
	type limit struct {
		Key    string  `json:"key"`
		Rate   int     `json:"rate"`
		Period float64 `json:"period"`
		Burst  int     `json:"burst"`
	}
	type obligations struct {
		Redact   []authz.RedactRule `json:"redact,omitempty"`
		Cache    map[string]float64 `json:"cache,omitempty"`
		Limit    *limit             `json:"limit,omitempty"`
		Severity string             `json:"severity,omitempty"`
	}
	o := obligations{Severity: d.Obligations.Severity}
	if r := d.Obligations.Redact; r != nil {
		o.Redact = r.Rules
	}
	if d.Obligations.CacheTTL >= 0 {
		o.Cache = map[string]float64{"ttl": d.Obligations.CacheTTL.Seconds()}
	}
	if l := d.Obligations.Limit; l != nil {
		o.Limit = &limit{l.Key, l.Rate, l.Period.Seconds(), l.Burst}
	}
	written, err := json.Marshal(struct {
		Allow       bool        `json:"allow"`
		Reason      string      `json:"reason,omitempty"`
		Rule        string      `json:"rule,omitempty"`
		Obligations obligations `json:"obligations,omitzero"`
	}{d.Allow, d.Reason, d.Rule, o})
	if err != nil {
		t.Fatal(err)
	}
	return written
}

func normal(t *testing.T, document []byte) any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatal(fmt.Errorf("%w\n%s", err, document))
	}
	return v
}
