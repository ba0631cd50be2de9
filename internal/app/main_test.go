package app_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"sark/internal/testkit"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(victimConfig); file != "" {
		serveUntilKilled(file)
	}
	testkit.MainWithPostgres(m,
		// fasthttp keeps one goroutine for the Date header as long as the process lives,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// the cleaner of a server that was shut down wakes up to see that only after its interval of 10 s,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// and a connection pool looks after idle connections until it has none.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		// A Redis client that could not dial sees its end only at its next attempt, a second later.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
	)
}
