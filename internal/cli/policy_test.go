package cli_test

import (
	"testing"
)

const analystsQuestion = `{"action": "tool:invoke", "principal": {"authenticated": true, "roles": ["analyst"]},
	"tool": {"name": "run_report", "known": true, "sensitivity_level": "%s"}, "mcp": {"phase": "call"}}`

func TestPolicyEval(t *testing.T) {
	bundle := writeFile(t, "policy.rego", `package sark

decision := {
	"allow": input.policy_config.open,
	"reason": "as configured",
	"rule": "config.open",
	"obligations": {"redact": ["$.ssn"], "cache": {"ttl": 30}, "severity": "high"},
}
`)
	directory := bundle[:len(bundle)-len("/policy.rego")]
	open := `{"policy_config": {"open": true}}`
	for name, test := range map[string]struct {
		stdin   string
		args    []string
		environ []string
		want    result
	}{
		"allow": {
			stdin: sprintf(analystsQuestion, "low"),
			args:  []string{"--fail-on-deny"},
			want: result{0, `{"decision":"allow","reason":"analysts may use what is of low or medium sensitivity","rule":"rbac.analyst",` +
				`"obligations":{},"revision":"REVISION"}` + "\n", ""},
		},
		"deny": {
			stdin: sprintf(analystsQuestion, "high"),
			want: result{0, `{"decision":"deny","reason":"your roles do not allow tool:invoke at sensitivity high","rule":"main.not_granted",` +
				`"obligations":{},"revision":"REVISION"}` + "\n", ""},
		},
		"deny that fails": {
			args: []string{"--fail-on-deny", "--input", writeFile(t, "input.json", sprintf(analystsQuestion, "high"))},
			want: result{3, `{"decision":"deny","reason":"your roles do not allow tool:invoke at sensitivity high","rule":"main.not_granted",` +
				`"obligations":{},"revision":"REVISION"}` + "\n", ""},
		},
		"another bundle with obligations": {
			stdin: open,
			args:  []string{"--bundle", directory},
			want: result{0, `{"decision":"allow","reason":"as configured","rule":"config.open",` +
				`"obligations":{"redact":["$.ssn"],"cache_ttl":30,"severity":"high"},"revision":"REVISION"}` + "\n", ""},
		},
		"policy_config of the configuration": {
			stdin:   `{}`,
			args:    []string{"--bundle", directory},
			environ: []string{`SARK_AUTHZ_POLICY_CONFIG={"open": false}`},
			want: result{0, `{"decision":"deny","reason":"as configured","rule":"config.open","obligations":{},"revision":"REVISION"}` +
				"\n", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := runWith(t, test.environ, test.stdin, append([]string{"policy", "eval"}, test.args...)...)
			r.Out = revision.ReplaceAllString(r.Out, "REVISION")
			compare(t, test.want, r)
		})
	}
	t.Run("empty input", func(t *testing.T) {
		fragments(t, runWith(t, nil, "\n", "policy", "eval"), 1, "the input is empty", "--input FILE")
	})
	t.Run("input that is no object", func(t *testing.T) {
		r := runWith(t, nil, `[1]`, "policy", "eval")
		if r.Code != 1 || r.Out != "" || r.Err == "" {
			t.Errorf("policy eval = %+v, want 1 and a message", r)
		}
	})
}
