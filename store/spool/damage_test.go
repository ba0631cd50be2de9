package spool_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"sark/store/spool"
)

// filled makes a spool of ten events in one segment and returns that segment's path.
func filled(t *testing.T, dir string) string {
	t.Helper()
	s := open(t, spool.Options{Dir: dir})
	for n := range 10 {
		record(t, s, 4*n)
	}
	shut(t, s)
	list, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(list) != 1 {
		t.Fatalf("segments %v, error %v", list, err)
	}
	return list[0]
}

func change(t *testing.T, path string, edit func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, edit(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func reopened(t *testing.T, dir string) []string {
	t.Helper()
	s := open(t, spool.Options{Dir: dir})
	defer shut(t, s)
	return brief(contents(t, s))
}

// allowed is how the events numbered from and to of the filled spool are told.
func allowed(from, to int) []string {
	var lines []string
	for n := from; n < to; n++ {
		lines = append(lines, "tool_invoked single allowed "+[]string{"0", "4", "8", "12", "16", "20", "24", "28", "32", "36"}[n])
	}
	return lines
}

func TestTornTailIsCutAndSaid(t *testing.T) {
	dir := t.TempDir()
	change(t, filled(t, dir), func(b []byte) []byte { return b[:len(b)-100] })
	first, again := reopened(t, dir), reopened(t, dir)
	if len(first) != 10 {
		t.Fatalf("events %q", first)
	}
	diff(t, allowed(0, 9), first[:9])
	if want := `audit_gap single error torn_tail {"bytes":`; first[9][:len(want)] != want {
		t.Errorf("last event %s", first[9])
	}
	diff(t, first, again)
}

func TestDamageIsKeptAsideAndSaid(t *testing.T) {
	dir := t.TempDir()
	path := filled(t, dir)
	var damaged []byte
	change(t, path, func(b []byte) []byte {
		at := bytes.Index(b, []byte(`{"n":16}`)) // in the fifth event
		b[at+5] ^= 1
		damaged = bytes.Clone(b)
		return b
	})

	first, again := reopened(t, dir), reopened(t, dir)

	if len(first) != 11 {
		t.Fatalf("events %q", first)
	}
	diff(t, append(allowed(0, 4), allowed(5, 10)...), first[:9])
	if want := `audit_gap single error damage {"first_missing":5,"last_missing":5,`; first[10][:len(want)] != want {
		t.Errorf("last event %s", first[10])
	}
	diff(t, first, again)
	kept, err := os.ReadFile(filepath.Join(dir, "quarantine", filepath.Base(path)))
	if err != nil || !bytes.Equal(kept, damaged) {
		t.Errorf("the copy in quarantine differs, error %v", err)
	}
}

func TestDamageWhileRunningIsSaid(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	for n := range 10 {
		record(t, s, 4*n)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	list, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(list) != 1 {
		t.Fatalf("segments %v, error %v", list, err)
	}
	f, err := os.OpenFile(list[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{'X'}, int64(bytes.Index(b, []byte(`{"n":16}`)))); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	got := brief(contents(t, s))

	diff(t, append(append(allowed(0, 4), allowed(5, 10)...),
		`audit_gap single error damage {"first_missing":5,"last_missing":5}`), got)
}

func TestSegmentWithoutHeaderIsSetAside(t *testing.T) {
	dir := t.TempDir()
	path := filled(t, dir)
	change(t, path, func(b []byte) []byte { b[20] ^= 1; return b })
	got := reopened(t, dir)
	if len(got) != 1 {
		t.Fatalf("events %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "quarantine", filepath.Base(path))); err != nil {
		t.Error(err)
	}
}
