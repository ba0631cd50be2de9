package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// socketMode lets only the user that runs the process connect to a unix socket.
const socketMode = 0o600

// Listen opens an address: "host:port", ":port", "unix:/path/to/socket" or "/path/to/socket". A unix socket is made for
// the process's own user alone, and one that a dead process left behind is replaced; a live one is an error.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	path, isUnix := socketPath(address)
	if !isUnix {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", address, err)
		}
		return l, nil
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(fmt.Errorf("protect %s: %w", path, err), l.Close())
	}
	return l, nil
}

// socketPath returns the path of a unix socket address.
func socketPath(address string) (path string, ok bool) {
	if path, ok = strings.CutPrefix(address, "unix:"); ok {
		return path, true
	}
	return address, strings.HasPrefix(address, "/")
}

// removeStale deletes a socket that nobody listens on. Any other file at the path stays, and binding to it will fail.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(errors.New("another process is listening"), conn.Close())
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return err
}
