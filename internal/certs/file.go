package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// files is what identifies a state of the files: that of the certificate, of the key and of the authorities.
type files [3]version

// version identifies the content of a file without reading it. Links are followed, so that switching one is a change.
type version struct {
	device, inode uint64
	size          int64 // bytes
	modified      int64 // Unix nanoseconds
}

// stat looks at the files.
func stat(o Options) (f files, err error) {
	for i, path := range []string{o.CertFile, o.KeyFile, o.CAFile} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return f, err
		}
		f[i] = version{size: info.Size(), modified: info.ModTime().UnixNano()}
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			f[i].device, f[i].inode = uint64(sys.Dev), sys.Ino //nolint:unconvert,gosec,nolintlint // signed on some systems; only compared
		}
	}
	return f, nil
}

// read reads the files and checks that they belong together.
func read(o Options) (*Material, error) {
	m := &Material{}
	if o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate %s and key %s: %w", o.CertFile, o.KeyFile, err)
		}
		m.Certificate = &pair
	}
	if o.CAFile != "" {
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read authorities: %w", err)
		}
		m.Authorities = x509.NewCertPool()
		if !m.Authorities.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read authorities: %s holds no certificate in PEM", o.CAFile)
		}
	}
	m.server = serverConfig(m)
	return m, nil
}

// lifetime reports why a certificate does not count at now.
func lifetime(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate ended at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate begins at %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// errNoCertificate is for a peer that wants a certificate where none is configured.
var errNoCertificate = errors.New("no certificate is configured")
