package bench_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
	"gopkg.in/yaml.v3"

	"sark/internal/bench"
)

// TestMain turns the test binary into the processes of a run: `upstream -listen A`, `catalogue -listen A`,
// `proxy -upstream U -listen A`, and `serve --config FILE`, a gateway that governs nothing.
func TestMain(m *testing.M) {
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	switch command {
	case "upstream":
		fmt.Fprintln(os.Stderr, bench.ServeUpstream(os.Args[3]))
	case "catalogue":
		fmt.Fprintln(os.Stderr, bench.ServeCatalogue(os.Args[3]))
	case "proxy":
		fmt.Fprintln(os.Stderr, bench.ServeProxy(os.Args[5], os.Args[3]))
	case "serve":
		fmt.Fprintln(os.Stderr, serve(os.Args[3]))
	default:
		goleak.VerifyTestMain(m, fasthttpDaemons()...)
	}
}

// fasthttpDaemons are the goroutines that fasthttp keeps for the life of the process, or that look only every ten
// seconds whether they are still wanted.
func fasthttpDaemons() []goleak.Option {
	var options []goleak.Option
	for _, name := range []string{
		"updateServerDate.func1", "(*workerPool).Start.func2", "(*HostClient).connsCleaner", "(*TCPDialer).tcpAddrsClean",
	} {
		options = append(options, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp."+name))
	}
	return options
}

// remember answers as a cache would that never forgets: what was asked before is a hit.
func remember(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	var asked sync.Map
	return func(ctx *fasthttp.RequestCtx) {
		question := string(ctx.RequestURI()) + string(ctx.Request.Body())
		next(ctx)
		cached := "MISS"
		if _, again := asked.LoadOrStore(question, true); again {
			cached = "HIT"
		}
		ctx.Response.Header.Set("X-Cache", cached)
	}
}

func serve(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var config struct {
		Admin struct{ Listen string }
		Cache struct{ Enabled bool }
		Proxy struct {
			Listen  string
			Servers []struct{ URL string }
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	upstream, err := url.Parse(config.Proxy.Servers[0].URL)
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() {
		if !config.Cache.Enabled || os.Getenv("SARK_BENCH_FORGETS") != "" {
			failed <- bench.ServeProxy(config.Proxy.Listen, upstream.Host)
			return
		}
		server := bench.Proxy(upstream.Host)
		server.Handler = remember(server.Handler)
		failed <- server.ListenAndServe(config.Proxy.Listen)
	}()
	go func() {
		ready := func(http.ResponseWriter, *http.Request) {}
		failed <- http.ListenAndServe(config.Admin.Listen, http.HandlerFunc(ready))
	}()
	return errors.Join(<-failed, <-failed)
}
