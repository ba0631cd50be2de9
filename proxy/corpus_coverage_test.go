package proxy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sark/proxy"
)

// claim is something that the corpus is to show, and where that is shown: files of the corpus (patterns without .txtar), and
// tests of this package for what bytes alone cannot show.
type claim struct {
	what  string
	shown []string
}

// claims are what befell other gateways, by the number in the names of the files, and what fasthttp does that a gateway must
// know of, each with what holds us to it.
func claims() []claim {
	return []claim{
		{"17: rules about arguments are passed by", []string{"bypass-17-*"}},
		{"18: lists show what the caller may not call, or are empty without a word", []string{"bypass-18-*"}},
		{"19: a filtered list is null", []string{"bypass-19-*"}},
		{"20: batches", []string{"bypass-20-batch", "bypass-20-batch-split"}},
		{"20: bodies of another media type", []string{"bypass-20-media-type-*"}},
		{"20: lists under odd statuses and media types", []string{"bypass-20-list-*"}},
		{"20: events of several lines, and lines that cannot be read", []string{"bypass-20-event-*"}},
		{"21: one copy of the body is decided and another forwarded", []string{"bypass-21-*"}},
		{"22: headers are decided by that the server does not read", []string{"bypass-22-*-header", "bypass-22-name-*", "bypass-22-param-*"}},
		{"22: keys that two readers read differently", []string{"bypass-22-key-escaped", "bypass-22-method-key-case", "bypass-22-params-twice", "bypass-22-second-message"}},
		{"23: bodies that are large or malformed", []string{"bypass-23-*"}},

		{"the slice of PeekAll is overwritten", []string{"fasthttp-repeated-accept", "fasthttp-repeated-session", "header-repeated"}},
		{"a panic in a handler ends the process", []string{"internal"}},
		{"a panic in a body's writer ends the process, one in its reader is swallowed", []string{"TestStreamPanicStaysInsideItsStream"}},
		{"a pulled body is flushed chunk by chunk", []string{"TestStreamEventsArriveOneByOne"}},
		{"the hook of a body's end gets the write error of a client that left", []string{"client-left", "TestStreamDepartedClientIsNoticed"}},
		{"both hooks of a body's end are called, with nil for HEAD and replaced replies", []string{"fasthttp-head", "redact-large", "TestHead"}},
		{"HEAD closes the body unread", []string{"fasthttp-head", "TestHead"}},
		{"a read error cuts the reply", []string{"fasthttp-cut-*", "TestTransportCutLongReply"}},
		{"the head waits for the first chunk", []string{"TestStreamHeadersDoNotWaitForTheFirstEvent"}},
		{"a client that left is seen by writing only", []string{"TestStreamDepartedClientIsNoticed", "TestStreamCommentsStandBetweenEvents", "TestSilentCall", "TestSecureClientLeavesBeforeTheReply"}},
		{"timeouts of server and client are absolute", []string{"TestStreamOutlivesItsTimeouts", "TestStreamSlowReader"}},
		{"a silent server fails by a rolling deadline", []string{"upstream-silent", "TestStreamIdleTimeout"}},
		{"replies in chunks and until close begin at once, those of a length are fetched ahead", []string{"fasthttp-until-close", "TestStreamOfJSONIsNotBuffered", "TestTransportRelays"}},
		{"a reply that is closed early leaves its rest to the next", []string{"TestTransportDoesNotReuseAnUnfinishedReply", "TestTransportDoesNotReuseAConnectionWithLeftovers"}},
		{"a body that is not read is the next request", []string{"fasthttp-body-unread", "fasthttp-pipelined"}},
		{"an oversized body is a bad request", []string{"body-large", "body-huge"}},
		{"framing that is refused", []string{"fasthttp-two-lengths", "fasthttp-space-before-colon", "fasthttp-gzip-chunked", "fasthttp-two-hosts", "fasthttp-no-host", "fasthttp-chunk*"}},
		{"framing that is accepted: a length beside chunks, identity, bare line feeds, folded lines, trailers", []string{"framing-ambiguous", "fasthttp-identity", "fasthttp-bare-line-feed", "fasthttp-folded", "fasthttp-trailer*", "fasthttp-nul"}},
		{"of repeated Authorization the first is seen and both are forwarded", []string{"fasthttp-repeated-authorization"}},
		{"of repeated Content-Type the last wins", []string{"fasthttp-repeated-media-type"}},
		{"paths are cleaned and decoded", []string{"fasthttp-path-*"}},
		{"a URL as target overrides the host", []string{"target-absolute"}},
		{"paths to the server are cleaned", []string{"TestPassthroughPathIsKept", "TestTransportConfiguredQueryWins"}},
		{"fields of the connection go through", []string{"fasthttp-hop-by-hop", "fasthttp-identity-headers"}},
		{"names of fields are canonical", []string{"fasthttp-canonical-names"}},
		{"GET is sent five times", []string{"fasthttp-get-once", "fasthttp-post-once", "TestTransportSendsOnce"}},
		{"a shutdown waits for streams and cuts none", []string{"TestStreamShutdownEndsListeners", "TestStreamShutdownWaitsForCalls", "TestStreamShutdownCutsCallsInTheEnd"}},

		{"a plain proxy changes Host, by which servers know that a name was rebound", []string{"host-denied", "origin-denied", "TestInboundHosts"}},
		{"a plain proxy fails on stale connections", []string{"TestTransportNoticesAStaleConnection"}},
		{"a plain proxy invents a media type", []string{"fasthttp-no-media-type"}},
		{"a plain proxy refuses large heads", []string{"headers-large", "fasthttp-oversized-head", "TestTransportLongRequests", "TestTransportRelays"}},
		{"a plain proxy breaks the metadata of OAuth", []string{"TestMetadataForTheOfficialClient", "TestInboundMetadata"}},
		{"a plain proxy keeps bytes, chunks, unknown fields, refusals, ids of events, Expect and 20 MiB", []string{
			"bypass-21-body-kept", "bypass-21-chunked-body", "bypass-22-param-unknown", "fasthttp-server-error", "fasthttp-event-ids",
			"TestStreamBytesAreKept", "TestStreamIsResumed", "TestExpect", "TestStreamHugeAnswer", "TestStreamHugeRequest", "TestTransportRelays",
			"TestStreamHeadersDoNotWaitForTheFirstEvent", // X-Accel-Buffering
		}},
	}
}

