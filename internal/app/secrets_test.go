package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sark/internal/app"
	"sark/internal/testkit"
)

// secretsConfig is a gateway before one server for each way with credentials, that records all that it can.
const secretsConfig = `data_dir: %[1]s
proxy:
  listen: 127.0.0.1:0
  servers:
    - {name: strip, url: "%[2]s", sensitivity_level: low, authorization: strip}
    - {name: forward, url: "%[2]s", sensitivity_level: low, authorization: forward, resource: "https://forward.example/mcp"}
    - {name: static, url: "%[2]s", sensitivity_level: low, authorization: static, token: "the-static-secret"}
    - name: exchange
      url: "%[2]s"
      sensitivity_level: low
      authorization: exchange
      exchange: {token_url: "%[3]s/token", client_id: gateway, client_secret: "the-client-secret"}
api: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
log: {level: debug}
authn: {jwt: {issuer: "%[4]s", jwks_url: "%[5]s", audience: ["https://gateway.example/mcp", "https://forward.example/mcp"]}}
audit: {record_arguments: true, batch_interval: 1m}
authz:
  inputs: {sample: 100, arguments: true}
  headers: [user-agent]
  opa:
    services: {ops: {url: "%[3]s", credentials: {bearer: {token: "the-opa-secret"}}}}
    decision_logs: {service: ops, reporting: {min_delay_seconds: 1, max_delay_seconds: 1}}
    status: {service: ops}
`

// issuing is a token endpoint that gives one token for good subjects, and echoes the token of others in its error.
func issuing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	subject := r.FormValue("subject_token")
	claims, _ := base64.RawURLEncoding.DecodeString(strings.Split(subject, ".")[1])
	if !bytes.Contains(claims, []byte("grace.hopper")) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error": "invalid_request", "error_description": "what is %s"}`, subject)
		return
	}
	_, _ = io.WriteString(w, `{"access_token": "the-exchanged-secret", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
		"token_type": "Bearer", "expires_in": 300}`)
}

// journal is a log that is kept as it would be written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) bytes() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Clone(j.text.Bytes())
}

