package cli

import (
	"context"
	"fmt"
	"os"

	"sark/store"
	"sark/store/export"
)

// verifyExport verifies an export without a database: the manifest's signature, the files, and the events where they are all
// there.
func (p *program) verifyExport(ctx context.Context, v store.VerifyOptions, o verifyOptions) error {
	m, err := export.ReadManifest(o.export, v.Keys)
	if err != nil {
		return err
	}
	if err := m.CheckFiles(o.export); err != nil {
		return err
	}
	if m.Chained() {
		return p.verifyTrail(ctx, export.OpenTrail(o.export, m), v, o)
	}
	p.say("single events are verified only in an export as ndjson without filters; the files are those that key %s has signed", m.KeyID)
	_, err = fmt.Fprintf(p.stdout, "%s of %s: the files are as they were exported\n", plural(m.Rows, "event", "events"),
		plural(int64(len(m.Writers)), "writer", "writers"))
	return err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
