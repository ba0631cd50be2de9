package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// fdatasync writes a file's data, and what is needed to find them, to the disk.
func fdatasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
