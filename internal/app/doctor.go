package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/certs"
	"sark/internal/redisguard"
	"sark/proxy"
)

// The verdicts of a Diagnosis, best first.
const (
	DiagnosisOK   = "ok"
	DiagnosisWarn = "warn"
	DiagnosisFail = "fail"
)

// Diagnosis is how one part is that the gateway depends on.
type Diagnosis struct {
	Part    string `json:"part"`
	Verdict string `json:"verdict"`
	Setting string `json:"setting"` // the key of the configuration that names the part
	Finding string `json:"finding"`
	Fix     string `json:"fix,omitempty"` // what to do; empty when all is well
}

const (
	// doctorPatience bounds the questions to one part.
	doctorPatience = 5 * time.Second
	// certificateWarning is how long before its end a certificate is worth a word.
	certificateWarning = 14 * 24 * time.Hour
	// clockWarning is how far clocks may be apart before events are hard to compare, and clockFailure, the default of
	// authn.jwt.leeway, before tokens are refused.
	clockWarning, clockFailure = time.Second, 30 * time.Second
)

// doctor asks the live parts of a configuration.
type doctor struct {
	c      *configs.Config
	found  []Diagnosis
	clocks []clockReading
}

// Diagnose asks the live parts that a configuration names how they are: the data directory, the database, Redis, the
// certificates, the MCP servers, and the clocks of those that tell the time. It changes nothing, and takes a few seconds for
// each part that does not answer.
func Diagnose(ctx context.Context, c *configs.Config) []Diagnosis {
	redis.SetLogger(redisLogger{zap.NewNop()})
	d := &doctor{c: c}
	d.dataDir()
	d.database(ctx)
	d.redis(ctx)
	d.certificates(time.Now())
	d.servers(ctx)
	d.clock()
	return d.found
}

func (d *doctor) say(verdict, part, setting, fix, format string, a ...any) {
	if verdict == DiagnosisOK {
		fix = ""
	}
	d.found = append(d.found, Diagnosis{Part: part, Verdict: verdict, Setting: setting, Finding: fmt.Sprintf(format, a...), Fix: fix})
}

// dataDir looks whether this user may write where spool, keys and local socket are.
func (d *doctor) dataDir() {
	const part, setting = "data directory", "data_dir"
	f, err := os.CreateTemp(d.c.DataDir, ".sark-doctor-*")
	switch {
	case os.IsNotExist(err):
		d.say(DiagnosisWarn, part, setting, "sark serve makes it; run it as a user who may, or make it for that user", "%s does not exist", d.c.DataDir)
		return
	case err != nil:
		d.say(DiagnosisFail, part, setting, "run sark doctor as the gateway's user; let that user own the directory", "cannot write: %v", err)
		return
	}
	_ = f.Close() // nothing was written
	if err := os.Remove(f.Name()); err != nil {
		d.say(DiagnosisFail, part, setting, "let the gateway's user delete files there", "cannot delete: %v", err)
		return
	}
	d.say(DiagnosisOK, part, setting, "", "%s can be written", d.c.DataDir)
}

// redis asks each server for an answer, for the time, and whether it evicts what may not go.
func (d *doctor) redis(ctx context.Context) {
	asked := map[string]bool{}
	for _, at := range []struct{ key, url string }{
		{"redis.url", d.c.Redis.URL}, {"sessions.redis_url", d.c.SessionsRedisURL()}, {"limits.redis_url", d.c.LimitsRedisURL()},
	} {
		if at.url == "" || asked[at.url] {
			continue
		}
		asked[at.url] = true
		d.redisServer(ctx, at.key, at.url)
	}
	if len(asked) == 0 {
		d.say(DiagnosisOK, "redis", "redis.url", "", "none; each gateway has a cache, sessions and limits of its own")
	}
	for _, e := range evictions(ctx, d.c) {
		if e.policy != "" { // whoever does not answer was told of already
			d.say(DiagnosisWarn, "redis", e.key, "name a server with noeviction, apart from the cache in redis.url",
				"%s when it is full, since its maxmemory-policy is %s", e.loss, e.policy)
		}
	}
}

