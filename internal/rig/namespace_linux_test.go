package rig_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"sark/internal/rig"
)

// newNamespace makes a namespace, or skips the test for want of rights.
func newNamespace(t *testing.T) *rig.Namespace {
	t.Helper()
	n, err := rig.NewNamespace(t.Context())
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("NOT TESTED: network namespaces, which need root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestNamespaceIsApart: what listens in a namespace is reached from there alone.
func TestNamespaceIsApart(t *testing.T) {
	n := newNamespace(t)
	l, err := n.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for from, tt := range map[string]struct {
		dial func(ctx context.Context, network, address string) (net.Conn, error)
		want error
	}{
		"there":   {n.Dial, nil},
		"here":    {new(net.Dialer).DialContext, syscall.ECONNREFUSED},
		"another": {newNamespace(t).Dial, syscall.ECONNREFUSED},
	} {
		c, err := tt.dial(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("from %s: %v, want %v", from, err, tt.want)
		}
	}
}

// TestPlaceOfAChild: a child has the network and the user of its place.
func TestPlaceOfAChild(t *testing.T) {
	place := rig.Place{Namespace: newNamespace(t), UID: 65532}
	var log bytes.Buffer
	p, err := place.Start("child", []string{"sh", "-c", "id -u; id -g; id -G; ip -brief link | cut -d' ' -f1"}, &log)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if got, want := log.String(), "65532\n65532\n65532\nlo\n"; got != want {
		t.Errorf("the child says %q, want %q", got, want)
	}
}

// TestPlaceThatIsGone: a child whose namespace was given up does not start elsewhere.
func TestPlaceThatIsGone(t *testing.T) {
	n, err := rig.NewNamespace(context.WithoutCancel(t.Context()))
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("NOT TESTED: network namespaces, which need root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := (rig.Place{Namespace: n}).Start("child", []string{"true"}, nil); err == nil {
		t.Error("the child started")
	}
}
