package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"sark/internal/testkit"
)

// lane is one thing that goes wrong again and again, beside all others. Its choices come from the seed; when its turn comes
// does not.
type lane struct {
	name   string
	choose *rand.Rand
	every  time.Duration // on average, from one time to the next
	do     func(ctx context.Context, l *lane) (what string, err error)
	done   int
}

// some is a random time up to d.
func (l *lane) some(d time.Duration) time.Duration {
	return time.Duration(l.choose.Int64N(int64(d)))
}

// lanes are all that goes wrong in a town.
func (w *town) lanes(seed uint64) []*lane {
	all := []*lane{
		{name: "replica 0", every: 3 * time.Second, do: func(ctx context.Context, l *lane) (string, error) { return w.replicas[0].suffer(ctx, l, true) }},
		{name: "replica 1", every: 3 * time.Second, do: func(ctx context.Context, l *lane) (string, error) { return w.replicas[1].suffer(ctx, l, false) }},
		{name: "redis", every: 4 * time.Second, do: w.disturbRedis},
		{name: "database", every: 6 * time.Second, do: w.disturbDatabase},
		{name: "desk", every: 4 * time.Second, do: w.desk.suffer},
		{name: "old", every: 4 * time.Second, do: w.old.suffer},
		{name: "policy", every: 2 * time.Second, do: w.changePolicy},
		{name: "keys", every: 25 * time.Second, do: w.rotateKeys},
		{name: "changes", every: 600 * time.Millisecond, do: w.changeOrigins},
		{name: "registry", every: 800 * time.Millisecond, do: w.changeRegistry},
	}
	for i, l := range all {
		l.choose = rand.New(rand.NewPCG(seed, uint64(1+i)))
	}
	return all
}

// disturb lets everything go wrong until ctx ends. What was begun is ended, and mended.
func (w *town) disturb(ctx context.Context, all []*lane) {
	var running sync.WaitGroup
	for _, l := range all {
		running.Go(func() {
			for wait(ctx, l.some(2*l.every)); ctx.Err() == nil; wait(ctx, l.some(2*l.every)) {
				what, err := l.do(ctx, l)
				if err != nil {
					w.judge.fault("%s: %s: %v", l.name, what, err)
				}
				w.reports.add("%s: %s", l.name, what)
				l.done++
			}
		})
	}
	running.Wait()
}

// suffer is what happens to a gateway. One that is not mortal lives on, so that what it leaks adds up.
func (r *replica) suffer(ctx context.Context, l *lane, mortal bool) (string, error) {
	pause := l.some(1500 * time.Millisecond)
	kinds := 4
	if mortal {
		kinds = 8
	}
	switch l.choose.IntN(kinds) {
	case 0:
		return "reload", r.configure(ctx, "watch_config: false", pause)
	case 1, 2:
		return "reload of nonsense", r.configure(ctx, []string{"nonsense: true", "audit: [", "\x00"}[l.choose.IntN(3)], pause)
	case 3:
		return "full disk", r.fill(ctx, false, pause)
	case 4:
		return "full disk and kill", r.fill(ctx, true, pause)
	case 5:
		return "term", r.end(ctx, false, pause)
	default:
		return "kill", r.end(ctx, true, pause)
	}
}

func (w *town) disturbRedis(ctx context.Context, l *lane) (what string, err error) {
	pause := l.some(3 * time.Second)
	switch l.choose.IntN(4) {
	case 0:
		w.redis.Do("FLUSHALL")
		return "flush", nil
	case 1:
		what = "pause"
		w.redisAway.during(func() {
			w.redis.Pause()
			wait(ctx, pause)
			w.redis.Resume()
		})
	case 2: // It comes back with what it knew some time ago.
		w.redis.Do("SAVE")
		wait(ctx, l.some(time.Second))
		fallthrough
	default:
		what = "kill"
		w.redisAway.during(func() {
			w.redis.Kill()
			wait(ctx, pause)
			w.redis.Start()
		})
	}
	return what, nil
}

