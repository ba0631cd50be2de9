package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Options say which files make a Store.
type Options struct {
	// Name is what the files are for, for logs and errors: the configuration key, such as "proxy.tls". Required.
	Name string
	// CertFile and KeyFile are PEM files of a certificate chain, leaf first, and of its private key; both or neither.
	CertFile, KeyFile string
	// CAFile is a PEM file of the authorities that the other side's certificate must come from; "" when there is none.
	CAFile string
	// Every is the least time between two looks at the files; default 1 s.
	Every time.Duration
	// Log is told of each change and of each new fault; nil is silent.
	Log *zap.Logger
	// Now replaces the clock in tests.
	Now func() time.Time
}

// Material is what the files held at one moment. It is immutable, and a Store returns the same one until a file changes.
type Material struct {
	// Certificate is our own, with its leaf parsed; nil without CertFile.
	Certificate *tls.Certificate
	// Authorities are those of the other side; nil without CAFile.
	Authorities *x509.CertPool

	server *tls.Config
}

// Store holds the material that is in force. Its methods may be called from several goroutines at once.
type Store struct {
	o       Options
	current atomic.Pointer[Material]
	fault   atomic.Pointer[error] // why the files are not in force; nil when they are
	due     atomic.Int64          // when to look next, in Unix nanoseconds

	looking sync.Mutex
	seen    files // as they were when current was read; guarded by looking
}

// Open reads the files for the first time. A file that cannot be read or used is an error.
func Open(o Options) (*Store, error) {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.Name == "":
		return nil, errors.New("certs: Options.Name is required")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return nil, fmt.Errorf("%s: a certificate file needs a key file, and the other way round", o.Name)
	}
	s := &Store{o: o}
	seen, err := stat(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	m, err := read(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	s.seen = seen
	s.current.Store(m)
	s.due.Store(o.Now().Add(o.Every).UnixNano())
	return s, nil
}

// Current returns the material in force, after a look at the files if one is due. Whoever finds another at it does not
// wait.
func (s *Store) Current() *Material {
	if now := s.o.Now(); now.UnixNano() >= s.due.Load() && s.looking.TryLock() {
		s.look(now)
		s.looking.Unlock()
	}
	return s.current.Load()
}

// Err returns nil when what the files hold is in force and our certificate is within its lifetime, and else what is wrong.
// It names files and no part of their content.
func (s *Store) Err() error {
	m := s.Current()
	if fault := s.fault.Load(); fault != nil {
		return *fault
	}
	if m.Certificate != nil {
		if err := lifetime(m.Certificate.Leaf, s.o.Now()); err != nil {
			return fmt.Errorf("%s: %s: %w", s.o.Name, s.o.CertFile, err)
		}
	}
	return nil
}

// look reads the files again when they have changed, or when they were not right the last time: a fault may go without a
// trace in what stat tells, such as a change of permissions. The caller holds looking.
func (s *Store) look(now time.Time) {
	defer func() { s.due.Store(now.Add(s.o.Every).UnixNano()) }()
	seen, err := stat(s.o)
	if err == nil && s.fault.Load() == nil && seen == s.seen {
		return
	}
	var m *Material
	if err == nil {
		m, err = read(s.o)
	}
	if err == nil && m.Certificate != nil {
		err = lifetime(m.Certificate.Leaf, now)
	}
	if err != nil {
		s.blame(fmt.Errorf("%s: %w", s.o.Name, err))
		return
	}
	s.fault.Store(nil)
	if seen == s.seen { // what was wrong is as it was before
		return
	}
	s.seen = seen
	s.current.Store(m)
	s.o.Log.Info("certificate files read again", zap.String("key", s.o.Name), zap.Time("not_after", m.notAfter()))
}

// blame keeps a fault, and logs it when it is a new one.
func (s *Store) blame(err error) {
	old := s.fault.Swap(&err)
	if old == nil || (*old).Error() != err.Error() {
		s.o.Log.Error("certificate files cannot be used; those read before stay in force", zap.String("key", s.o.Name), zap.Error(err))
	}
}

// NotAfter is when our certificate in force ends; zero without one.
func (s *Store) NotAfter() time.Time { return s.Current().notAfter() }

func (m *Material) notAfter() time.Time {
	if m.Certificate == nil {
		return time.Time{}
	}
	return m.Certificate.Leaf.NotAfter
}
