package app

import (
	"errors"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sark/configs"
	"sark/internal/telemetry"
)

// These tests are inside the package: that nothing happens, or happens once, can only be seen from the outside by waiting.

// watching returns a gateway that reads load, and the log it writes.
func watching(on bool, load func() (*configs.Loaded, error)) (*gateway, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.WarnLevel)
	g := &gateway{o: Options{Files: &configs.Files{}, Load: load}, log: zap.New(core)}
	g.reloads = newReloads(telemetry.NewRegistry(telemetry.Build{}))
	g.live.Store(&configs.Config{WatchConfig: on})
	return g, logs
}

func TestWatchConfigOff(t *testing.T) {
	g, _ := watching(false, func() (*configs.Loaded, error) {
		t.Error("the configuration was read")
		return nil, errors.New("no")
	})
	changed := configs.Digest{1}

	if known := g.follow(changed); known != changed {
		t.Errorf("the change is not taken for known, so it would come again each second")
	}
	g.table.failed(errors.New("broken"))
	g.retryOnce(t.Context())
}

// TestReloadThatPanics outlives what it does not know, and takes the next change.
func TestReloadThatPanics(t *testing.T) {
	reads := 0
	g, logs := watching(true, func() (*configs.Loaded, error) {
		if reads++; reads == 1 {
			panic("a file that nobody has thought of")
		}
		return &configs.Loaded{Config: configs.Config{WatchConfig: true}}, nil
	})

	known := g.follow(configs.Digest{1})
	g.follow(configs.Digest{2})

	if known != (configs.Digest{1}) {
		t.Error("the change is not taken for known, so it would panic again each second")
	}
	if n := logs.FilterMessage("BUG: a part panicked").Len(); n != 1 || reads != 2 {
		t.Errorf("%d lines about the panic after %d reads, want 1 after 2", n, reads)
	}
}

// TestSignalThatPanics outlives a reload that does not even find its engine.
func TestSignalThatPanics(t *testing.T) {
	g, logs := watching(true, nil)

	g.obey(t.Context(), syscall.SIGHUP)

	if n := logs.FilterMessage("BUG: a part panicked").Len(); n != 1 {
		t.Errorf("%d lines about the panic, want 1", n)
	}
}

// TestRetry tries a configuration again that could not be put in force, and says each fault once.
func TestRetry(t *testing.T) {
	faults := []string{"no certificate", "no certificate", "wrong certificate"}
	reads := 0
	g, logs := watching(true, func() (*configs.Loaded, error) {
		reads++
		if reads <= len(faults) {
			return nil, errors.New(faults[reads-1])
		}
		return &configs.Loaded{Config: configs.Config{WatchConfig: true}}, nil
	})

	g.retryOnce(t.Context()) // nothing is wrong yet
	g.follow(configs.Digest{1})
	for range 5 {
		g.retryOnce(t.Context())
	}

	if g.table.check(t.Context()) != nil || reads != 4 {
		t.Errorf("after %d reads the fault is %v, want none after 4", reads, g.table.check(t.Context()))
	}
	var got []string
	for _, l := range logs.All() {
		got = append(got, l.Context[0].Interface.(error).Error())
	}
	want := []string{"read the configuration again: no certificate", "read the configuration again: wrong certificate"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the log (-want +got):\n%s", d)
	}
}
