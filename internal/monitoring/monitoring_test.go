package monitoring_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	reference = "../../docs/metrics.md"
	alerts    = "../../configs/alerts/sark.yaml"
	dashboard = "../../configs/dashboards/sark.json"
)

// scraped are the labels that Prometheus itself adds, and those of a histogram.
var scraped = []string{"__name__", "instance", "job", "le"}

// row is a line of the reference: the name of a metric and its labels.
var row = regexp.MustCompile("(?m)^\\| `(sark_[a-z0-9_]+)` \\| ([a-z0-9_, ]*) \\|")

// metrics returns the labels of each metric that the reference lists.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		found[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
	}
	if len(found) < 50 {
		t.Fatalf("%s lists %d metrics, which is too few to be all", reference, len(found))
	}
	return found
}

// check parses an expression, and looks for its metrics and labels in the reference.
func check(t *testing.T, at, text string, known map[string][]string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %s: %v", at, text, err)
		return
	}
	allowed, groups, names := slices.Clone(scraped), []string{}, 0
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			names++
			name, ok := metric(n.Name, known)
			if !ok {
				t.Errorf("%s: %s has no %s", at, reference, n.Name)
				return nil
			}
			allowed = append(allowed, known[name]...)
			for _, m := range n.LabelMatchers {
				if !slices.Contains(scraped, m.Name) && !slices.Contains(known[name], m.Name) {
					t.Errorf("%s: %s has no label %s", at, n.Name, m.Name)
				}
			}
		case *parser.AggregateExpr:
			groups = append(groups, n.Grouping...)
		}
		return nil
	})
	if names == 0 {
		t.Errorf("%s: %s asks for no metric", at, text)
	}
	for _, label := range groups {
		if !slices.Contains(allowed, label) {
			t.Errorf("%s: none of its metrics has the label %s", at, label)
		}
	}
}

// metric returns the metric of a series: that of a histogram for its buckets, sum and count.
func metric(series string, known map[string][]string) (string, bool) {
	if _, ok := known[series]; ok && !strings.HasSuffix(series, "_duration_seconds") {
		return series, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, suffix); ok && strings.HasSuffix(name, "_duration_seconds") {
			_, ok := known[name]
			return name, ok
		}
	}
	return "", false
}

// TestAlerts reads the rules as Prometheus does: expressions, templates and all.
func TestAlerts(t *testing.T) {
	groups, errs := rulefmt.ParseFile(alerts, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	known, seen := metrics(t), map[string]bool{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if seen[rule.Alert] {
				t.Errorf("%s is there twice", rule.Alert)
			}
			seen[rule.Alert] = true
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s does not say what to do", rule.Alert)
			}
			if s := rule.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s: severity %q", rule.Alert, s)
			}
			check(t, rule.Alert, rule.Expr, known)
		}
	}
	if len(seen) == 0 {
		t.Error("there are no alerts")
	}
}

// variables stand for what Grafana puts into an expression.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")

// TestDashboard parses the expressions of every panel.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	known, ids := metrics(t), map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || (p.Type != "row") != (len(p.Targets) > 0) {
			t.Errorf("panel %d, %q, is there twice or shows nothing", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			check(t, p.Title, variables.Replace(target.Expr), known)
		}
	}
	if len(ids) < 10 {
		t.Errorf("%d panels, which is too few to be all", len(ids))
	}
}
