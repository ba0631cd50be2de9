package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"time"
)

// handshakeLimit is how long a TLS handshake may take. It is short, since whoever shuts down waits for it.
const handshakeLimit = 10 * time.Second

// secureConn is a client's connection under TLS. The server calls Handshake before it reads, on the connection's own
// goroutine.
type secureConn struct {
	*tls.Conn
	config *tls.Config
	failed func() // counts a handshake that came to nothing

	chain       []*x509.Certificate // of the client, verified; nil without one
	authorities *x509.CertPool      // that chain was last verified against
	closed      bool
}

func newSecureConn(c net.Conn, config *tls.Config, failed func()) *secureConn {
	return &secureConn{Conn: tls.Server(c, config), config: config, failed: failed}
}

// Handshake makes the connection secure, or closes it. Who speaks plain HTTP is told so.
func (c *secureConn) Handshake() error {
	authorities := c.trusted()
	if err := c.SetDeadline(time.Now().Add(handshakeLimit)); err != nil {
		return err
	}
	if err := c.Conn.Handshake(); err != nil {
		c.failed()
		c.closed = true
		explain(err)
		_ = c.NetConn().Close() // there is nothing to end in order
		return err
	}
	if chain := c.ConnectionState().PeerCertificates; len(chain) > 0 {
		c.chain, c.authorities = chain, authorities
	}
	return c.SetDeadline(time.Time{})
}

// Read implements net.Conn. After a failed handshake it says what the server takes for the end of a connection rather than
// for a broken request: nobody has asked anything yet.
func (c *secureConn) Read(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.Conn.Read(p)
}

// peer returns the certificate of the client, nil when it has none. Authorities may have changed since the handshake; a
// certificate that comes from none of the present ones counts no more.
func (c *secureConn) peer() *x509.Certificate {
	if c.chain == nil {
		return nil
	}
	if now := c.trusted(); now != c.authorities {
		if !verifies(c.chain, now) {
			c.chain = nil
			return nil
		}
		c.authorities = now
	}
	return c.chain[0]
}

// trusted returns the present authorities of clients.
func (c *secureConn) trusted() *x509.CertPool {
	config := c.config
	if config.GetConfigForClient != nil {
		now, err := config.GetConfigForClient(&tls.ClientHelloInfo{Conn: c.NetConn()})
		if err != nil {
			return nil
		}
		if now != nil {
			config = now
		}
	}
	return config.ClientCAs
}

// verifies reports whether a chain, leaf first, leads to one of the authorities.
func verifies(chain []*x509.Certificate, authorities *x509.CertPool) bool {
	if authorities == nil { // would mean those of the system
		return false
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: authorities, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

// peerCertificate returns the verified certificate of a connection's client, nil when there is none.
func peerCertificate(c net.Conn) *x509.Certificate {
	if s, ok := c.(*secureConn); ok {
		return s.peer()
	}
	return nil
}

// explain answers a client that began to speak HTTP where TLS is spoken.
func explain(err error) {
	var head tls.RecordHeaderError
	if !errors.As(err, &head) || head.Conn == nil {
		return
	}
	for _, verb := range []string{"POST ", "GET /", "HEAD ", "DELET", "OPTIO", "PUT /"} {
		if bytes.Equal(head.RecordHeader[:], []byte(verb)) {
			_, _ = io.WriteString(head.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"+
				"This port speaks HTTPS.\n") // best effort: it is no request of ours
			return
		}
	}
}