func (w *town) disturbDatabase(ctx context.Context, l *lane) (what string, err error) {
	pause := l.some(3 * time.Second)
	w.databaseAway.during(func() {
		switch l.choose.IntN(3) {
		case 0:
			what = "fast restart"
			testkit.RestartPostgres(w.t, "fast")
		case 1:
			what = "immediate restart"
			testkit.RestartPostgres(w.t, "immediate")
		default:
			what = "stop"
			start := testkit.StopPostgres(w.t)
			wait(ctx, pause)
			start()
		}
	})
	return what, nil
}

// suffer is what happens to an MCP server.
func (o *origin) suffer(ctx context.Context, l *lane) (string, error) {
	pause := l.some(2500 * time.Millisecond)
	if l.choose.IntN(4) == 0 {
		o.kill()
		wait(ctx, pause)
		o.start()
		return "kill", nil
	}
	m := []mood{slow, stalled, garbage, cut}[l.choose.IntN(4)]
	o.setMood(m)
	if m == stalled {
		pause *= 3 // for some calls longer than the gateway waits
	}
	wait(ctx, pause)
	o.setMood(well)
	return string(m), nil
}

// changePolicy gives or takes the right of swingers, or breaks the policy before that.
func (w *town) changePolicy(ctx context.Context, l *lane) (string, error) {
	p := w.policy
	what := ""
	if l.choose.IntN(3) == 0 {
		p.starts.Lock()
		err := p.write("package sark\n\ndecision := {")
		for _, r := range w.replicas {
			r.hangup()
		}
		wait(ctx, l.some(time.Second))
		if err == nil { // It was never in force, and what is written now is.
			version, _ := p.inForce()
			err = p.write(rego(version))
		}
		p.starts.Unlock()
		if err != nil {
			return "broken", err
		}
		what = "broken, then "
	}
	version, _ := p.inForce()
	p.starts.Lock() // who starts has read the old version, and is told of the new one below, or will read that
	p.set(version, true)
	err := p.write(rego(version + 1))
	p.starts.Unlock()
	if err != nil {
		return what, err
	}
	for _, r := range w.replicas {
		r.hangup()
	}
	for _, r := range w.replicas {
		if err := w.awaitPolicy(r, version+1); err != nil {
			return what, err
		}
	}
	p.set(version+1, false)
	return fmt.Sprintf("%sversion %d in force", what, version+1), nil
}

// awaitPolicy asks a gateway, until it decides by a version of the policy, or is started again: then it reads that one.
func (w *town) awaitPolicy(r *replica, version int) error {
	first, ok := r.now()
	if !ok {
		return nil
	}
	c := newClient(w, principals()[2], 20, nil)
	defer c.http.CloseIdleConnections()
	for deadline := time.Now().Add(patience / 4); time.Now().Before(deadline); wait(context.Background(), 10*time.Millisecond) {
		if first.over() {
			return nil
		}
		w.policy.mu.Lock()
		w.policy.probes++
		probe := w.policy.probes
		w.policy.mu.Unlock()
		a := &ask{kind: "policy probe", call: fmt.Sprintf("probe-%d", probe), at: first, verb: http.MethodPost, headers: map[string]string{}}
		c.send(context.Background(), a.modern(w, "tools/call", rootTool, a.toolCall(rootTool)))
		if o := c.judge(a); o.rule == fmt.Sprintf("v%d", version) {
			return nil
		}
	}
	return fmt.Errorf("replica %d does not decide by version %d", r.n, version)
}

// rotateKeys lets the issuer sign with another key. Until the gateways may ask it again, and have, tokens of that are unknown.
func (w *town) rotateKeys(ctx context.Context, l *lane) (string, error) {
	if l.choose.IntN(3) > 0 {
		w.keysAway.during(w.signer.Rotate)
		return "rotation", nil
	}
	w.keysAway.during(func() {
		w.signer.SetDown(true)
		wait(ctx, l.some(2*time.Second))
		w.signer.SetDown(false)
	})
	return "out of reach", nil
}

