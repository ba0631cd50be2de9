//go:build !linux

package crash_test

import (
	"os"
	"testing"
)

// disk is a small disk of its own that can be filled, which only Linux has.
type disk struct{}

func newDisk(t *testing.T, dir string) *disk {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Log("NOT TESTED: a full disk, which this test makes on Linux only")
	return nil
}

func (*disk) fill(*testing.T) {}
func (*disk) free(*testing.T) {}
