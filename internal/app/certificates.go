package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/certs"
	"sark/proxy"
	"sark/store/postgres"
)

// certificates are all that are read from files: that of the proxy listener, and those for upstreams. A reload that names
// the same files keeps what was read.
type certificates struct {
	log *zap.Logger

	mu     sync.Mutex
	stores map[certificateFiles]*certs.Store // guarded by mu
	fixed  map[certificateFiles]*certs.Store // guarded by mu; of keys that take a restart
}

// certificateFiles are the files of one key of the configuration.
type certificateFiles struct{ key, cert, private, authorities string }

// notAfter is the metric of certificates.
var notAfter = prometheus.NewDesc("sark_certs_not_after_timestamp_seconds", "When the certificate in force ends, as a Unix time.", []string{"key"}, nil)

// openCertificates reads the certificates of the configuration. They are read again when they change.
func (g *gateway) openCertificates(context.Context) error {
	g.certificates.log = g.log
	opened, err := g.certificates.open(g.c)
	if err != nil {
		return err
	}
	g.certificates.keep(opened)
	return g.metrics.Register(&g.certificates)
}

// open reads the certificates that a configuration names and that were not read before. It changes nothing.
func (s *certificates) open(c *configs.Config) (map[certificateFiles]*certs.Store, error) {
	opened := map[certificateFiles]*certs.Store{}
	for _, f := range certificatesOf(c) {
		if store := s.find(f); store != nil {
			opened[f] = store
			continue
		}
		store, err := certs.Open(certs.Options{Name: f.key, CertFile: f.cert, KeyFile: f.private, CAFile: f.authorities, Log: s.log})
		if err != nil {
			return nil, err
		}
		opened[f] = store
	}
	return opened, nil
}

// CheckFiles reads the certificates that a configuration names, those in the addresses of the database too, and returns
// everything that is wrong with them, each with its key.
func CheckFiles(c *configs.Config) error {
	var errs []error
	for _, f := range allCertificates(c) {
		_, err := certs.Open(certs.Options{Name: f.key, CertFile: f.cert, KeyFile: f.private, CAFile: f.authorities})
		errs = append(errs, err)
	}
	for _, database := range []struct{ key, url string }{{"store.url", c.Store.URL}, {"store.audit_url", c.Store.AuditURL}} {
		if database.url == "" {
			continue
		}
		if err := postgres.CheckURL(database.url); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", database.key, err))
		}
	}
	return errors.Join(errs...)
}

// allCertificates lists every certificate that a configuration names, those too that take a restart.
func allCertificates(c *configs.Config) []certificateFiles {
	files := certificatesOf(c)
	for i, s := range c.Audit.SIEM {
		if t := s.TLS; t != (configs.UpstreamTLS{}) {
			files = append(files, certificateFiles{fmt.Sprintf("audit.siem[%d].tls", i), t.CertFile, t.KeyFile, t.CAFile})
		}
	}
	if t := c.Redis.TLS; t.CAFile != "" || t.CertFile != "" {
		files = append(files, certificateFiles{"redis.tls", t.CertFile, t.KeyFile, t.CAFile})
	}
	return files
}

// certificatesOf lists the files that a configuration names of listeners and servers.
func certificatesOf(c *configs.Config) []certificateFiles {
	var all []certificateFiles
	if t := c.Proxy.TLS; t.CertFile != "" {
		all = append(all, listenerFiles(t))
	}
	for i, s := range c.Proxy.Servers {
		if s.TLS != (configs.UpstreamTLS{}) {
			all = append(all, serverFiles(i, s.TLS))
		}
	}
	return all
}

func listenerFiles(t configs.TLS) certificateFiles {
	return certificateFiles{"proxy.tls", t.CertFile, t.KeyFile, t.ClientCAFile}
}

func serverFiles(i int, t configs.UpstreamTLS) certificateFiles {
	return certificateFiles{fmt.Sprintf("proxy.servers[%d].tls", i), t.CertFile, t.KeyFile, t.CAFile}
}

func (s *certificates) find(f certificateFiles) *certs.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stores[f]
}

// openCertificate reads the files of one key that takes a restart.
func (g *gateway) openCertificate(key, cert, private, authorities string) (*certs.Store, error) {
	f := certificateFiles{key, cert, private, authorities}
	if store := g.certificates.fixedOf(f); store != nil { // of another part that goes by the same key
		return store, nil
	}
	store, err := certs.Open(certs.Options{Name: key, CertFile: cert, KeyFile: private, CAFile: authorities, Log: g.log})
	if err != nil {
		return nil, err
	}
	s := &g.certificates
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fixed == nil {
		s.fixed = map[certificateFiles]*certs.Store{}
	}
	s.fixed[f] = store
	return store, nil
}

// fixedOf returns what openCertificate read before; nil for nothing.
func (s *certificates) fixedOf(f certificateFiles) *certs.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fixed[f]
}

// keep makes what open returned that which is checked and measured.
func (s *certificates) keep(opened map[certificateFiles]*certs.Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores = opened
}

// check returns what is wrong with the files, nil when nothing is. What was read before is in force all the same.
func (s *certificates) check(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stores := range []map[certificateFiles]*certs.Store{s.stores, s.fixed} {
		for _, store := range stores {
			errs = append(errs, store.Err())
		}
	}
	return errors.Join(errs...)
}

// Describe implements prometheus.Collector.
func (*certificates) Describe(out chan<- *prometheus.Desc) { out <- notAfter }

// Collect implements prometheus.Collector.
func (s *certificates) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stores := range []map[certificateFiles]*certs.Store{s.stores, s.fixed} {
		for f, store := range stores {
			if f.cert != "" {
				out <- prometheus.MustNewConstMetric(notAfter, prometheus.GaugeValue, float64(store.NotAfter().Unix()), f.key)
			}
		}
	}
}

// listenerTLS is how the proxy listener speaks TLS; nil when it speaks plain HTTP.
func listenerTLS(c *configs.Config, opened map[certificateFiles]*certs.Store) *tls.Config {
	store := opened[listenerFiles(c.Proxy.TLS)]
	if c.Proxy.TLS.CertFile == "" || store == nil {
		return nil
	}
	return store.Server()
}

// secure gives the options of the i-th server its certificates.
func secure(o *proxy.UpstreamOptions, i int, t configs.UpstreamTLS, opened map[certificateFiles]*certs.Store) {
	if t == (configs.UpstreamTLS{}) {
		return
	}
	f := serverFiles(i, t)
	store := opened[f]
	o.TLS = func(host string) *tls.Config { return store.Client(cmp.Or(t.ServerName, host)) }
	o.TLSName = fmt.Sprintf("%p %s", store, t.ServerName)
}
