package authz_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/dependencies"

	"sark/authz"
	"sark/configs/policy"
)

// analysed are policies and what must be known of them. The line numbers in Why count from the package clause.
var analysed = map[string]struct {
	policy string
	want   authz.Analysis
}{
	"nothing":  {`decision := {"allow": true}`, authz.Analysis{Memoised: true}},
	"one path": {`decision := {"allow": input.tool.name == "a"}`, remembered("input.tool.name")},
	"alias": {`decision := {"allow": true} if {
	t := input.tool
	t.name == "a"
}`, remembered("input.tool")},
	"function": {`decision := {"allow": f(input.tool)}
f(t) := t.name == data.names[input.action]`, remembered("input.action", "input.tool")},
	"rule in between": {`decision := {"allow": true} if other
other if not denied[input.action]
denied contains x if some x in input.principal.roles`, remembered("input.action", "input.principal.roles")},
	"else": {`decision := {"allow": true} if input.action
else := {"allow": false} if input.server.id
else := {"allow": input.mcp.phase == "list"}`, remembered("input.action", "input.mcp.phase", "input.server.id")},
	"dynamic key":   {`decision := {"allow": input.tool.parameters[input.action] == 1}`, remembered("input.action", "input.tool.parameters")},
	"array element": {`decision := {"allow": input.tool.parameters.list[0].id == 1}`, remembered("input.tool.parameters.list")},
	"comprehension": {
		`decision := {"allow": count({x | some x in input.principal.teams; x in input.server.teams}) > 0}`,
		remembered("input.principal.teams", "input.server.teams"),
	},
	"every":   {`decision := {"allow": true} if every s in input.principal.scopes { s != input.action }`, remembered("input.action", "input.principal.scopes")},
	"default": {"default decision := {\"allow\": false}\ndecision := {\"allow\": true} if input.action", remembered("input.action")},
	"template": {
		`decision := {"allow": true, "reason": $"no {input.action}"} if not input.tool.known`, remembered("input.action", "input.tool.known"),
	},
	"odd key":    {`decision := {"allow": input.tool.parameters["a b"].c}`, remembered(`input.tool.parameters["a b"].c`)},
	"unreached":  {"decision := {\"allow\": true}\nother := time.now_ns()\nwhole := input", authz.Analysis{Memoised: true}},
	"head":       {`decision[input.action] := input.tool.name`, remembered("input.action", "input.tool.name")},
	"nested":     {`decision := {"allow": data.sark.grants[input.action].x}` + "\ngrants.a.x := input.tool.name\ngrants.b.x if input.mcp.name", remembered("input.action", "input.mcp.name", "input.tool.name")},
	"object.get": {`decision := {"allow": object.get(input, ["tool", "name"], input.action) == "a"}`, remembered("input.action", "input.tool.name")},
	"object.get of claims": {
		`decision := {"allow": object.get(input.principal.claims, "dept", "") == "a"}`, remembered("input.principal.claims.dept"),
	},
	"object.get of what may be no object": {
		`decision := {"allow": object.get(input.tool.parameters, "a", 1) == 1}`, remembered("input.tool.parameters"),
	},
	"object.get of a variable": {
		"decision := {\"allow\": object.get(input, [input.action], 1) == 1}", refused("policy.rego:2: reads the input as a whole", "input.action"),
	},
	"whole":        {`decision := {"allow": count(input) > 1}`, refused("policy.rego:2: reads the input as a whole")},
	"whole by key": {`decision := {"allow": input[_] == 1}`, refused("policy.rego:2: reads the input as a whole")},
	"walk":         {`decision := {"allow": true} if walk(input, [_, "secret"])`, refused("policy.rego:2: reads the input as a whole")},
	"with":         {"decision := {\"allow\": true} if q with input.action as \"a\"\nq if input.action", refused("policy.rego:2: replaces values (with)", "input.action")},
	"clock":        {`decision := {"allow": time.now_ns() > input.time.unix}`, refused("policy.rego:2: uses time.now_ns", "input.time.unix")},
	"certificates": {`decision := {"allow": crypto.x509.parse_and_verify_certificates(input.tool.parameters.c)[0]}`, refused(
		"policy.rego:2: uses crypto.x509.parse_and_verify_certificates", "input.tool.parameters.c",
	)},
	"chance":  {`decision := {"allow": rand.intn("x", 2) == 1}`, refused("policy.rego:2: uses rand.intn")},
	"network": {`decision := {"allow": http.send({"method": "get", "url": "http://localhost"}).status_code == 200}`, refused("policy.rego:2: uses http.send")},
	"trace":   {`decision := {"allow": trace(input.action)}`, refused("policy.rego:2: uses trace", "input.action")},
	"far away": {"decision := {\"allow\": a}\na := b\nb := [c | c := d][0]\nd := uuid.rfc4122(\"x\") != \"\"", refused(
		"policy.rego:5: uses uuid.rfc4122",
	)},
}