// elsewhere are the rows of the failure table that the corpus cannot hold, and why. TestFailureTable makes them happen.
func elsewhere() map[string]string {
	const token = "its bytes hold a token that is made anew by each run"
	return map[string]string{
		"credential-expired": token, "denied-scope": token, "exchange-refused": token, "exchange-failed": token,
		"registry-away":       "it is about the management API",
		"destination-unknown": "it is about what was dialled", "destination-loop": "it is about what was dialled",
	}
}

// TestCorpusCoversFailureTable: a row that one exchange can show has a file that is named like it, and any other has a test.
func TestCorpusCoversFailureTable(t *testing.T) {
	table, tests, others := failureTable(t), failures(), elsewhere()
	for id := range table {
		_, err := os.Stat(filepath.Join(corpusDir, id+".txtar"))
		_, other := others[id]
		if other == (err == nil) {
			t.Errorf("row %s: has a file %t, and is listed as one without %t", id, err == nil, other)
		}
		if err == nil && readCorpus(t, filepath.Join(corpusDir, id+".txtar")).config.Row != id {
			t.Errorf("%s.txtar does not name its row", id)
		}
	}
	for id := range others {
		if _, ok := tests[id]; !ok {
			t.Errorf("row %s is shown nowhere", id)
		}
		if _, ok := table[id]; !ok {
			t.Errorf("there is no row %s", id)
		}
	}
}

// TestCorpusCoversClaims: whatever shows a claim is there, and every file that is named after a claim shows one.
func TestCorpusCoversClaims(t *testing.T) {
	files, tests := corpusNames(t), testNames(t)
	idle := map[string]bool{}
	for _, name := range files {
		idle[name] = strings.HasPrefix(name, "bypass-") || strings.HasPrefix(name, "fasthttp-")
	}
	for _, c := range claims() {
		for _, by := range c.shown {
			if strings.HasPrefix(by, "Test") {
				if !slices.Contains(tests, by) {
					t.Errorf("%s: there is no %s", c.what, by)
				}
				continue
			}
			found := false
			for _, name := range files {
				match, err := filepath.Match(by, name)
				if err != nil {
					t.Fatal(err)
				}
				if match {
					found, idle[name] = true, false
				}
			}
			if !found {
				t.Errorf("%s: there is no file %s", c.what, by)
			}
		}
	}
	for name, is := range idle {
		if is {
			t.Errorf("%s.txtar shows no claim", name)
		}
	}
}

// corpusNames are the files of the corpus without .txtar.
func corpusNames(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(corpusDir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(filepath.Base(name), ".txtar")
	}
	return names
}

// testNames are the tests of this package.
func testNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if rest, ok := strings.CutPrefix(line, "func "); ok {
				if name, _, ok := strings.Cut(rest, "(t *testing.T)"); ok {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// TestPassthroughPathIsKept: a path that is configured reaches the server as it stands, and no other spelling of it does.
func TestPassthroughPathIsKept(t *testing.T) {
	const path = "/a%2Fb//c;d/./e%20f"
	g := newGateway(t, permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Passthrough = []string{path} }
	}))
	c := g.Dial(t)
	var got []int
	for _, target := range []string{path, "/a/b//c;d/./e%20f", "/a%2fb//c;d/./e%20f", "/a%2Fb/c;d/e%20f"} {
		c.Send("PUT", target, "x", bearer("admin"), "Content-Type: text/plain")
		got = append(got, c.ReadReply().Status)
	}
	var targets []string
	for _, r := range g.Upstream.Requests() {
		targets = append(targets, r.Target)
	}
	diff(t, "statuses", []int{405, 404, 404, 404}, got) // 405 is the server's
	diff(t, "what the server was asked", []string{path}, targets)
}
