//go:build !linux

package spool

import "os"

// fdatasync writes a file to the disk.
func fdatasync(f *os.File) error { return f.Sync() }
