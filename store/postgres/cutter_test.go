package postgres_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// cut says what becomes of the next COMMIT that passes a cutter.
type cut int32

const (
	passed cut = iota
	lost       // the connection ends before the server sees the COMMIT
	silent     // the server commits, and the connection ends before its answer arrives
	late       // the client's connection ends; the server sees the COMMIT when the cutter is told so
)

// cutter stands between gateway and server, and cuts connections at their COMMIT.
type cutter struct {
	t       *testing.T
	network string
	server  string
	listen  net.Listener
	work    sync.WaitGroup

	mu      sync.Mutex
	next    cut
	conns   []net.Conn
	release chan struct{} // closed: late COMMITs go on
}

// newCutter returns a cutter before the server of a URL, and the URL that leads through it.
func newCutter(t *testing.T, address string) (*cutter, string) {
	t.Helper()
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{t: t, release: make(chan struct{})}
	c.network, c.server = pgconn.NetworkAddress(config.Host, config.Port)
	if c.listen, err = net.Listen("unix", filepath.Join(t.TempDir(), ".s.PGSQL.5432")); err != nil {
		t.Fatal(err)
	}
	c.work.Go(c.accept)
	t.Cleanup(c.close)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("host", filepath.Dir(c.listen.Addr().String()))
	q.Set("port", "5432")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = "", q.Encode()
	return c, u.String()
}

func (c *cutter) close() {
	if err := c.listen.Close(); err != nil && !strings.Contains(err.Error(), "closed") {
		c.t.Error(err)
	}
	c.mu.Lock()
	for _, conn := range c.conns {
		_ = conn.Close() // most are closed already
	}
	c.mu.Unlock()
	c.work.Wait()
}

func (c *cutter) arm(k cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = k
}

func (c *cutter) take() cut {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.next
	c.next = passed
	return k
}

// passed reports whether the cut that was armed has happened.
func (c *cutter) passed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next == passed
}

func (c *cutter) accept() {
	for {
		client, err := c.listen.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial(c.network, c.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, client, server)
		c.mu.Unlock()
		c.work.Go(func() { // ends when either side closes
			_, _ = io.Copy(client, server)
			_ = client.Close()
		})
		c.work.Go(func() { c.forward(client, server) })
	}
}

func (c *cutter) forward(client, server net.Conn) {
	defer server.Close() //nolint:errcheck // a test's own
	defer client.Close() //nolint:errcheck // a test's own
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("COMMIT\x00")) && !c.commit(c.take(), client, server, buf[:n]) {
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// commit deals with a COMMIT, and reports whether the connection goes on.
func (c *cutter) commit(k cut, client, server net.Conn, message []byte) bool {
	switch k {
	case passed:
		return true
	case lost:
		return false
	case silent, late:
		_ = client.Close()
		if k == late {
			<-c.release
		}
		if _, err := server.Write(message); err != nil {
			c.t.Errorf("pass the COMMIT on: %v", err)
		}
		if err := server.(interface{ CloseWrite() error }).CloseWrite(); err != nil { // the server answers, and then ends
			c.t.Errorf("end the connection: %v", err)
		}
		_, _ = io.Copy(io.Discard, server) // until the server has ended, and thus committed
	}
	return false
}
