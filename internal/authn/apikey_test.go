package authn_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/authn"
)

func TestNewAPIKey(t *testing.T) {
	key, hash, err := authn.NewAPIKey("team-7")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^sark_team-7_[A-Za-z0-9_-]{43}$`).MatchString(key) {
		t.Errorf("key %q", key)
	}
	id, secret, ok := authn.ParseAPIKey(key)
	if !ok || id != "team-7" || authn.HashSecret(secret) != hash {
		t.Errorf("ParseAPIKey = %q, ..., %v", id, ok)
	}
	second, _, err := authn.NewAPIKey("team-7")
	if err != nil || second == key {
		t.Errorf("two keys are the same (%v)", err)
	}
	for _, id := range []string{"", "a_b", "A", "é", " ", strings.Repeat("a", 33)} {
		if _, _, err := authn.NewAPIKey(id); err == nil {
			t.Errorf("id %q was accepted", id)
		}
	}
}

func TestParseAPIKey(t *testing.T) {
	secret := strings.Repeat("s", 32)
	type parts struct {
		ID, Secret string
		OK         bool
	}
	for key, want := range map[string]parts{
		"sark_ci_" + secret:                   {"ci", secret, true},
		"sark_a-1_" + secret + "_-Z":          {"a-1", secret + "_-Z", true},
		"sark_ci_" + strings.Repeat("s", 128): {"ci", strings.Repeat("s", 128), true},
		"":                                    {},
		"sark_":                               {},
		"sark_ci":                             {},
		"sark_ci_":                            {},
		"sark_ci_" + secret[1:]:               {},
		"sark_ci_" + strings.Repeat("s", 129): {},
		"sark__" + secret:                     {},
		"sark_CI_" + secret:                   {},
		"SARK_ci_" + secret:                   {},
		"sark_ci_" + secret + " ":             {},
		"sark_ci_" + secret + "=":             {},
		"sark_" + strings.Repeat("i", 33) + "_" + secret: {},
	} {
		id, secret, ok := authn.ParseAPIKey(key)
		if diff := cmp.Diff(want, parts{id, secret, ok}); diff != "" {
			t.Errorf("%q: %s", key, diff)
		}
	}
}

func TestHashSpelling(t *testing.T) {
	hash := authn.HashSecret("secret")
	spelled := authn.FormatHash(hash)
	if want := "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; spelled != want {
		t.Errorf("FormatHash = %s, want %s", spelled, want)
	}
	if got, err := authn.ParseHash(spelled); err != nil || got != hash {
		t.Errorf("ParseHash = %x, %v", got, err)
	}
	for _, s := range []string{"", "sha256:", spelled[7:], spelled + "00", strings.Replace(spelled, "2b", "zz", 1)} {
		if _, err := authn.ParseHash(s); err == nil {
			t.Errorf("ParseHash(%q): no error", s)
		}
	}
}

// shelf is a KeyFinder.
type shelf struct {
	find  func(ctx context.Context, id string) (authn.APIKey, bool, error)
	asked atomic.Int64
}

func (s *shelf) FindAPIKey(ctx context.Context, id string) (authn.APIKey, bool, error) {
	s.asked.Add(1)
	return s.find(ctx, id)
}

// TestStoredKey walks one key through its life: made, used, changed, unreachable for a while, revoked.
func TestStoredKey(t *testing.T) {
	key, known := newKey(t, "ci")
	down := errors.New("the database is down")
	var trouble error
	store := &shelf{}
	store.find = func(_ context.Context, id string) (authn.APIKey, bool, error) { return known, id == known.ID, trouble }
	now := noon
	a := newAuthenticator(t, authn.Options{KeyStore: store, KeyGrace: time.Minute, Now: func() time.Time { return now }})

	type step struct {
		Roles string
		Code  string
		Asked int64
	}
	use := func(wait time.Duration) step {
		now = now.Add(wait)
		p, err := present(t, a, key)
		s := step{Code: code(t, err), Asked: store.asked.Load()}
		if p != nil {
			s.Roles = strings.Join(p.Roles, " ")
		}
		return s
	}
	var got []step
	got = append(got, use(0), use(4*time.Second), use(time.Second)) // the store is asked again after five seconds
	known.Roles = []string{"admin"}
	got = append(got, use(4*time.Second), use(time.Second)) // a change is seen then
	trouble = down
	got = append(got, use(5*time.Second), use(50*time.Second), use(5*time.Second)) // within the grace, and beyond it
	trouble = nil
	got = append(got, use(0))
	known.Revoked = true
	got = append(got, use(4*time.Second), use(time.Second), use(0))
	want := []step{
		{"service", "", 1},
		{"service", "", 1},
		{"service", "", 2},
		{"service", "", 2},
		{"admin", "", 3},
		{"admin", "", 4},
		{"admin", "", 5},
		{"", authn.CodeUnavailable, 6},
		{"admin", "", 7},
		{"admin", "", 7},
		{"", authn.CodeInvalidKey, 8},
		{"", authn.CodeInvalidKey, 9},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStoredKeyWithoutGrace(t *testing.T) {
	key, known := newKey(t, "ci")
	var trouble error
	store := &shelf{find: func(context.Context, string) (authn.APIKey, bool, error) { return known, trouble == nil, trouble }}
	now := noon
	a := newAuthenticator(t, authn.Options{KeyStore: store, Now: func() time.Time { return now }})
	if _, err := present(t, a, key); err != nil {
		t.Fatal(err)
	}
	trouble = errors.New("the database at 10.0.0.7 is down")
	now = now.Add(5 * time.Second)
	_, err := present(t, a, key)
	if code(t, err) != authn.CodeUnavailable {
		t.Errorf("error %v, want code %s", err, authn.CodeUnavailable)
	}
	if strings.Contains(err.Error(), "10.0.0.7") {
		t.Errorf("the error tells the caller about the store: %v", err)
	}
}

// TestSlowStore shows that only one request waits for a recheck, and no longer than KeyTimeout.
func TestSlowStore(t *testing.T) {
	key, known := newKey(t, "ci")
	entered, slow := make(chan struct{}), false
	store := &shelf{find: func(ctx context.Context, _ string) (authn.APIKey, bool, error) {
		if slow {
			close(entered)
			<-ctx.Done()
			return authn.APIKey{}, false, ctx.Err()
		}
		return known, true, nil
	}}
	var clock atomic.Int64
	a := newAuthenticator(t, authn.Options{
		KeyStore: store, KeyTimeout: 50 * time.Millisecond,
		Now: func() time.Time { return noon.Add(time.Duration(clock.Load())) },
	})
	if _, err := present(t, a, key); err != nil {
		t.Fatal(err)
	}
	slow = true
	clock.Store(int64(5 * time.Second))
	refused := make(chan string, 1)
	go func() {
		_, err := a.Authenticate(context.Background(), authn.Credentials{APIKey: []byte(key)})
		refused <- authn.CodeOf(err)
	}()
	<-entered
	if _, err := present(t, a, key); err != nil {
		t.Errorf("while another request rechecks: %v", err)
	}
	if got := <-refused; got != authn.CodeUnavailable {
		t.Errorf("the request that rechecks: %q, want %s", got, authn.CodeUnavailable)
	}
}

func FuzzParseAPIKey(f *testing.F) {
	f.Add("sark_ci_" + strings.Repeat("s", 43))
	f.Add("sark_a-b_" + strings.Repeat("_", 40))
	f.Add("sark__")
	f.Add("Bearer sark_ci_x")
	f.Fuzz(func(t *testing.T, s string) {
		id, secret, ok := authn.ParseAPIKey(s)
		if !ok {
			if id != "" || secret != "" {
				t.Errorf("%q: refused, but gives %q and %q", s, id, secret)
			}
			return
		}
		if s != "sark_"+id+"_"+secret || strings.Contains(id, "_") {
			t.Errorf("%q: split into %q and %q", s, id, secret)
		}
	})
}
