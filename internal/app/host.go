package app

import (
	"fmt"
	"os"

	"sark/configs"
	"sark/proxy"
)

// HostWarnings returns one-line remarks on what a configuration wants of the host and of the user that runs the gateway, and
// does not find here. Each has a setting and what to do.
func HostWarnings(c *configs.Config) []string {
	if c.Proxy.Mode != configs.ModeRedirect {
		return nil
	}
	return redirectWarnings(os.Geteuid(), proxy.CheckRedirect())
}

// redirectWarnings are those of redirect mode, for a user and for what the kernel lacks.
func redirectWarnings(user int, lacks error) (w []string) {
	if user == 0 {
		w = append(w, "proxy.mode: redirect runs as root here, and whatever else root runs reaches the servers past the gateway, "+
			"since packet rules exempt its user; run it as a user of its own")
	}
	if lacks != nil {
		w = append(w, fmt.Sprintf("proxy.mode: redirect cannot tell whom clients dial here, and every request gets 421: %v; "+
			"load the packet rules first, which brings nf_conntrack in", lacks))
	}
	return w
}
