package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sark/configs"
	"sark/internal/app"
	"sark/store"
	"sark/store/postgres"
	"sark/store/sqlite"
)

// verifyOptions are the flags of audit verify.
type verifyOptions struct {
	from, to    *moment
	writer      string
	digestFile  string
	heads, keys []string
	extend      bool
	printKey    bool
	export      string
	output      *choice
}

func (p *program) auditVerifyCommand() *cobra.Command {
	c := command("verify", "Proves that nobody has changed the audit trail.",
		`It reads the database of store.url, else SQLite in data_dir, and needs no running gateway; one may be writing.
Every event's hash and every batch's signature is computed anew, so that events which were changed, deleted,
inserted, replaced or put in another order are found, by writer and number. The exit code is 1 when there are
findings.

That the end of the trail was cut off, signatures and all, is seen only by who knew it before: keep the head
that a run prints and give it to the next one with --head, or keep a digest file elsewhere, which --extend
makes and adds to. Signatures are checked with the gateway's own key in data_dir unless --public-key names
those that you trust.`,
		"docs/operations.md#verify-the-trail", "sark audit verify", "sark audit verify --from 7d --output json",
		"sark audit verify --digest-file /mnt/safe/digests.ndjson --extend", "sark audit verify --print-key",
		"sark audit verify --export audit.ndjson --public-key ed25519:…")
	c.Args = noArguments
	f := c.Flags()
	o := verifyOptions{from: &moment{now: p.now}, to: &moment{now: p.now}}
	addMoment(f, o.from, "from", "begin with what was stored at this RFC 3339 `TIME`, or 15m, 2h, 7d ago")
	addMoment(f, o.to, "to", "end before what was stored at this RFC 3339 `TIME`, or 15m, 2h, 7d ago")
	f.StringVar(&o.writer, "writer", "", "`ID` of the only writer to verify")
	f.StringVar(&o.digestFile, "digest-file", "", "`FILE` with a copy of the digests, all of which must still be there")
	f.BoolVar(&o.extend, "extend", false, "add the new digests to the digest file when nothing is wrong")
	f.StringArrayVar(&o.heads, "head", nil, "`HEAD` that an earlier run printed; may be repeated")
	f.StringArrayVar(&o.keys, "public-key", nil, "`KEY` that is trusted, instead of the one in data_dir; may be repeated")
	f.StringVar(&o.export, "export", "", "`FILE` of an export to verify, without the database")
	f.BoolVar(&o.printKey, "print-key", false, "print the public key of data_dir and verify nothing")
	o.output = addOutput(f)
	c.RunE = func(c *cobra.Command, _ []string) error { return p.auditVerify(c.Context(), o) }
	return c
}

func (p *program) auditVerify(ctx context.Context, o verifyOptions) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	if o.printKey {
		return p.printDigestKey(loaded.Config.DataDir)
	}
	v, err := o.parse()
	if err != nil {
		return err
	}
	if len(v.Keys) == 0 {
		key, err := store.ReadDigestKey(app.DigestKeyPath(loaded.Config.DataDir))
		if err != nil {
			return fmt.Errorf("%w (name the keys that you trust with --public-key)", err)
		}
		v.Keys = []ed25519.PublicKey{key.Public()}
	}
	if o.export != "" {
		return p.verifyExport(ctx, v, o)
	}
	trail, err := openTrail(ctx, &loaded.Config)
	if err != nil {
		return err
	}
	return errors.Join(p.verifyTrail(ctx, trail, v, o), trail.Close())
}

// parse checks the flags that are not checked one by one.
func (o *verifyOptions) parse() (v store.VerifyOptions, err error) {
	v.From, v.To = o.from.Time, o.to.Time
	if !v.From.IsZero() && !v.To.IsZero() && !v.From.Before(v.To) {
		return v, misused("--from should be before --to")
	}
	if o.extend && (o.digestFile == "" || o.writer != "" || !v.From.IsZero() || !v.To.IsZero()) {
		return v, misused("--extend needs --digest-file, and all of the trail")
	}
	if o.extend && o.export != "" {
		return v, misused("--extend takes its digests from the database, not from an export")
	}
	if o.writer != "" {
		if v.Writer, err = uuid.Parse(o.writer); err != nil {
			return v, misused("--writer: %q should be the id of a writer", o.writer)
		}
	}
	for _, s := range o.heads {
		head, err := store.ParseHead(s)
		if err != nil {
			return v, misused("--head: %v", err)
		}
		v.Heads = append(v.Heads, head)
	}
	for _, s := range o.keys {
		key, err := store.ParsePublicKey(s)
		if err != nil {
			return v, misused("--public-key: %v", err)
		}
		v.Keys = append(v.Keys, key)
	}
	return v, nil
}

func (p *program) printDigestKey(dataDir string) error {
	key, err := store.ReadDigestKey(app.DigestKeyPath(dataDir))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, store.FormatPublicKey(key.Public()))
	return err
}

// trailReader is a trail in a database, to be closed.
type trailReader interface {
	store.Trail
	Close() error
}

// openTrail opens the audit trail of a configuration for reading.
func openTrail(ctx context.Context, c *configs.Config) (trailReader, error) {
	if c.Store.URL != "" {
		return postgres.OpenTrail(ctx, c.Store.URL)
	}
	path := app.DatabasePath(c.DataDir)
	if err := ready(path, c.DataDir, false); err != nil {
		return nil, err
	}
	return sqlite.OpenTrail(ctx, path)
}

// verifyTrail prints what is found, and ends with exit code 1 when that is anything.
func (p *program) verifyTrail(ctx context.Context, trail store.Trail, v store.VerifyOptions, o verifyOptions) error {
	if o.digestFile != "" {
		file, err := os.Open(o.digestFile)
		switch {
		case err == nil:
			defer file.Close() //nolint:errcheck // opened for reading
			v.DigestFile = file
		case !o.extend || !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("open the digest file: %w", err)
		}
	}
	out := &verifyPrinter{program: p, asJSON: o.output.json(), anchored: v.DigestFile != nil || len(o.heads) > 0}
	v.Found, v.Progress = out.finding, p.progress("verified")
	result, err := store.Verify(ctx, trail, v)
	if err != nil {
		return errors.Join(out.failure, err)
	}
	if err := out.summary(&result); err != nil {
		return err
	}
	if result.Findings > 0 {
		return exit{exitFailure}
	}
	if o.extend {
		return extendDigestFile(ctx, o.digestFile, trail)
	}
	return nil
}

// extendDigestFile adds to a digest file what the trail has and it has not.
func extendDigestFile(ctx context.Context, path string, trail store.Trail) (err error) {
	file, err := store.OpenDigestFile(store.DigestFileOptions{Path: path, Sync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	writers, err := trail.Writers(ctx)
	if err != nil {
		return err
	}
	for _, w := range writers {
		if err := file.Extend(ctx, trail, w.Writer); err != nil {
			return err
		}
	}
	return nil
}
