package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"sark/configs"
	"sark/internal/certs"
)

// certificates are all that are read from files: that of the proxy listener, and those for upstreams.
type certificates struct {
	listener *certs.Store // nil: plain HTTP
	all      []*certs.Store
}

// openCertificates reads the certificates of the configuration. They are read again when they change.
func (g *gateway) openCertificates(context.Context) error {
	t := g.c.Proxy.TLS
	if t.CertFile != "" {
		store, err := g.openCertificate("proxy.tls", t.CertFile, t.KeyFile, t.ClientCAFile)
		if err != nil {
			return err
		}
		g.certificates.listener = store
	}
	for i, s := range g.c.Proxy.Servers {
		if s.TLS == (configs.UpstreamTLS{}) {
			continue
		}
		store, err := g.openCertificate(fmt.Sprintf("proxy.servers[%d].tls", i), s.TLS.CertFile, s.TLS.KeyFile, s.TLS.CAFile)
		if err != nil {
			return err
		}
		g.servers[i].Upstream.TLS = func(host string) *tls.Config { return store.Client(cmp.Or(s.TLS.ServerName, host)) }
	}
	return nil
}

// openCertificate reads the files of one key of the configuration.
func (g *gateway) openCertificate(key, cert, private, authorities string) (*certs.Store, error) {
	store, err := certs.Open(certs.Options{Name: key, CertFile: cert, KeyFile: private, CAFile: authorities, Log: g.log})
	if err != nil {
		return nil, err
	}
	g.certificates.all = append(g.certificates.all, store)
	if cert == "" {
		return store, nil
	}
	return store, g.metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sark_certs_not_after_seconds", Help: "When the certificate in force ends, as a Unix time.", ConstLabels: prometheus.Labels{"key": key},
	}, func() float64 { return float64(store.NotAfter().Unix()) }))
}

// check returns what is wrong with the files, nil when nothing is. What was read before is in force all the same.
func (c *certificates) check(context.Context) error {
	var errs []error
	for _, store := range c.all {
		errs = append(errs, store.Err())
	}
	return errors.Join(errs...)
}

// tls is how the proxy listener speaks TLS; nil when it speaks plain HTTP.
func (c *certificates) tls() *tls.Config {
	if c.listener == nil {
		return nil
	}
	return c.listener.Server()
}
