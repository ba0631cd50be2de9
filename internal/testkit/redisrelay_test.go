package testkit_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// TestRedisRelay: commands pass, are held back, and pass later; connections break; and what was asked is counted.
func TestRedisRelay(t *testing.T) {
	server := testkit.StartRedis(t)
	relay := testkit.StartRedisRelay(t, server)
	dial := func() (net.Conn, chan string) {
		c, err := net.Dial("tcp", strings.TrimPrefix(relay.URL(), "redis://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		lines := make(chan string, 8)
		go func() {
			defer close(lines)
			for in := bufio.NewScanner(c); in.Scan(); {
				lines <- in.Text()
			}
		}()
		return c, lines
	}
	send := func(c net.Conn, text string) {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	const ping, set = "*1\r\n$4\r\nping\r\n", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n1\r\n2\r\n"

	c, replies := dial()
	send(c, ping)
	got := []string{testkit.Wait(t, 0, replies)}
	relay.Stall()
	send(c, set+ping) // one round trip
	testkit.Eventually(t, "the relay has the command", func() bool { return relay.Asked("SET") == 1 })
	got = append(got, server.Do("GET", "a"))
	relay.Delay(time.Millisecond)
	relay.Resume()
	got = append(got, testkit.Wait(t, 0, replies), testkit.Wait(t, 0, replies), server.Do("GET", "a"))
	relay.Cut()
	got = append(got, testkit.Wait(t, 0, replies))
	c, replies = dial()
	send(c, ping)
	got = append(got, testkit.Wait(t, 0, replies))

	if diff := cmp.Diff([]string{"+PONG", "", "+OK", "+PONG", "1\r\n2", "", "+PONG"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := relay.Asked("PING", "SET"); n != 3 {
		t.Errorf("%d round trips, want 3", n)
	}
}
