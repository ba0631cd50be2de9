package testkit

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// postgresServer is a PostgreSQL server in a folder of its own, reached through
// a unix socket in that folder.
type postgresServer struct {
	dir   string
	tools string // the folder of initdb and pg_ctl
	owner *syscall.Credential
}

// postgresSettings are those of a server whose data nobody needs after the
// tests. It survives its own crash all the same: what it wrote, the kernel has.
const postgresSettings = "-c fsync=off -c full_page_writes=off -c listen_addresses='' -c max_connections=200 -c timezone=UTC"

// postgresTools finds the folder of PostgreSQL's programs, the newest where
// Debian has several.
func postgresTools() (string, error) {
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(debian) > 0 {
		newest := slices.MaxFunc(debian, func(a, b string) int { return debianVersion(a) - debianVersion(b) })
		return filepath.Dir(newest), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", fmt.Errorf("find PostgreSQL: %w", err)
	}
	return filepath.Dir(path), nil
}

// debianVersion is 17 for /usr/lib/postgresql/17/bin/initdb.
func debianVersion(path string) int {
	version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return version
}

func newPostgresServer(dir string) (*postgresServer, error) {
	tools, err := postgresTools()
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	return &postgresServer{dir: dir, tools: tools, owner: owner}, nil
}

// postgresOwner is who runs the server: nobody else than us, but never root,
// whom PostgreSQL refuses.
func postgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user for PostgreSQL: %w", err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
}

// launchPostgres makes a server in a new folder and starts it.
func launchPostgres() (*postgresServer, func() error, error) {
	dir, err := os.MkdirTemp("", "sark-pg-") // short: a socket's path has at most 107 bytes
	if err != nil {
		return nil, nil, err
	}
	s, err := newPostgresServer(dir)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	if s.owner != nil {
		err = os.Chown(dir, int(s.owner.Uid), int(s.owner.Gid))
	}
	if err == nil {
		err = s.run("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
	}
	if err == nil {
		err = s.control("start")
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	end, err := s.watch()
	return s, end, err
}

func (s *postgresServer) data() string { return filepath.Join(s.dir, "data") }

func (s *postgresServer) url() string {
	u := url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{"host": {s.dir}, "user": {"postgres"}}.Encode()}
	return u.String()
}

// control runs pg_ctl, which waits for the server.
func (s *postgresServer) control(verb string, args ...string) error {
	args = append([]string{verb, "-w", "-s", "-D", s.data()}, args...)
	if verb != "stop" {
		args = append(args, "-l", filepath.Join(s.dir, "log"), "-o", postgresSettings+" -c unix_socket_directories="+s.dir)
	}
	return s.run("pg_ctl", args...)
}

func (s *postgresServer) run(tool string, args ...string) error {
	output, err := s.command(filepath.Join(s.tools, tool), args...).CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // without one there is nothing to add
		return fmt.Errorf("%s: %w\n%s%s", tool, err, output, log)
	}
	return nil
}

func (s *postgresServer) command(path string, args ...string) *exec.Cmd {
	c := exec.Command(path, args...) //nolint:gosec // PostgreSQL's own programs
	c.Dir = s.dir                    // ours may be closed to the owner
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return c
}

// watch starts a process that ends the server and removes its folder when its
// standard input closes: when the function is called, or this process dies.
func (s *postgresServer) watch() (end func() error, err error) {
	c := s.command("/bin/sh", "-c", `read -r _; "$1/pg_ctl" stop -m immediate -s -D "$2/data"; cd / && rm -rf "$2"`,
		"sh", s.tools, s.dir)
	input, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("watch PostgreSQL: %w", err)
	}
	return func() error { return errors.Join(input.Close(), c.Wait(), os.RemoveAll(s.dir)) }, nil
}
