package charts_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sidecar is the manifest of a server with the gateway in its pod, for docs/sidecar.md.
const sidecar = "../docs/sidecar.yaml"

func readSidecar(t *testing.T) *release {
	t.Helper()
	text, err := os.ReadFile(sidecar)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, map[string]string{sidecar: string(text)})
}

// TestSidecar holds the manifest against the types of Kubernetes, the gateway's configuration, and what docs/sidecar.md says.
func TestSidecar(t *testing.T) {
	r := readSidecar(t)
	gateway, server := r.pod.Spec.InitContainers[0], r.pod.Spec.Containers[0]
	mustBeRestricted(t, &r.pod, gateway)
	c := load(t, r, gateway)

	for name, listen := range map[string]string{"mcp": c.Proxy.Listen, "sark-admin": c.Admin.Listen} {
		if got := port(gateway, name); listen != got {
			t.Errorf("port %s is %q, the gateway listens on %s", name, got, listen)
		}
	}
	if target := r.services[0].Spec.Ports[0].TargetPort.StrVal; port(gateway, target) != c.Proxy.Listen {
		t.Errorf("the Service leads to %s, the gateway listens on %s", target, c.Proxy.Listen)
	}
	if url := c.Proxy.Servers[0].URL; !slices.Contains(server.Args, strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/mcp")) {
		t.Errorf("the gateway calls %s, the server has the arguments %v", url, server.Args)
	}
	if c.Debug.Listen == "" {
		t.Error("sark drain does not reach the gateway: debug.listen is off")
	}
	if d := cmp.Diff([]string{"sark", "drain"}, gateway.Lifecycle.PreStop.Exec.Command); d != "" {
		t.Errorf("preStop of the gateway (-want +got):\n%s", d)
	}
	grace := time.Duration(*r.pod.Spec.TerminationGracePeriodSeconds) * time.Second
	leaving := time.Duration(server.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	if spare := grace - leaving - c.Proxy.DrainTimeout - flush; spare <= 0 || spare > time.Minute {
		t.Errorf("pods may take %s to end, and take up to %s", grace, leaving+c.Proxy.DrainTimeout+flush)
	}
}
