//go:build unix

package spool

import "golang.org/x/sys/unix"

// freeBytes is how much of a folder's disk is free to users other than root.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:gosec,unconvert // types differ by system, sizes fit
}
