package testkit

import (
	"net/http"
	"strconv"
	"strings"
)

// Reply writes a whole reply of known length.
func (x *Exchange) Reply(status int, body string, lines ...string) {
	x.WriteHead(status, append([]string{"Content-Length: " + strconv.Itoa(len(body))}, lines...)...)
	x.Write([]byte(body))
}

// JSON writes a whole JSON reply of known length.
func (x *Exchange) JSON(status int, body string, lines ...string) {
	x.Reply(status, body, append([]string{"Content-Type: application/json"}, lines...)...)
}

// ChunkedJSON writes a whole JSON reply as one chunk, without a length.
func (x *Exchange) ChunkedJSON(status int, body string, lines ...string) {
	x.WriteHead(status, append([]string{"Content-Type: application/json", "Transfer-Encoding: chunked"}, lines...)...)
	x.Write([]byte(body))
}

// Stream writes the head of a stream of server-sent events in chunks. Events
// follow with Event or Relay; the stream ends with the handler.
func (x *Exchange) Stream(lines ...string) {
	x.WriteHead(http.StatusOK, append([]string{
		"Content-Type: text/event-stream",
		"Cache-Control: no-cache",
		"Transfer-Encoding: chunked",
	}, lines...)...)
}

// Event sends one event named message, as MCP servers do. A line feed in the
// data begins a further data line.
func (x *Exchange) Event(data string) {
	x.Write([]byte("event: message\ndata: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n"))
}

// Relay sends an event for each string that the test puts into the channel,
// until the channel is closed, the client has gone or the test is over.
func (x *Exchange) Relay(events <-chan string) {
	for {
		select {
		case data, ok := <-events:
			if !ok {
				return
			}
			x.Event(data)
		case <-x.gone:
			return
		case <-x.closing:
			return
		}
	}
}
