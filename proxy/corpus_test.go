package proxy_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// corpusDir holds one exchange a file; its README says how they read.
const corpusDir = "testdata/exchanges"

// corpusConfig is the section config of a file. Every field may be left out.
type corpusConfig struct {
	// Row is the row of the failure table that the exchange shows, and whose gateway it needs.
	Row string `json:"row"`
	// HalfClose says that the client closes its side after its bytes.
	HalfClose bool `json:"half_close"`
	// Leave says that the client leaves after the first event of the reply.
	Leave bool `json:"leave"`
	// Replies is how many replies come; default 1.
	Replies int `json:"replies"`
	// Events is how many events are recorded; default one for each reply.
	Events int `json:"events"`
	// Batch accepts batches.
	Batch bool `json:"batch"`
	// HeadReply says that the reply is one to HEAD.
	HeadReply bool `json:"head_reply"`
}

// corpusFile is one exchange: what is sent, and what comes of it.
type corpusFile struct {
	path     string
	config   corpusConfig
	archive  *txtar.Archive
	sections map[string]string
}

// TestCorpus plays every exchange of the corpus over TCP and compares the bytes that reach the server and the client, and
// what is recorded. `make golden` rewrites what comes out, never what goes in.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in %s: %v", corpusDir, err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			f := readCorpus(t, path)
			f.compare(t, f.play(t))
		})
	}
}

func readCorpus(t *testing.T, path string) *corpusFile {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &corpusFile{path: path, archive: a, sections: map[string]string{}}
	for _, s := range a.Files {
		f.sections[s.Name] = string(s.Data)
	}
	d := json.NewDecoder(strings.NewReader(f.sections["config"]))
	d.DisallowUnknownFields()
	if f.sections["config"] != "" {
		if err := d.Decode(&f.config); err != nil {
			t.Fatalf("%s: config: %v", path, err)
		}
	}
	f.config.Replies = max(f.config.Replies, 1)
	f.config.Events = max(f.config.Events, f.config.Replies)
	return f
}

// play starts the gateway, sends the client's bytes and returns the sections that came of it.
func (f *corpusFile) play(t *testing.T) map[string]string {
	t.Helper()
	world := failure{}
	if f.config.Row != "" {
		var ok bool
		if world, ok = failures()[f.config.Row]; !ok {
			t.Fatalf("%s: there is no row %s", f.path, f.config.Row)
		}
	}
	g := newGateway(t, func(s *setup) {
		s.AllowBatch = f.config.Batch
		if policy := f.sections["policy"]; policy != "" {
			withPolicy(strings.TrimPrefix(policy, "package sark\n"), testkit.Patience)(t, s)
		}
		if world.setup != nil {
			world.setup(t, s)
		}
	})
	end := func() {}
	if world.begin != nil {
		end = world.begin(t, g)
	}
	seen := 0
	if g.Upstream != nil {
		seen = len(g.Upstream.Requests())
		if reply := f.sections["server sends"]; reply != "" {
			g.Upstream.Handle(func(x *testkit.Exchange) { x.WriteRaw([]byte(corpusBytes(reply, g.Addr))) })
		}
	}
	c := g.Dial(t)
	c.Write(corpusBytes(f.sections["client sends"], g.Addr))
	if f.config.HalfClose {
		c.CloseWrite()
	}
	got := map[string]string{"client gets": f.read(t, c)}
	events := g.AwaitEvents(t, world.before+f.config.Events)[world.before:]
	if g.Upstream != nil {
		for _, r := range g.Upstream.Requests()[seen:] {
			got["server gets"] += renderRequest(r)
		}
	}
	got["recorded"] = renderEvents(t, events)
	end()
	hide := masks(g, events)
	for name, text := range got {
		got[name] = shorten(hide.Replace(text))
	}
	return got
}

// read reads the replies, each as it came but for the framing of its body.
func (f *corpusFile) read(t *testing.T, c *testkit.RawClient) string {
	t.Helper()
	var b strings.Builder
	var r *testkit.Reply
	for range f.config.Replies {
		switch {
		case f.config.Leave:
			r = c.ReadHead()
			b.WriteString(renderReply(r) + "data: " + r.ReadData() + "\n")
			c.Close()
			return b.String()
		case f.config.HeadReply:
			r = c.ReadReplyToHEAD()
		default:
			r = c.ReadReply()
		}
		b.WriteString(renderReply(r))
	}
	if !f.config.HalfClose && r.Err == nil && r.Header.Value("Connection") != "close" {
		c.CloseWrite() // else the gateway waits for another request
	}
	if rest := c.AwaitClosed(); rest != "" {
		t.Errorf("after the last reply came %q", rest)
	}
	return b.String()
}

// compare holds the sections that came out against those of the file, and rewrites the file when it is told to.
func (f *corpusFile) compare(t *testing.T, got map[string]string) {
	t.Helper()
	outputs := []string{"server gets", "client gets", "recorded"}
	if *update {
		a := &txtar.Archive{Comment: f.archive.Comment}
		for _, s := range f.archive.Files {
			if !slices.Contains(outputs, s.Name) {
				a.Files = append(a.Files, s)
			}
		}
		for _, name := range outputs {
			if got[name] != "" {
				a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(got[name])})
			}
		}
		if err := os.WriteFile(f.path, txtar.Format(a), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, name := range outputs {
		want := f.sections[name]
		diff(t, name, strings.Split(want, "\n"), strings.Split(string(fixNL(got[name])), "\n"))
	}
}

// fixNL ends a section as a file of an archive ends.
func fixNL(text string) []byte {
	if text == "" || strings.HasSuffix(text, "\n") {
		return []byte(text)
	}
	return append(bytes.Clone([]byte(text)), '\n')
}

// deciding are the columns that say what was decided and why.
func deciding() []string {
	return []string{
		"phase", "event_type", "severity", "outcome", "decision", "rule", "reason", "status_code", "rpc_code", "user_id",
		"method", "tool_name", "bytes_out", "details", "error_message",
	}
}

func renderEvents(t *testing.T, events []audit.Event) string {
	t.Helper()
	var b strings.Builder
	for i := range events {
		raw, err := json.Marshal(events[i])
		if err != nil {
			t.Fatal(err)
		}
		var columns map[string]any
		if err := json.Unmarshal(raw, &columns); err != nil {
			t.Fatal(err)
		}
		kept := map[string]any{}
		for _, name := range deciding() {
			if v, ok := columns[name]; ok {
				kept[name] = v
			}
		}
		line, err := json.MarshalIndent(kept, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}
