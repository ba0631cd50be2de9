package rig

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Place is where a child runs. The zero Place is where this process is.
type Place struct {
	// Namespace is its network; nil is that of this process.
	Namespace *Namespace
	// UID is its user and group, without any other right; 0 is that of this process.
	UID uint32
}

// Start is the function Start for a child at this place.
func (p Place) Start(name string, argv []string, log io.Writer) (*Process, error) {
	return start(p, name, argv, log)
}

// Client returns an HTTP client in the network of the place. It keeps no connection open.
func (p Place) Client() *http.Client {
	dial := new(net.Dialer).DialContext
	if p.Namespace != nil {
		dial = p.Namespace.Dial
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// attributes are those of a child at this place that dies with its parent.
func (p Place) attributes() *syscall.SysProcAttr {
	a := dieWithParent()
	if p.UID == 0 {
		return a
	}
	if a == nil {
		a = &syscall.SysProcAttr{}
	}
	a.Credential = &syscall.Credential{Uid: p.UID, Gid: p.UID}
	return a
}

// give makes files those of the user of the place.
func (p Place) give(paths ...string) error {
	if p.UID == 0 {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, int(p.UID), int(p.UID)); err != nil {
			return err
		}
	}
	return nil
}

// within runs f on a thread that is in the network of the place.
func (p Place) within(f func() error) error {
	if p.Namespace == nil {
		return f()
	}
	return p.Namespace.Do(f)
}

// Dial connects from within the namespace. The address must be one of numbers: names are looked up elsewhere.
func (n *Namespace) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = n.Do(func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen listens within the namespace.
func (n *Namespace) Listen(ctx context.Context, network, address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = new(net.ListenConfig).Listen(ctx, network, address)
		return err
	})
	return l, err
}
