package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"sark/internal/app"
	"sark/internal/audit"
	"sark/store"
	"sark/store/export"
)

// exportOptions are the flags of audit export.
type exportOptions struct {
	out    string
	format *choice
	events *eventFlags
	filter store.EventFilter
	force  bool
}

func (p *program) auditExportCommand() *cobra.Command {
	c := command("export", "Writes the audit trail to signed files.",
		`It reads the database of store.url, else SQLite in data_dir, and needs no running gateway; one may be writing.
Beside the file of events stand the digests that account for them and a manifest with the SHA-256 of both,
counts and numbers, signed with the gateway's key in data_dir. "sark audit verify --export FILE" proves later,
without the database, that nothing was changed; an export as ndjson without filters is verified event by
event.

The files are there whole or not at all. Filters are joined by AND. The formats are ndjson (the columns of the
trail), ocsf (Open Cybersecurity Schema Framework) and parquet.`,
		"docs/operations.md#export-the-trail", "sark audit export --out /mnt/safe/audit.ndjson",
		"sark audit export --format parquet --from 30d --out audit.parquet", "sark audit export --format ocsf --decision deny --out denials.ndjson")
	c.Args = noArguments
	f := c.Flags()
	o := exportOptions{events: p.addEventFlags(f)}
	f.StringVar(&o.out, "out", "", "`FILE` of the events; in a directory it is named after the time")
	o.format = addChoice(f, "format", string(export.NDJSON), "form of the events", string(export.NDJSON), string(export.OCSF), string(export.Parquet))
	f.BoolVar(&o.force, "force", false, "replace files that are there already")
	c.RunE = func(c *cobra.Command, _ []string) error { return p.auditExport(c.Context(), o) }
	return c
}

func (p *program) auditExport(ctx context.Context, o exportOptions) (err error) {
	if o.out == "" {
		return misused("--out: name the file to write")
	}
	if o.filter, err = o.events.chosen(); err != nil {
		return err
	}
	loaded, err := p.load()
	if err != nil {
		return err
	}
	key, err := store.ReadDigestKey(app.DigestKeyPath(loaded.Config.DataDir))
	if err != nil {
		return fmt.Errorf("%w (an export is signed with it: run this where the gateway's data_dir is)", err)
	}
	trail, err := openTrail(ctx, &loaded.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trail.Close()) }()
	x := export.Options{
		Path: p.exportPath(o), Format: export.Format(o.format.value), Key: key, Force: o.force, Progress: p.progress("exported"), Now: p.now,
		Filter: o.words(),
	}
	if len(x.Filter) > 0 {
		x.Keep = o.keep
	}
	m, err := export.Write(ctx, trail, x)
	if errors.Is(err, export.ErrExists) {
		return fmt.Errorf("%w (--force replaces it)", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s of %s in %s, signed by key %s\n", plural(m.Rows, "event", "events"),
		plural(int64(len(m.Writers)), "writer", "writers"), x.Path, m.KeyID)
	return err
}

// exportPath is the file to write: in a directory one that is named after the time.
func (p *program) exportPath(o exportOptions) string {
	if !isDir(o.out) {
		return o.out
	}
	suffix := ".ndjson"
	if o.format.value == string(export.Parquet) {
		suffix = ".parquet"
	}
	return filepath.Join(o.out, "sark-audit-"+p.now().UTC().Format("20060102T150405Z")+suffix)
}

// words are the filters that are set, as the manifest names them.
func (o *exportOptions) words() map[string]string {
	words := map[string]string{}
	for name, values := range parameters(&o.filter) {
		words[name] = values[0]
	}
	return words
}

// keep reports whether an event is exported.
func (o *exportOptions) keep(e *audit.Event) bool { return lets(&o.filter, e) }
