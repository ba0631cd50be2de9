package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// RedisServer is a redis-server process on a loopback port, with its data in a
// directory of its own. It can be killed, started again on the same port and
// data, stopped in the middle of whatever it does, and resumed. It ends with
// the test.
type RedisServer struct {
	t    testing.TB
	args []string
	addr string

	process *exec.Cmd
	exited  chan struct{} // closed when the process has been waited for
}

// RedisURL returns the redis:// address of a server that tests share with
// others: the one in SARK_TEST_REDIS_URL, or else a private one. Tests keep to
// keys of their own there and change no setting.
func RedisURL(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("SARK_TEST_REDIS_URL"); url != "" {
		return url
	}
	return StartRedis(t).URL()
}

// StartRedis starts a server with further arguments, such as "--maxmemory" and
// "4mb", and waits until it is ready. Where redis-server is not installed it
// skips the test, except in CI, where it fails it.
func StartRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing := t.Skip
		if os.Getenv("CI") == "true" {
			missing = t.Fatal
		}
		missing("redis-server is not installed: `make test` installs it for root, else `apt-get install redis-server`")
	}
	return launchRedis(t, append([]string{"--dir", t.TempDir(), "--bind", "127.0.0.1"}, args...)...)
}

// StartSecureRedis starts a server that speaks TLS, too, at the returned
// address: with a certificate of the authority, to clients with one of it alone.
// At its own address the test speaks to it in clear.
func StartSecureRedis(t testing.TB, a *Authority, args ...string) (s *RedisServer, secure string) {
	t.Helper()
	tls, secure := secureRedis(t, a)
	return StartRedis(t, append(tls, args...)...), secure
}

// secureRedis returns the arguments for TLS and the address where it is spoken.
func secureRedis(t testing.TB, a *Authority) (args []string, address string) {
	t.Helper()
	dir := t.TempDir()
	cert, key := a.Issue(t, nil).Write(t, dir)
	ca := WriteFile(t, dir, "ca.crt", a.PEM)
	address = freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	return []string{"--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca}, address
}

// launchRedis starts a server with the arguments on a free port.
func launchRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	s := &RedisServer{t: t, args: args}
	t.Cleanup(s.Kill)
	for range 5 { // Somebody else may take the port before the server does.
		s.addr = freeAddress(t)
		if s.start() {
			return s
		}
	}
	t.Fatal("redis-server did not start on any of five free ports")
	return nil
}

// Addr returns the address as host:port.
func (s *RedisServer) Addr() string { return s.addr }

// URL returns the address as a redis:// URL.
func (s *RedisServer) URL() string { return "redis://" + s.addr }

// Start starts a killed server again, on the same port and data, and waits
// until it is ready.
func (s *RedisServer) Start() {
	s.t.Helper()
	if !s.start() {
		s.t.Fatalf("redis-server did not start again on %s", s.addr)
	}
}

// Kill ends the server with SIGKILL and waits until it is gone. A server that
// is not running stays so.
func (s *RedisServer) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	<-s.exited
	s.process = nil
}

// Pause stops the server with SIGSTOP: its connections stay open, and nothing
// answers.
func (s *RedisServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *RedisServer) Resume() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		s.t.Fatalf("send %s to redis-server: %v", sig, err)
	}
}

// start starts the process and reports whether it says that it is ready.
func (s *RedisServer) start() bool {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	s.process = exec.Command("redis-server", slices.Concat(s.args, []string{"--port", port})...) //nolint:gosec // the arguments are the test's own
	out, err := s.process.StdoutPipe()
	if err == nil {
		err = s.process.Start()
	}
	if err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	ready := make(chan bool, 1)
	s.exited = make(chan struct{})
	go func() {
		defer close(s.exited)
		watchLog(out, ready)
		_ = s.process.Wait()
	}()
	if Wait(s.t, 0, ready) {
		return true
	}
	s.Kill()
	return false
}

// watchLog reads a server's log to its end, and sends true when it says that
// the server is ready, or false when it ends without.
func watchLog(log io.Reader, ready chan<- bool) {
	var once sync.Once
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") || strings.Contains(lines.Text(), "Sentinel ID is") {
			once.Do(func() { ready <- true })
		}
	}
	once.Do(func() { ready <- false })
}

// Do sends one command on a connection of its own, and returns the reply as
// text: a string, the digits of a number, "" for nothing. An error reply fails
// the test.
func (s *RedisServer) Do(args ...string) string {
	s.t.Helper()
	reply, err := redisCommand(s.addr, args)
	if err != nil {
		s.t.Fatalf("redis command %q: %v", args, err)
	}
	return reply
}

// CLI runs redis-cli, the program, as an operator does, and returns what it
// prints.
func (s *RedisServer) CLI(args ...string) string {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(s.addr)
	c := exec.Command("redis-cli", slices.Concat([]string{"-h", host, "-p", port}, args)...) //nolint:gosec // the arguments are the test's own
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("redis-cli %q: %v: %s", args, err, out)
	}
	return string(out)
}

// redisCommand sends a command in RESP2, the protocol of Redis, and reads a
// reply that is not an array.
func redisCommand(addr string, args []string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return "", err
	}
	return readRedisReply(bufio.NewReader(conn))
}

func readRedisReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", io.ErrUnexpectedEOF
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '+', ':':
		return rest, nil
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return "", err
		}
		text := make([]byte, n)
		_, err = io.ReadFull(r, text)
		return string(text), err
	default:
		return "", fmt.Errorf("the server says %q", line)
	}
}

// freeAddress returns a loopback address on which nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
