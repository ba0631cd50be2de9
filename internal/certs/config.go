package certs

import "crypto/tls"

// http1 is the only protocol that is spoken on top (RFC 7301): the data path has no HTTP/2.
const http1 = "http/1.1"

// Server returns the configuration of a listener. Each handshake takes the material in force: TLS 1.2 or later, our
// certificate, and the client's, if it sends one, verified against the authorities. The configuration that
// GetConfigForClient returns is the same until a file changes.
func (s *Store) Server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{http1},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			m := s.Current()
			if m.Certificate == nil {
				return nil, errNoCertificate
			}
			return m.server, nil
		},
	}
}

// serverConfig is the configuration of handshakes with m. Where clients are verified no session is resumed, since a
// resumed one would rest on authorities that may have been removed meanwhile.
func serverConfig(m *Material) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{http1}}
	if m.Certificate != nil {
		c.Certificates = []tls.Certificate{*m.Certificate}
	}
	if m.Authorities != nil {
		c.ClientCAs, c.ClientAuth, c.SessionTicketsDisabled = m.Authorities, tls.VerifyClientCertIfGiven, true
	}
	return c
}

// Client returns the configuration of the next connection to a server: TLS 1.2 or later, the server verified under
// serverName against the authorities, or those of the system where there are none, and our certificate if it asks for one.
func (s *Store) Client(serverName string) *tls.Config {
	m := s.Current()
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{http1}, ServerName: serverName, RootCAs: m.Authorities}
	if m.Certificate != nil {
		c.Certificates = []tls.Certificate{*m.Certificate}
	}
	return c
}