func remembered(reads ...string) authz.Analysis { return authz.Analysis{Memoised: true, Reads: reads} }

func refused(why string, reads ...string) authz.Analysis {
	return authz.Analysis{Reads: reads, Why: []string{why}}
}

func TestAnalysis(t *testing.T) {
	for name, tt := range analysed {
		t.Run(name, func(t *testing.T) {
			e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"policy.rego": "package sark\n" + tt.policy})})
			got := e.Analysis()
			for i := range got.Why {
				got.Why[i] = strings.TrimLeft(got.Why[i], "/")
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("analysis (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnalysisFollowsPackages: a package or a part of one stands for all its rules, also those that another rule hides
// from the compiler's own look-up.
func TestAnalysisFollowsPackages(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{
		"policy.rego": `package sark
decision := {"allow": count(data.other) > 0, "reason": data.table.a.z.w, "rule": data.table[input.action].name}`,
		"other.rego": "package other.deep\nrule := input.server.id",
		"table.rego": `package table
a[x].y := input.mcp.name if x := input.mcp.uri
a.z.w := input.mcp.era
b.name := input.mcp.method`,
	})})
	want := remembered("input.action", "input.mcp.era", "input.mcp.method", "input.mcp.name", "input.mcp.uri", "input.server.id")
	if diff := cmp.Diff(want, e.Analysis()); diff != "" {
		t.Errorf("analysis (-want +got):\n%s", diff)
	}
}

// TestAnalysisCoversDependencies: whatever OPA's own analysis finds, ours covers. OPA's does not know what object.get reads
// of its object, nor that policy_config is constant: no check is off here.
func TestAnalysisCoversDependencies(t *testing.T) {
	bundles := map[string]map[string]string{"default policy": defaultPolicy(t), "13 paths": {"p.rego": thirteen}}
	for name, tt := range analysed {
		bundles[name] = map[string]string{"p.rego": "package sark\n" + tt.policy}
	}
	for name, files := range bundles {
		found := open(t, authz.Options{Bundle: writeFiles(t, files), PolicyConfig: policyConfigs["on"]}).Analysis()
		for _, dependency := range inputDependencies(t, files) {
			covered := slices.ContainsFunc(found.Reads, func(read string) bool {
				whole, part := ast.MustParseRef(dependency), ast.MustParseRef(read)
				return whole.HasPrefix(part) || (strings.HasPrefix(name, "object.get") && part.HasPrefix(whole))
			})
			if !covered && found.Memoised && !strings.HasPrefix(dependency, "input.policy_config") {
				t.Errorf("%s: reads %s, the analysis knows %v", name, dependency, found.Reads)
			}
		}
	}
}

func defaultPolicy(t testing.TB) map[string]string {
	t.Helper()
	names, err := fs.Glob(policy.FS, "*.rego")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	files := map[string]string{}
	for _, name := range names {
		content, err := fs.ReadFile(policy.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	return files
}

// inputDependencies returns what OPA says that the entry point reads of the input.
func inputDependencies(t *testing.T, files map[string]string) []string {
	t.Helper()
	modules := maps.Clone(files)
	maps.DeleteFunc(modules, func(name, _ string) bool { return strings.HasSuffix(name, "_test.rego") })
	compiler, err := ast.CompileModules(modules)
	if err != nil {
		t.Fatal(err)
	}
	refs, err := dependencies.Base(compiler, ast.MustParseBody("data.sark.decision = x"))
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, ref := range refs {
		if ref.HasPrefix(ast.InputRootRef) {
			read = append(read, ref.String())
		}
	}
	return read
}

func TestAnalysisWithoutPolicy(t *testing.T) {
	e := open(t, authz.Options{})
	e.Close(t.Context())
	if diff := cmp.Diff(authz.Analysis{}, e.Analysis()); diff != "" {
		t.Errorf("analysis (-want +got):\n%s", diff)
	}
}
