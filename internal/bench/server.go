package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The tools of ServeMoods, beside those that it answers like ServeUpstream.
const (
	toolStream    = "stream"    // progress and a result as events
	toolLarge     = "large"     // a result of largeSize, in chunks
	toolFail      = "fail"      // 500
	toolCut       = "cut"       // the connection breaks within the reply
	toolForbidden = "forbidden" // the policy denies it
)

// largeSize is the size of a large result in bytes.
const largeSize = 256 << 10

// ServeMoods is the MCP server behind the gateway of Soak and Streams: it answers calls as its tools are named, and a GET
// with an event stream that says one thing and is silent until the client leaves. It returns only with an error.
func ServeMoods(addr string) error {
	server := &http.Server{Addr: addr, Handler: http.HandlerFunc(serveMood), ReadHeaderTimeout: time.Minute}
	if err := server.ListenAndServe(); err != nil {
		return fmt.Errorf("serve the upstream: %w", err)
	}
	return nil
}

func serveMood(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		events := beginEvents(w)
		events(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hello"}}`)
		<-r.Context().Done()
		return
	}
	var call struct {
		Method string `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &call)
	}
	if err != nil {
		http.Error(w, "broken request", http.StatusBadRequest)
		return
	}
	if call.Method == "tools/list" {
		answer(w, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}},{"name":"forbidden","inputSchema":{"type":"object"}}]}}`)
		return
	}
	serveTool(w, call.Params.Name)
}

func serveTool(w http.ResponseWriter, tool string) {
	switch tool {
	case toolStream, toolCut:
		events := beginEvents(w)
		for range 3 {
			events(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
		}
		if tool == toolCut {
			panic(http.ErrAbortHandler) // the way of net/http to break a connection
		}
		events(reply())
	case toolLarge:
		answer(w, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"`+strings.Repeat("x", largeSize)+`"}]}}`)
	case toolFail:
		http.Error(w, "the tool has failed", http.StatusInternalServerError)
	default:
		answer(w, reply())
	}
}

func answer(w http.ResponseWriter, message string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, message) // a client that left is not our trouble
}

// beginEvents begins an event stream and returns what sends an event.
func beginEvents(w http.ResponseWriter) func(data string) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	return func(data string) {
		_, _ = io.WriteString(w, "data: "+data+"\n\n") // see answer
		_ = flush.Flush()
	}
}
