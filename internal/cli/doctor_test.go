package cli_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sark/internal/testkit"
)

// diagnosis is a line of sark doctor --output json.
type diagnosis struct{ Part, Verdict, Setting, Finding, Fix string }

// doctor runs sark doctor and returns its exit code and its lines, by part and setting.
func doctor(t *testing.T, config string) (int, map[string]diagnosis) {
	t.Helper()
	r := run(t, "doctor", "--config", writeFile(t, "sark.yaml", config), "--output", "json")
	var all []diagnosis
	if err := json.Unmarshal([]byte(r.Out), &all); err != nil {
		t.Fatalf("doctor = %+v: %v", r, err)
	}
	found := map[string]diagnosis{}
	for _, d := range all {
		found[d.Part+" "+d.Setting] = d
	}
	return r.Code, found
}

// expect compares the verdict of one line, and looks for words in what it says.
func (d diagnosis) expect(t *testing.T, verdict string, words ...string) {
	t.Helper()
	if d.Verdict != verdict || (d.Fix == "") != (verdict == "ok") {
		t.Errorf("%+v, want %s, and a fix for what is not well", d, verdict)
	}
	for _, w := range words {
		if !strings.Contains(d.Finding+"; "+d.Fix, w) {
			t.Errorf("%+v does not say %q", d, w)
		}
	}
}

// TestDoctorWell asks live servers that are well, before and after the schema is made.
func TestDoctorWell(t *testing.T) {
	database, server := testkit.Postgres(t), testkit.StartRedis(t)
	upstream := testkit.NewUpstream(t)
	config := fmt.Sprintf("data_dir: %s\nstore: {url: %q}\nredis: {url: %q}\nproxy: {servers: [{name: a, url: %q}]}\n",
		t.TempDir(), database, server.URL(), upstream.URL())

	code, found := doctor(t, config)
	if code != 0 {
		t.Errorf("exit code %d for a schema that is behind, want 0", code)
	}
	found["database store.url"].expect(t, "warn", "lacks", "sark migrate")

	if r := run(t, "migrate", "--config", writeFile(t, "sark.yaml", config)); r.Code != 0 {
		t.Fatalf("migrate = %+v", r)
	}
	code, found = doctor(t, config)
	if code != 0 || len(found) != 7 {
		t.Errorf("doctor = %d, %d lines, want 0 and 7: %+v", code, len(found), found)
	}
	for _, d := range found {
		d.expect(t, "ok")
	}
}

// TestDoctorUnwell asks for parts each of which has another trouble, and reads the setting and the fix of each.
func TestDoctorUnwell(t *testing.T) {
	server := testkit.StartRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	soon := testkit.NewAuthority(t).Issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Hour) })
	cert, key := soon.Write(t, t.TempDir())
	notADirectory := writeFile(t, "file", "")

	code, found := doctor(t, fmt.Sprintf(`
data_dir: %s
store: {url: "postgres://sark:secret@%s/sark?sslmode=disable"}
redis: {url: "redis://%s"}
sessions: {redis_url: %q}
proxy:
  tls: {cert_file: %s, key_file: %s}
  servers: [{name: a, url: "http://%s/mcp"}]
`, notADirectory, nobody, nobody, server.URL(), cert, key, nobody))

	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	found["data directory data_dir"].expect(t, "fail", "not a directory")
	found["database store.url"].expect(t, "fail", "connection refused", "spool")
	found["redis redis.url"].expect(t, "fail", "connection refused")
	found["redis sessions.redis_url"].expect(t, "warn", "sessions end early", "allkeys-lru", "noeviction")
	found["certificates proxy.tls"].expect(t, "warn", "renew")
	found["server a proxy.servers[0].url"].expect(t, "fail", "502")
	if text := fmt.Sprint(found); strings.Contains(text, "secret") {
		t.Errorf("a password is shown: %s", text)
	}
}

// TestDoctorAlone asks a gateway that nothing is configured for, and leaves nothing behind.
func TestDoctorAlone(t *testing.T) {
	dir := t.TempDir()

	r := run(t, "doctor", "--data-dir", dir)

	if r.Code != 0 || strings.Count(r.Out, "\nok ") != strings.Count(r.Out, "\n")-1 || !strings.HasPrefix(r.Out, "ok ") {
		t.Errorf("doctor = %+v, want lines that begin with ok", r)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("doctor left %v (%v)", left, err)
	}
}
