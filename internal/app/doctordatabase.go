package app

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"time"

	"sark/store/migrations"
)

// database asks the store of registry, keys and trail for an answer, for its schema and for the time.
func (d *doctor) database(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	if d.c.Store.URL == "" {
		d.sqlite(bounded)
		return
	}
	d.postgres(bounded, "store.url", d.c.Store.URL)
	if d.c.Store.AuditURL != "" {
		d.postgres(bounded, "store.audit_url", d.c.Store.AuditURL)
	}
}

// sqlite looks at the embedded database, and makes none.
func (d *doctor) sqlite(ctx context.Context) {
	path := DatabasePath(d.c.DataDir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		d.say(DiagnosisOK, "database", "data_dir", "", "none yet; sark serve makes %s", path)
		return
	}
	db, err := migrations.Open(migrations.SQLite, path)
	if err != nil {
		d.say(DiagnosisFail, "database", "data_dir", "run sark doctor as the gateway's user", "cannot open %s: %v", path, err)
		return
	}
	defer func() { _ = db.Close() }() // nothing was written
	d.schema(ctx, db, migrations.SQLite, "data_dir", path)
}

func (d *doctor) postgres(ctx context.Context, key, url string) {
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		d.say(DiagnosisFail, "database", key, "mend the address", "%v", err)
		return
	}
	defer func() { _ = db.Close() }() // nothing was written
	var version string
	var now time.Time
	if err := db.QueryRowContext(ctx, "SELECT current_setting('server_version'), clock_timestamp()").Scan(&version, &now); err != nil {
		d.say(DiagnosisFail, "database", key,
			"start it, or mend the address, the login or the password; until then events wait in the spool, and the API and keys of the store are not served",
			"does not answer: %v", err)
		return
	}
	d.clocks = append(d.clocks, clockReading{"the database", key, now, time.Now()})
	d.schema(ctx, db, migrations.Postgres, key, "PostgreSQL "+version)
}

// schema looks whether migrations are missing.
func (d *doctor) schema(ctx context.Context, db *sql.DB, dialect migrations.Dialect, key, name string) {
	steps, err := migrations.Status(ctx, db, dialect)
	if err != nil {
		d.say(DiagnosisFail, "database", key, "let the login read the table goose_db_version; grant it sark_writer", "%s answers, and its schema cannot be read: %v", name, err)
		return
	}
	missing := 0
	for _, s := range steps {
		if !s.Applied {
			missing++
		}
	}
	if missing > 0 {
		d.say(DiagnosisWarn, "database", key, "run sark migrate as the owner of the tables", "%s answers, and its schema lacks %d of %d steps", name, missing, len(steps))
		return
	}
	d.say(DiagnosisOK, "database", key, "", "%s answers, its schema is up to date", name)
}
