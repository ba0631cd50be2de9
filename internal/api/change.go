package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"sark/store"
)

// write stores a server that was read and changed.
type write func(ctx context.Context, s *store.Server) error

// writeServer stores a server without its tools.
func (a *API) writeServer(ctx context.Context, s *store.Server) error {
	return a.o.Registry.UpdateServers(ctx, s)
}

// change reads the server in the path, lets apply change it, and writes it if that changed anything. The write is refused
// when another one came between, so nothing is lost; it is not tried again, because the caller's right to change the server
// was decided on the state before. apply must replace lists and documents of the server, not write into them.
func (a *API) change(ctx context.Context, r *request, apply func(*store.Server) error, write write) (store.Server, error) {
	before, err := a.current(ctx, r)
	if err != nil {
		return before, err
	}
	if before.Status == store.Decommissioned {
		return before, &Problem{Status: fasthttp.StatusConflict, Code: "decommissioned", Detail: "The server is decommissioned"}
	}
	after := before
	if err := apply(&after); err != nil {
		return before, err
	}
	changed := differences(&before, &after)
	if len(changed) == 0 {
		return before, nil
	}
	if err := write(ctx, &after); err != nil {
		return before, storeProblem(err, "registry")
	}
	a.changed(after.ID)
	r.details = detailsOf(changed, after.Revision)
	return after, nil
}

// current reads the server in the path, and holds it against the revision that the caller names in If-Match.
func (a *API) current(ctx context.Context, r *request) (store.Server, error) {
	id, ok := parseID(r.call.Name)
	if !ok {
		return store.Server{}, notUUID("server_id")
	}
	if q := readQuery(r); q.err != nil {
		return store.Server{}, q.err
	}
	want, err := ifMatch(string(r.in.Header.Peek("If-Match")))
	if err != nil {
		return store.Server{}, err
	}
	s, err := a.o.Registry.Server(ctx, id.String())
	if err != nil {
		return s, storeProblem(err, "registry")
	}
	if want != 0 && want != s.Revision {
		return s, &Problem{
			Status: fasthttp.StatusPreconditionFailed, Code: "precondition_failed",
			Detail: "If-Match: the server is at revision " + strconv.FormatInt(s.Revision, 10),
		}
	}
	return s, nil
}

// notUUID refuses an identifier in a path.
func notUUID(name string) *Problem {
	p := unprocessable(FieldError{Loc: []any{"path", name}, Msg: "The id should be a UUID", Type: "uuid_parsing"})
	p.Detail = "The path is not valid"
	return p
}

// ifMatch reads the header of a conditional write (RFC 9110 section 13.1.1): the revision in quotes, 0 when there is no
// header or it is "*", which every server matches that exists.
func ifMatch(header string) (int64, error) {
	if header == "" || header == "*" {
		return 0, nil
	}
	text, ok := strings.CutPrefix(header, `"`)
	if ok {
		text, ok = strings.CutSuffix(text, `"`)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || n < 1 {
		return 0, invalidParameter("If-Match", `should be the revision in quotes, as in ETag: "3"`)
	}
	return n, nil
}

// reply answers with a server and its ETag.
func (r *request) reply(s *store.Server) error {
	r.out.Header.Set("ETag", `"`+strconv.FormatInt(s.Revision, 10)+`"`)
	return writeJSON(r.out, fasthttp.StatusOK, detailOf(s))
}

// changed tells caches that a server was written.
func (a *API) changed(id string) {
	if a.o.Changed != nil {
		a.o.Changed(id)
	}
}
