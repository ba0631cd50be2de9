package app_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sark/configs"
	"sark/internal/testkit"
)

// overTLS calls a listener under TLS.
func overTLS(address, key string, config *tls.Config) caller {
	return caller{"https://" + address, key, &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}}
}

// until asks until the answer is right, which takes a moment for what is looked at once a second.
func until(t *testing.T, what string, right func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(testkit.Patience)
	for !right() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("never: %s", what)
		}
	}
}

// serverSerial is the serial number of the certificate that a listener shows.
func serverSerial(t *testing.T, address string, config *tls.Config) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestTLS serves over TLS, knows a client by its certificate, takes up new files while it runs, and keeps the old ones
// when the new ones are broken.
func TestTLS(t *testing.T) {
	dir, files := dataDir(t), t.TempDir()
	ca, clients := testkit.NewAuthority(t), testkit.NewAuthority(t)
	first, second := ca.Issue(t, nil), ca.Issue(t, nil)
	cert, key := first.Write(t, files)
	clientCA := testkit.WriteFile(t, files, "ca.crt", clients.PEM)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := start(t, configure(t, dir, upstream.URL()+"/mcp", "authn: {mtls: {trust_domains: [example.org], names: [agent.internal], roles: [analyst]}}"),
		"SARK_PROXY_TLS_CERT_FILE="+cert, "SARK_PROXY_TLS_KEY_FILE="+key, "SARK_PROXY_TLS_CLIENT_CA_FILE="+clientCA)
	trusting := &tls.Config{RootCAs: ca.Pool}
	as := func(names ...string) *tls.Config {
		return &tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{clients.IssueNamed(t, names...).Pair(t)}}
	}
	admin := newKey(t, dir, "admin")

	for _, tt := range []struct {
		name   string
		caller caller
		tool   string
		status int
	}{
		{"workload", overTLS(g.Proxy, "", as("spiffe://example.org/agent")), "note", 200},
		{"workload, beyond its roles", overTLS(g.Proxy, "", as("spiffe://example.org/agent")), "wipe", 200}, // as an unknown tool
		{"named client", overTLS(g.Proxy, "", as("agent.internal")), "note", 200},
		{"client of another name", overTLS(g.Proxy, "", as("other.internal")), "note", 401},
		{"workload of another domain", overTLS(g.Proxy, "", as("spiffe://other.org/agent")), "note", 401},
		{"key beside a certificate", overTLS(g.Proxy, admin, as("spiffe://other.org/agent")), "note", 200},
		{"key alone", overTLS(g.Proxy, admin, trusting), "note", 200},
		{"nothing", overTLS(g.Proxy, "", trusting), "note", 401},
	} {
		r := tt.caller.post(t, "/mcp", toolCall(tt.tool))
		if r.Status != tt.status {
			t.Errorf("%s: %d %s", tt.name, r.Status, r.Body)
		}
		if denied := strings.Contains(r.Body, "unknown tool"); denied != (tt.tool == "wipe") {
			t.Errorf("%s: %s", tt.name, r.Body)
		}
	}

	second.Write(t, files)
	until(t, "the new certificate", func() bool { return serverSerial(t, g.Proxy, trusting) == second.Leaf.SerialNumber.String() })
	testkit.WriteFile(t, files, "tls.key", first.Key) // does not fit
	health := over(g.Admin, "")
	until(t, "a health that shows it", func() bool { return strings.Contains(health.get(t, "/health/").Body, "degraded") })
	if got := serverSerial(t, g.Proxy, trusting); got != second.Leaf.SerialNumber.String() {
		t.Error("a broken pair took the place of a good one")
	}
	if n := g.logs.FilterMessage("certificate files cannot be used; those read before stay in force").Len(); n != 1 {
		t.Errorf("the log tells of it %d times", n)
	}
	g.stop(t)
	var users []string
	for _, e := range stored(t, dir) {
		users = append(users, e.UserID+" "+e.AuthMethod)
	}
	want := "spiffe://example.org/agent mtls, spiffe://example.org/agent mtls, agent.internal mtls,  none,  none, admin@example.com api_key, admin@example.com api_key,  none"
	if got := strings.Join(users, ", "); got != want {
		t.Errorf("senders in the trail:\n%s\nwant:\n%s", got, want)
	}
}

// TestUpstreamTLS reaches a server that has an authority of its own and wants to be shown a certificate.
func TestUpstreamTLS(t *testing.T) {
	dir, files := dataDir(t), t.TempDir()
	ca, clients := testkit.NewAuthority(t), testkit.NewAuthority(t)
	seen := make(chan string, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.TLS.ServerName + " " + r.TLS.PeerCertificates[0].SerialNumber.String()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Connection", "close") // the next call needs a new connection
		_, _ = fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`)
	}))
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"mcp.internal"}, nil }).Pair(t)},
		ClientCAs:    clients.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	first, second := clients.IssueNamed(t, "gateway"), clients.IssueNamed(t, "gateway")
	cert, key := first.Write(t, files)
	file := testkit.WriteFile(t, files, "sark.yaml", fmt.Appendf(nil, `data_dir: %s
proxy:
  listen: 127.0.0.1:0
  servers:
    - name: desk
      url: %s/mcp
      tls: {ca_file: %s, cert_file: %s, key_file: %s, server_name: mcp.internal}
api: {listen: "127.0.0.1:0"}
admin: {listen: "off"}
`, dir, server.URL, testkit.WriteFile(t, files, "ca.crt", ca.PEM), cert, key))
	g := start(t, file)
	admin := over(g.Proxy, newKey(t, dir, "admin"))
	call := func() string {
		if r := admin.post(t, "/mcp", toolCall("note")); r.Status != 200 {
			t.Fatalf("the call got %d %s", r.Status, r.Body)
		}
		return testkit.Wait(t, 0, seen)
	}
	if got := call(); got != "mcp.internal "+first.Leaf.SerialNumber.String() {
		t.Errorf("the server saw %s", got)
	}
	second.Write(t, files)
	until(t, "the new certificate", func() bool { return call() == "mcp.internal "+second.Leaf.SerialNumber.String() })
}

// TestMissingCertificate names the key whose file cannot be read.
func TestMissingCertificate(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "tls.crt")
	err := refuse(t, configure(t, dataDir(t), "http://127.0.0.1:9/mcp"), "SARK_PROXY_TLS_CERT_FILE="+nowhere, "SARK_PROXY_TLS_KEY_FILE="+nowhere)
	if want := "start certificates: proxy.tls: stat " + nowhere; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q", err, want)
	}
}

// TestEdgeIsSupported keeps what the gateway can do out of the list of what it cannot.
func TestEdgeIsSupported(t *testing.T) {
	c := configs.Default()
	c.Proxy.TLS = configs.TLS{CertFile: "a", KeyFile: "b", ClientCAFile: "c"}
	c.Proxy.PublicURL, c.Proxy.TrustedProxies = "https://mcp.example", []string{"10.0.0.0/8", configs.UnixPeers}
	c.Authn.MTLS = configs.MTLS{TrustDomains: []string{"example.org"}, Names: []string{"*"}, Roles: []string{"service"}}
	c.Proxy.Servers = []configs.Server{{
		Name: "a", URL: "https://a/mcp", Authorization: "strip", SensitivityLevel: "low", TLS: configs.UpstreamTLS{CAFile: "d", ServerName: "e"},
	}, {Name: "b", URL: "unix:///run/b.sock:/mcp", Authorization: "strip", SensitivityLevel: "low"}}
	if issues := configs.Validate(c); len(issues) > 0 {
		t.Errorf("issues:\n%s", issues)
	}
}
