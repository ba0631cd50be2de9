package app

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sark/configs"
)

// This test is inside the package: metrics that nothing has counted yet are seen only in the registry itself.

// metricsReference is the generated page, from this folder.
const metricsReference = "../../docs/metrics.md"

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

// described is what the registry says of a metric.
type described struct{ name, help, labels string }

// TestMetricsReference starts every part that has metrics, and compares what they register with docs/metrics.md.
func TestMetricsReference(t *testing.T) {
	g := everything(t)
	metrics := describe(t, g.metrics)
	checkTypes(t, g.metrics)
	checkNamed(t, metrics)

	var page bytes.Buffer
	page.WriteString(`# Metrics

<!-- Generated from the metrics of a running gateway by "go generate ./internal/app". Do not edit. -->

` + "`GET /metrics` on `admin.listen`" + ` serves these in the text format of Prometheus, beside the usual ones of the Go runtime and of the
process. The name says the type: what ends in ` + "`_total`" + ` is a counter, what ends in ` + "`_duration_seconds`" + ` a histogram, and everything
else a gauge. Labels are bounded: none holds a user, a tool, a path or an address. Some metrics are there only while the part
is switched on that they tell about, such as Redis, PostgreSQL or a SIEM receiver. What to watch, and what to do then, is in
[operations.md](operations.md).

| Metric | Labels | Meaning |
|---|---|---|
`)
	for _, m := range metrics {
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", m.name, m.labels, m.help)
	}
	if *update {
		if err := os.WriteFile(metricsReference, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(metricsReference)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page.String(), string(got)); diff != "" {
		t.Errorf("%s is stale; run go generate ./internal/app (-want +got):\n%s", metricsReference, diff)
	}
}

// everything starts a gateway with all parts that have metrics. Nothing that it would call is there.
func everything(t *testing.T) *gateway {
	t.Helper()
	dir := shortDir(t)
	flags := newFiles(t).pair()
	maps.Copy(flags, map[string]any{
		"data_dir": dir, "proxy.listen": "127.0.0.1:0", "api.listen": "127.0.0.1:0", "admin.listen": "off", "log.level": "error",
		"proxy.servers": `[{"name":"desk","url":"http://127.0.0.1:1/mcp"}]`,
		"store.url":     "postgres://nobody@127.0.0.1:1/none", "redis.url": "redis://127.0.0.1:1", "limits.shared": "true",
		"audit.siem":          `[{"name":"receiver","type":"webhook","url":"http://127.0.0.1:1/"}]`,
		"authz.shadow.bundle": filepath.Join("..", "..", "configs", "policy"),
	})
	loaded, err := configs.Load(configs.Options{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(Options{Config: loaded, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		bounded, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = g.life.stop(bounded) // the last events cannot be stored anywhere
	})
	if err := g.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

// descText is what a prometheus.Desc says of itself, which is all that it says.
var descText = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"),.* constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// describe lists the metrics of ours that are registered, by name.
func describe(t *testing.T, r *prometheus.Registry) []described {
	t.Helper()
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		r.Describe(descs)
	}()
	found := map[string]described{}
	for d := range descs {
		parts := descText.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("cannot read %s", d)
		}
		name, help := unquote(t, parts[1]), unquote(t, parts[2])
		if !strings.HasPrefix(name, "sark_") {
			continue
		}
		var labels []string
		for pair := range strings.SplitSeq(parts[3], ",") {
			label, _, _ := strings.Cut(pair, "=")
			labels = append(labels, label)
		}
		labels = append(labels, strings.Split(parts[4], ",")...)
		labels = slices.DeleteFunc(labels, func(l string) bool { return l == "" })
		slices.Sort(labels)
		found[name] = described{name, help, strings.Join(labels, ", ")}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b described) int { return strings.Compare(a.name, b.name) })
}

func unquote(t *testing.T, text string) string {
	t.Helper()
	s, err := strconv.Unquote(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// named finds the metrics that the documentation names.
var named = regexp.MustCompile("`(sark_(?:app|authz|cachemw|certs|limit|proxy|session|siem|store)_[a-z0-9_]+)")

// checkNamed looks for metrics that the documentation names and nobody registers.
func checkNamed(t *testing.T, metrics []described) {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllSubmatch(text, -1) {
			if !slices.ContainsFunc(metrics, func(d described) bool { return d.name == string(m[1]) }) {
				t.Errorf("%s names %s, which nobody registers", page, m[1])
			}
		}
	}
}

// checkTypes compares the type of each metric with the one that its name promises.
func checkTypes(t *testing.T, r *prometheus.Registry) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		name, want := f.GetName(), "GAUGE"
		switch {
		case !strings.HasPrefix(name, "sark_"):
			continue
		case strings.HasSuffix(name, "_total"):
			want = "COUNTER"
		case strings.HasSuffix(name, "_duration_seconds"):
			want = "HISTOGRAM"
		}
		if got := f.GetType().String(); got != want {
			t.Errorf("%s is a %s, and its name says %s", name, got, want)
		}
	}
}
