package testkit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

func TestRedisServer(t *testing.T) {
	s := testkit.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	got := []string{s.Do("PING"), s.Do("SET", "a", "x\r\ny"), s.Do("GET", "a"), s.Do("GET", "b"), s.Do("DBSIZE")}
	s.Pause()
	s.Resume()
	s.Kill()
	s.Kill()
	s.Start()
	got = append(got, s.Do("GET", "a"))
	want := []string{"PONG", "OK", "x\r\ny", "", "1", "x\r\ny"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
}

func TestRedisSentinels(t *testing.T) {
	s := testkit.StartRedisSentinels(t)
	s.Master.Do("SET", "a", "x")
	s.Master.Do("WAIT", "1", "0")
	s.Master.Kill()
	s.AwaitPromotion()
	if got := s.Replica.Do("GET", "a"); got != "x" {
		t.Errorf("the new master has %q, want x", got)
	}
}
