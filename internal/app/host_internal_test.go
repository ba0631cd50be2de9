package app

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRedirectWarnings asks the pure function: a test cannot take nf_conntrack out of its kernel.
func TestRedirectWarnings(t *testing.T) {
	const (
		root = "proxy.mode: redirect runs as root here, and whatever else root runs reaches the servers past the gateway, " +
			"since packet rules exempt its user; run it as a user of its own"
		kernel = "proxy.mode: redirect cannot tell whom clients dial here, and every request gets 421: no such option; " +
			"load the packet rules first, which brings nf_conntrack in"
	)
	lacks := errors.New("no such option")
	for _, tt := range []struct {
		name  string
		user  int
		lacks error
		want  []string
	}{
		{"a user of its own", 65532, nil, nil},
		{"root", 0, nil, []string{root}},
		{"no tracking", 65532, lacks, []string{kernel}},
		{"both", 0, lacks, []string{root, kernel}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, redirectWarnings(tt.user, tt.lacks)); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
		})
	}
}
