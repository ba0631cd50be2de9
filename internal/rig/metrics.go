package rig

import (
	"bytes"
	"context"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Counter scrapes the gateway's /metrics and returns the sum of the counter's series that carry all the given labels.
// A counter that the gateway does not have, or not yet, is 0.
func (g *Gateway) Counter(ctx context.Context, name string, labels map[string]string) (float64, error) {
	text, err := get(ctx, g.place.Client(), "http://"+g.Admin+"/metrics")
	if err != nil {
		return 0, fmt.Errorf("scrape metrics: %w", err)
	}
	return SumCounter(text, name, labels)
}

// Gauge scrapes the gateway's /metrics and returns the gauge's series without labels, 0 when there is none.
func (g *Gateway) Gauge(ctx context.Context, name string) (float64, error) {
	text, err := get(ctx, g.place.Client(), "http://"+g.Admin+"/metrics")
	if err != nil {
		return 0, fmt.Errorf("scrape metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	for _, m := range families[name].GetMetric() {
		if len(m.GetLabel()) == 0 {
			return m.GetGauge().GetValue(), nil
		}
	}
	return 0, nil
}

// SumCounter does what Counter does on the text of a scrape, in the Prometheus text format.
func SumCounter(text []byte, name string, labels map[string]string) (float64, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	var sum float64
	for _, m := range families[name].GetMetric() {
		if carries(m, labels) {
			sum += m.GetCounter().GetValue()
		}
	}
	return sum, nil
}

func carries(m *dto.Metric, labels map[string]string) bool {
	found := 0
	for _, l := range m.GetLabel() {
		want, ok := labels[l.GetName()]
		if ok && want == l.GetValue() {
			found++
		}
	}
	return found == len(labels)
}
