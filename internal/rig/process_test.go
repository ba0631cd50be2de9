package rig_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"sark/internal/rig"
)

func start(t *testing.T, script string) *rig.Process {
	t.Helper()
	p, err := rig.Start("script", []string{"sh", "-c", script}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStopEndsARunningChild(t *testing.T) {
	p := start(t, "exec tail -f /dev/null")
	for range 2 {
		if err := p.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
}

func TestStopReportsAFailedChild(t *testing.T) {
	p := start(t, "exit 7")
	<-p.Done()
	if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("stop returned %v, want exit status 7", err)
	}
}

func TestKillEndsTheChild(t *testing.T) {
	p := start(t, "exec tail -f /dev/null")
	if err := p.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	gone := start(t, "exit 0")
	<-gone.Done()
	if err := gone.Kill(); !errors.Is(err, rig.ErrExited) {
		t.Errorf("kill of a child that has ended returned %v, want ErrExited", err)
	}
}

func TestAwaitEndsWithTheChild(t *testing.T) {
	addr, err := rig.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "exit 1")
	if err := p.Await(t.Context(), rig.Listening(addr)); !errors.Is(err, rig.ErrExited) {
		t.Errorf("await returned %v, want ErrExited", err)
	}
}

func TestStartNamesWhatIsMissing(t *testing.T) {
	_, err := rig.Start("ghost", []string{"/nonexistent/ghost"}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "start ghost: ") {
		t.Errorf("start returned %v", err)
	}
}

func TestOutputGoesToLog(t *testing.T) {
	var log bytes.Buffer
	p, err := rig.Start("echo", []string{"sh", "-c", "echo out; echo err >&2"}, &log)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if got := log.String(); got != "out\nerr\n" {
		t.Errorf("log holds %q", got)
	}
}