// TestNoCredentialIsWrittenDown runs a gateway at its most talkative with every kind of credential, good and bad, and looks
// for each of them in all that it leaves behind: its log, the spool, the database, decision logs, status reports, metrics, and
// what the management API tells.
func TestNoCredentialIsWrittenDown(t *testing.T) {
	signer, stranger, logs := testkit.NewSigner(t), testkit.NewSigner(t), &decisionLogs{}
	var reports journal
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", issuing)
	mux.Handle("POST /logs", logs)
	mux.HandleFunc("POST /status", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&reports, r.Body) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	dir := dataDir(t)
	file := filepath.Join(t.TempDir(), "sark.yaml")
	text := fmt.Sprintf(secretsConfig, dir, upstream.URL()+"/mcp", server.URL, signer.Issuer(), signer.JWKSURL())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log journal
	g := runLogging(t, app.Options{Config: load(t, file)}, zapcore.NewCore(
		zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&log), zap.DebugLevel))

	claims := func(subject string, end time.Duration) map[string]any {
		return map[string]any{
			"sub": subject, "aud": []string{"https://gateway.example/mcp", "https://forward.example/mcp"}, "roles": []string{"admin"},
			"exp": time.Now().Add(end).Unix(), "jti": time.Now().String(),
		}
	}
	token, query, echoed := signer.Sign(claims("grace.hopper", time.Hour)), signer.Sign(claims("grace.hopper", time.Hour)), signer.Sign(claims("mallory", time.Hour))
	expired, foreign := signer.Sign(claims("grace.hopper", -time.Hour)), stranger.Sign(claims("grace.hopper", time.Hour))
	key := newKey(t, dir, "analyst")
	wrongKey := key[:len(key)-1] + map[bool]string{true: "b", false: "a"}[strings.HasSuffix(key, "a")]
	const basic = "Z3JhY2U6dGhlLXBhc3N3b3Jk"

	var got []string
	ask := func(method, address, path, header string) {
		t.Helper()
		body := toolCall("echo")
		if method == http.MethodGet {
			body = ""
		}
		r := over(address, "").do(t, method, path, body, header)
		name, _, _ := strings.Cut(path, "?")
		got = append(got, fmt.Sprint(method, " ", name, " ", r.Status))
		if found := leaks([]byte(r.Body), token, key, query, expired, foreign, wrongKey); found != "" {
			t.Errorf("%s %s: the reply holds %s", method, path, found)
		}
	}
	for _, name := range []string{"strip", "forward", "static", "exchange"} {
		ask("POST", g.Proxy, "/"+name+"/mcp", "Authorization: Bearer "+token)
	}
	ask("POST", g.Proxy, "/strip/mcp", "X-API-Key: "+key)
	ask("POST", g.Proxy, "/static/mcp", "Authorization: Bearer "+key)
	ask("POST", g.Proxy, "/exchange/mcp", "Authorization: Bearer "+echoed)
	ask("POST", g.Proxy, "/strip/mcp?access_token="+query, "Authorization: Bearer "+token)
	for _, bad := range []string{"Authorization: Bearer " + expired, "Authorization: Bearer " + foreign, "X-API-Key: " + wrongKey, "Authorization: Basic " + basic} {
		ask("POST", g.Proxy, "/strip/mcp", bad)
	}
	ask("GET", g.API, "/api/v1/servers", "Authorization: Bearer "+token)
	ask("GET", g.API, "/api/v1/servers?access_token="+query, "Authorization: Bearer "+token)
	want := []string{
		"POST /strip/mcp 200", "POST /forward/mcp 200", "POST /static/mcp 200", "POST /exchange/mcp 200", "POST /strip/mcp 200",
		"POST /static/mcp 200", "POST /exchange/mcp 401", "POST /strip/mcp 200", "POST /strip/mcp 401", "POST /strip/mcp 401",
		"POST /strip/mcp 401", "POST /strip/mcp 401", "GET /api/v1/servers 200", "GET /api/v1/servers 400",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	var received []string
	for _, r := range upstream.Requests() {
		received = append(received, credentialOf(r))
	}
	wantReceived := []string{"", "Bearer " + token, "Bearer the-static-secret", "Bearer the-exchanged-secret", "", "Bearer the-static-secret", ""}
	if diff := cmp.Diff(wantReceived, received); diff != "" {
		t.Errorf("credentials that upstreams received (-want +got):\n%s", diff)
	}

	left := map[string][]byte{}
	collect(t, dir, "running ", left)
	left["metrics"] = []byte(over(g.Admin, "").get(t, "/metrics").Body)
	testkit.Eventually(t, "the decisions are logged", func() bool { return logs.count() >= 7 })
	g.stop(t)
	collect(t, dir, "stopped ", left)
	left["log"], left["status"], left["decision logs"] = log.bytes(), reports.bytes(), logs.text(t)
	var sawSubject []string
	for name, text := range left {
		found := leaks(text, token, query, echoed, expired, foreign, key, wrongKey, basic,
			"the-static-secret", "the-exchanged-secret", "the-client-secret", "the-opa-secret")
		if found != "" {
			t.Errorf("%s holds %s", name, found)
		}
		if bytes.Contains(text, []byte("grace.hopper")) {
			sawSubject = append(sawSubject, name)
		}
	}
	// What was searched is what the calls left: whoever called stands in it.
	for _, sink := range []string{"running spool", "stopped sark.db", "decision logs"} {
		if !containsPrefix(sawSubject, sink) {
			t.Errorf("%s does not tell who called; it was found in %q", sink, sawSubject)
		}
	}
	if !bytes.Contains(left["status"], []byte("plugins")) || !bytes.Contains(left["log"], []byte(`"level":"debug"`)) {
		t.Errorf("status reports: %s\nlog: %s", left["status"], left["log"])
	}
}

// leaks names the first of the secrets that a text holds, whole or by its last part: the signature of a token, the secret of a
// key.
func leaks(text []byte, secrets ...string) string {
	for _, s := range secrets {
		part := s[strings.LastIndexAny(s, "._")+1:]
		if bytes.Contains(text, []byte(part)) {
			return s
		}
	}
	return ""
}

// collect reads every file of a folder.
func collect(t *testing.T, dir, prefix string, into map[string][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if name, relative := filepath.Rel(dir, path); relative == nil {
			into[prefix+name] = text
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func containsPrefix(names []string, prefix string) bool {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// credentialOf is what a server received as credentials.
func credentialOf(r testkit.Request) string {
	return strings.TrimSpace(r.Header.Value("Authorization") + " " + r.Header.Value("X-Api-Key"))
}

// count is how many decisions were logged.
func (l *decisionLogs) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// text is all that was logged.
func (l *decisionLogs) text(t *testing.T) []byte {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	text, err := json.Marshal(l.events)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
