package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/admin"
	"sark/internal/audit"
	"sark/store/postgres"
	"sark/store/siem"
	"sark/store/sqlite"
)

// siemDrain is how long receivers have at the end for what was recorded last. What they do not take is sent at the next start.
const siemDrain = 3 * time.Second

// OpenTrail opens the audit trail of a configuration for reading.
func OpenTrail(ctx context.Context, c *configs.Config) (siem.Trail, error) {
	if c.Store.URL != "" {
		return postgres.OpenTrail(ctx, c.Store.URL)
	}
	return sqlite.OpenTrail(ctx, DatabasePath(c.DataDir))
}

// openSIEM sets a lane to work for every receiver. They are stopped after the last event was recorded.
func (g *gateway) openSIEM(context.Context) error {
	if len(g.c.Audit.SIEM) == 0 {
		return g.forgetReceivers()
	}
	metrics, err := siem.NewMetrics(g.metrics)
	if err != nil {
		return err
	}
	for i, c := range g.c.Audit.SIEM {
		sink, err := g.siemSink(fmt.Sprintf("audit.siem[%d].tls", i), c)
		if err != nil {
			return fmt.Errorf("audit.siem[%d]: %w", i, err)
		}
		lane, err := siem.Open(siem.Options{
			Name: c.Name, Sink: sink, Format: siem.Format(c.Format), Dir: filepath.Join(g.c.SpoolDir(), "siem"),
			Filter: siem.Filter{MinSeverity: audit.Severity(c.MinSeverity), EventTypes: c.EventTypes},
			Writer: g.spool.Writer(), Spool: g.spool.NewCursor(), Last: g.spool.Last,
			OpenTrail:     func(ctx context.Context) (siem.Trail, error) { return OpenTrail(ctx, g.c) },
			FromBeginning: c.Begin == "beginning", Batch: c.BatchEvents, Interval: c.BatchInterval, Timeout: c.Timeout,
			Log: g.log, Metrics: metrics,
		})
		if err != nil {
			return err
		}
		g.siem = append(g.siem, lane)
	}
	g.runSIEM()
	return nil
}

func (g *gateway) runSIEM() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, lane := range g.siem {
		running.Go(func() { lane.Run(ctx) })
	}
	f := &forwarding{lanes: g.siem, writer: g.spool.Writer(), db: g.db, log: g.log}
	running.Go(func() { guarded(g.log, "forwarding", func() { f.run(ctx) }) })
	g.life.onStop("siem", func(bounded context.Context) error {
		cancel()
		running.Wait()
		err := errors.Join(g.spool.Sync(), g.drainSIEM(bounded))
		f.report(bounded)
		return err
	})
}

// drainSIEM sends what was recorded last, to all receivers at once. One that is away is no error: its events are kept.
func (g *gateway) drainSIEM(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, siemDrain)
	defer cancel()
	var draining sync.WaitGroup
	errs := make([]error, len(g.siem))
	for i, lane := range g.siem {
		draining.Go(func() {
			if err := lane.Flush(ctx); err != nil {
				g.log.Warn("not all audit events were sent", zap.Error(err))
			}
			errs[i] = lane.Close()
		})
	}
	draining.Wait()
	return errors.Join(errs...)
}

// siemSink makes the receiver of a configuration.
func (g *gateway) siemSink(key string, c configs.SIEM) (siem.Sink, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	var client func() *tls.Config
	if c.TLS != (configs.UpstreamTLS{}) {
		store, err := g.openCertificate(key, c.TLS.CertFile, c.TLS.KeyFile, c.TLS.CAFile)
		if err != nil {
			return nil, err
		}
		client = func() *tls.Config { return store.Client(cmp.Or(c.TLS.ServerName, u.Hostname())) }
	}
	o := siem.HTTPOptions{URL: c.URL, TLS: client, Gzip: c.Gzip, Headers: map[string]string{}}
	for name, value := range c.Headers {
		o.Headers[name], _ = value.(string)
	}
	if c.Token != "" && c.Type != "splunk" {
		o.Headers["Authorization"] = "Bearer " + c.Token
	}
	switch c.Type {
	case "syslog":
		return siem.NewSyslog(siem.SyslogOptions{Network: u.Scheme, Address: u.Host, TLS: client, Facility: c.Facility})
	case "splunk":
		return siem.NewSplunk(siem.SplunkOptions{
			HTTPOptions: o, Token: c.Token, Index: c.Index, Source: c.Source, SourceType: c.SourceType, Ack: c.Ack,
		})
	case "otlp":
		return siem.NewOTLP(o)
	}
	return siem.NewWebhook(siem.WebhookOptions{HTTPOptions: o, Secret: []byte(c.SigningKey), Array: c.Array})
}

// siemChecks ask how the receivers are. None is critical: events wait for them.
func (g *gateway) siemChecks() []admin.Check {
	checks := make([]admin.Check, len(g.siem))
	for i, lane := range g.siem {
		checks[i] = admin.Check{Name: "siem_" + lane.Name(), Run: func(context.Context) error { return lane.Err() }}
	}
	return checks
}
