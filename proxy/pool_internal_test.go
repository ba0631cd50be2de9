package proxy

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestPoolTrimPanics breaks a pool inside the package: nothing outside can.
func TestPoolTrimPanics(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.ErrorLevel)
	p := newPool(endpoint{network: "tcp", address: "127.0.0.1:1"}, UpstreamOptions{log: zap.New(core)})
	p.HostClient = nil
	p.open.Store(1)

	p.trim()

	if n := logs.FilterMessage("panic while idle connections were closed").Len(); n != 1 {
		t.Errorf("%d log entries of the panic, want 1", n)
	}
}