func (d *doctor) redisServer(ctx context.Context, key, url string) {
	client, err := passingClient(d.c.Redis, url)
	if err != nil {
		d.say(DiagnosisFail, "redis", key, "mend the address or redis.tls", "%v", err)
		return
	}
	defer func() { _ = client.Close() }() // nothing was written
	bounded, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	start := time.Now()
	if err := redisguard.Ping(bounded, client); err != nil {
		d.say(DiagnosisFail, "redis", key, "start it, or mend the address, the password or redis.tls; until then there are no shared cache, sessions and limits",
			"does not answer: %v", err)
		return
	}
	took := time.Since(start)
	if now, err := client.Time(bounded).Result(); err == nil { // an ACL may refuse TIME
		d.clocks = append(d.clocks, clockReading{"redis", key, now, time.Now()})
	}
	d.say(DiagnosisOK, "redis", key, "", "answers, connected in %s", took.Round(time.Millisecond))
}

// certificates reads those that the configuration names, and looks when they end.
func (d *doctor) certificates(now time.Time) {
	files := allCertificates(d.c)
	for _, f := range files {
		store, err := certs.Open(certs.Options{Name: f.key, CertFile: f.cert, KeyFile: f.private, CAFile: f.authorities})
		if err != nil {
			d.say(DiagnosisFail, "certificates", f.key, "mend or renew the files", "%v", err)
			continue
		}
		if f.cert == "" {
			d.say(DiagnosisOK, "certificates", f.key, "", "authorities can be read")
			continue
		}
		ends, verdict := store.NotAfter(), DiagnosisOK
		if ends.Sub(now) < certificateWarning {
			verdict = DiagnosisWarn
		}
		d.say(verdict, "certificates", f.key, "renew it; the gateway reads changed files by itself", "ends at %s", ends.UTC().Format(time.RFC3339))
	}
	if len(files) == 0 {
		d.say(DiagnosisOK, "certificates", "proxy.tls", "", "none; the proxy listener speaks plain HTTP")
	}
}

// servers dials the MCP servers of the configuration and, where they speak TLS, looks at who answers.
func (d *doctor) servers(ctx context.Context) {
	for i, s := range d.c.Proxy.Servers {
		key := fmt.Sprintf("proxy.servers[%d].url", i)
		network, address, host, err := proxy.DialAddress(s.URL)
		if err != nil {
			d.say(DiagnosisFail, "server "+s.Name, key, "mend the url", "%v", err)
			continue
		}
		if err := d.dial(ctx, i, network, address, host); err != nil {
			d.say(DiagnosisFail, "server "+s.Name, key, "start it, or mend the url; calls get 502 until then", "%v", err)
			continue
		}
		d.say(DiagnosisOK, "server "+s.Name, key, "", "%s accepts connections", address)
	}
}

// dial connects to the i-th server and hangs up. host is that of its certificate, empty when it speaks plain HTTP.
func (d *doctor) dial(ctx context.Context, i int, network, address, host string) error {
	bounded, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(bounded, network, address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // nothing was sent
	if host == "" {
		return nil
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t := d.c.Proxy.Servers[i].TLS; t != (configs.UpstreamTLS{}) {
		f := serverFiles(i, t)
		store, err := certs.Open(certs.Options{Name: f.key, CertFile: f.cert, KeyFile: f.private, CAFile: f.authorities})
		if err != nil {
			return err
		}
		config = store.Client(cmp.Or(t.ServerName, host))
	}
	return tls.Client(c, config).HandshakeContext(bounded)
}

// clockReading is the time that another host told, and ours when its answer came.
type clockReading struct {
	part, setting string
	theirs, ours  time.Time
}

// clock compares this host's with those that answered.
func (d *doctor) clock() {
	if len(d.clocks) == 0 {
		d.say(DiagnosisOK, "clock", "store.url", "", "%s here; there is no other host to compare with", time.Now().UTC().Format(time.RFC3339))
		return
	}
	for _, r := range d.clocks {
		apart := r.theirs.Sub(r.ours)
		verdict := DiagnosisOK
		switch off := time.Duration(math.Abs(float64(apart))); {
		case off > clockFailure:
			verdict = DiagnosisFail
		case off > clockWarning:
			verdict = DiagnosisWarn
		}
		d.say(verdict, "clock", r.setting, "let NTP set the clocks of both hosts: tokens, windows of limits and times of events follow them",
			"that of %s is %s from this host's", r.part, apart.Round(time.Millisecond))
	}
}