// changeOrigins lets an MCP server say something new, and makes the gateways forget what it said before.
func (w *town) changeOrigins(ctx context.Context, l *lane) (string, error) {
	if kind := l.choose.IntN(4); kind < 2 {
		o := []*origin{w.desk, w.old}[kind]
		o.announce(o.version.Add(1))
		return fmt.Sprintf("announcement by server %d", kind), nil
	}
	scope, names := `{"scope":"all"}`, []string{"desk", "plain", "old"}
	if l.choose.IntN(2) == 0 {
		scope, names = `{"scope":"server","server":"desk"}`, []string{"desk"}
	}
	versions := map[string]int64{"old": w.old.version.Add(1), "desk": w.desk.version.Add(1)}
	versions["plain"] = versions["desk"]
	c := newClient(w, principals()[5], 30, l.choose)
	defer c.http.CloseIdleConnections()
	a, ok := c.newAsk("purge")
	if !ok {
		return "no purge", nil
	}
	a.call, a.url, a.body = "", "http://"+a.at.gateway.API+"/api/v1/cache/invalidate", scope
	c.send(ctx, a)
	if a.failure != nil {
		return "purge cut", nil
	}
	if a.status != http.StatusOK {
		if !w.redisAway.since(a.began.Add(-5*time.Second)) && !a.at.fullSince(a.began.Add(-5*time.Second)) {
			return "purge", fmt.Errorf("status %d: %s", a.status, a.reply)
		}
		return "purge refused", nil
	}
	for _, name := range names {
		w.judge.raise(name, floor{version: versions[name], since: time.Now(), told: a.at, by: purged})
	}
	return fmt.Sprintf("purge %s at replica %d", scope, a.at.n), nil
}

// changeRegistry registers a server, and changes it from then on.
func (w *town) changeRegistry(ctx context.Context, l *lane) (string, error) {
	c := newClient(w, principals()[5], 40, l.choose)
	defer c.http.CloseIdleConnections()
	a, ok := c.newAsk("API write")
	if !ok {
		return "no write", nil
	}
	w.registry.mu.Lock()
	w.registry.version++
	version, id := w.registry.version, w.registry.id
	w.registry.mu.Unlock()
	a.url = "http://" + a.at.gateway.API + "/api/v1/servers/"
	a.body = fmt.Sprintf(`{"description":"version=%d;"}`, version)
	if id == "" {
		a.body = fmt.Sprintf(`{"name":"more-%d","transport":"http","endpoint":%q,"tools":[],"description":"version=%d;"}`, version, w.desk.url(), version)
	} else {
		a.verb, a.url = http.MethodPatch, a.url+id
		a.headers["Content-Type"] = "application/json"
	}
	c.send(ctx, a)
	if a.failure != nil {
		return "write cut", nil
	}
	switch a.status {
	case http.StatusCreated:
		var reply struct {
			ID string `json:"server_id"`
		}
		if err := json.Unmarshal(a.reply, &reply); err != nil {
			return "registration", err
		}
		w.registry.mu.Lock()
		w.registry.id = reply.ID
		w.registry.mu.Unlock()
	case http.StatusOK:
	default:
		if !w.databaseAway.since(a.began.Add(-5*time.Second)) && !a.at.fullSince(a.began.Add(-5*time.Second)) {
			return "write", fmt.Errorf("status %d: %s", a.status, a.reply)
		}
		return "write refused", nil
	}
	w.judge.raise("registry", floor{version: version, since: time.Now(), told: a.at, by: written})
	return fmt.Sprintf("write of version %d at replica %d", version, a.at.n), nil
}

// registry is the one server that is registered and changed.
type registry struct {
	mu      sync.Mutex
	id      string // "": not yet
	version int64
}

func (w *town) registered() string {
	w.registry.mu.Lock()
	defer w.registry.mu.Unlock()
	return w.registry.id
}

// summary says how often each lane had its turn.
func summary(all []*lane) string {
	var parts []string
	for _, l := range all {
		parts = append(parts, fmt.Sprintf("%s %d", l.name, l.done))
	}
	return strings.Join(parts, ", ")
}
