package lint_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/authz/lint"
)

// findings lints one file of package sark and returns the codes with their lines.
func findings(t *testing.T, text string, o lint.Options) map[string]int {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.rego"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := authz.ReadBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, f := range lint.Bundle(t.Context(), b, o) {
		found[f.Code+" "+f.Severity] = f.Line
		if f.Message == "" {
			t.Errorf("%+v says nothing", f)
		}
	}
	return found
}

// TestShippedPolicy: the default policy gives no reason to look at it.
func TestShippedPolicy(t *testing.T) {
	b, err := authz.ReadBundle("")
	if err != nil {
		t.Fatal(err)
	}
	if found := lint.Bundle(t.Context(), b, lint.Options{}); len(found) > 0 {
		t.Errorf("findings: %+v", found)
	}
}

const decides = "\n\ndecision := {\"allow\": input.ok}\n"

func TestFindings(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want map[string]int
	}{
		"nothing":                   {"package sark" + decides, map[string]int{}},
		"a default that allows":     {"package sark\n\ndefault decision := {\"allow\": true}", map[string]int{"BLANKET_ALLOW error": 3}},
		"default allow":             {"package sark\n\ndefault allow := true" + decides, map[string]int{"BLANKET_ALLOW error": 3}},
		"default deny":              {"package sark\n\ndefault allow := false" + decides, map[string]int{}},
		"a decision that allows":    {"package sark\n\ndecision := {\"allow\": true}", map[string]int{"UNCONDITIONAL_ALLOW error": 3}},
		"a grant without condition": {"package sark\n\ngrant[\"a\"] := \"b\"" + decides, map[string]int{"UNCONDITIONAL_ALLOW error": 3}},
		"allow if true":             {"package sark\n\nallow if true" + decides, map[string]int{"UNCONDITIONAL_ALLOW error": 3}},
		"conditions of constants":   {"package sark\n\ngrant[\"a\"] := \"b\" if {\n\t1 == 1\n\t2 > 1\n}" + decides, map[string]int{"EMPTY_ALLOW_CONDITION error": 3}},
		"a grant elsewhere":         {"package sark\n\ngrant[\"a\"] := \"b\" if input.x" + decides, map[string]int{}},
		"http.send": {
			"package sark\n\nx := http.send({\"method\": \"get\", \"url\": input.u})" + decides, map[string]int{"FORBIDDEN_HTTP_SEND error": 3},
		},
		"http.send that decides": {
			"package sark\n\ndecision := {\"allow\": http.send({\"method\": \"get\", \"url\": input.u}).body.ok}",
			map[string]int{"FORBIDDEN_HTTP_SEND error": 3, "NONDETERMINISTIC_BUILTIN warning": 3},
		},
		"opa.runtime":   {"package sark\n\nx := opa.runtime().env" + decides, map[string]int{"FORBIDDEN_OPA_RUNTIME error": 3}},
		"a name lookup": {"package sark\n\nx := net.lookup_ip_addr(\"a\")" + decides, map[string]int{"FORBIDDEN_NET_LOOKUP error": 3}},
		"the clock":     {"package sark\n\ndecision := {\"allow\": time.now_ns() > input.x}", map[string]int{"NONDETERMINISTIC_BUILTIN warning": 3}},
		"whole input": {
			"package sark\n\ndecision := {\"allow\": input[_] == 1}", map[string]int{"WALK_FULL_INPUT warning": 3, "NOT_MEMOISED warning": 3},
		},
		"walk of the input": {
			"package sark\n\ndecision := {\"allow\": count([x | walk(input, [_, x])]) > 1}",
			map[string]int{"WALK_FULL_INPUT warning": 3, "NOT_MEMOISED warning": 3},
		},
		"all arguments":        {"package sark\n\ndecision := {\"allow\": input.tool.parameters[input.action] == 1}", map[string]int{"WIDE_READ warning": 0}},
		"every second":         {"package sark\n\ndecision := {\"allow\": input.time.unix > 1}", map[string]int{"WIDE_READ warning": 0}},
		"every address":        {"package sark\n\nx := net.cidr_contains(\"0.0.0.0/0\", input.a)" + decides, map[string]int{"OVERLY_BROAD_CIDR warning": 3}},
		"every text":           {"package sark\n\nx if regex.match(\"^.*$\", input.a)" + decides, map[string]int{"OVERLY_BROAD_REGEX warning": 3}},
		"trace":                {"package sark\n\nx if trace(\"a\")" + decides, map[string]int{"DEBUG_TRACE warning": 3}},
		"print":                {"package sark\n\nx if print(\"a\")" + decides, map[string]int{"DEBUG_PRINT warning": 3}},
		"comparison with none": {"package sark\n\nx if input.a == \"\"" + decides, map[string]int{"EMPTY_STRING_CHECK note": 3}},
		"unfinished":           {"package sark\n\n# TODO later\nx := 1" + decides, map[string]int{"TODO_COMMENT note": 3}},
		"no entry point":       {"package sark\n\nx := 1", map[string]int{"NO_ENTRY_POINT error": 0}},
		"unknown function":     {"package sark\n\nx := file.read(\"/etc/passwd\")" + decides, map[string]int{"COMPILE_ERROR error": 3}},
		"unsafe variable":      {"package sark\n\nx := y" + decides, map[string]int{"COMPILE_ERROR error": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, findings(t, test.text, lint.Options{})); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllowedFunctions(t *testing.T) {
	text := "package sark\n\nx := http.send({\"method\": \"get\", \"url\": input.u})" + decides
	if found := findings(t, text, lint.Options{Allow: []string{"http.send"}}); len(found) > 0 {
		t.Errorf("findings: %v", found)
	}
}
