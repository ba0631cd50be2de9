package rig

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
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

// give makes a directory, and everything in it, that of the user of the place. A program is copied into it: its own place may
// be closed to that user. Give returns where the program is then.
func (p Place) give(dir, program string) (string, error) {
	if p.UID == 0 {
		return program, nil
	}
	mine := filepath.Join(dir, filepath.Base(program))
	if err := copyFile(program, mine); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close() //nolint:errcheck // it was only looked into
	return mine, fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, root.Lchown(path, int(p.UID), int(p.UID)))
	})
}

// copyFile copies a program. Nobody forks meanwhile: a child would hold the copy open for writing until it runs its own
// program, and who starts the copy before gets ETXTBSY (golang/go#22315).
func copyFile(from, to string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	source, err := os.Open(from) //nolint:gosec // G304: the program that the harness named.
	if err != nil {
		return err
	}
	defer source.Close()                                           //nolint:errcheck // it was only read
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o700) //nolint:gosec // G304, G302: a program
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
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
