package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// The database roles. They cannot log in: logins are granted them.
const (
	// RoleWriter may store events and move its own offset. It can neither read, change nor delete the trail.
	RoleWriter = "sark_writer"
	// RoleReader may read the trail and the counts.
	RoleReader = "sark_reader"
	// RoleAdmin may read the trail, and read and write the registry.
	RoleAdmin = "sark_admin"
)

// RolesError says that a role is missing and this login may not make it.
type RolesError struct {
	// SQL is what somebody with the right CREATEROLE has to run, one statement a line.
	SQL string
}

// Error says what to do.
func (e *RolesError) Error() string {
	return "the database roles are missing, and this login may not make them; as a superuser, or with CREATEROLE, run:\n" + e.SQL +
		"and then sark migrate again, or do without the roles: store.roles: false"
}

// EnsureRoles makes the roles and grants them what they may, and returns the statements that it ran. Roles belong to the
// server, not to the database: those that exist are used. A missing one that cannot be made is a RolesError.
func EnsureRoles(ctx context.Context, db *sql.DB) ([]string, error) {
	plan, err := RolesPlan(ctx, db)
	if err != nil || len(plan) == 0 {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("make database roles: %w", err)
	}
	for _, s := range plan {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("make database roles: %s: %w", s, err), tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("make database roles: %w", err)
	}
	return plan, nil
}

// RolesPlan returns the statements that EnsureRoles would run, without running any.
func RolesPlan(ctx context.Context, db *sql.DB) ([]string, error) {
	missing, may, err := missingRoles(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 && !may {
		var text strings.Builder
		for _, role := range missing {
			fmt.Fprintf(&text, "CREATE ROLE %s NOLOGIN;\n", role)
		}
		return nil, &RolesError{SQL: text.String()}
	}
	var plan []string
	for _, role := range missing {
		plan = append(plan, createRole(role))
	}
	if len(missing) == 0 {
		if granted, err := rolesGranted(ctx, db); err != nil || granted {
			return nil, err
		}
	}
	return append(plan, grants()...), nil
}

// RolesSQL returns every statement that EnsureRoles may run, for administrators who apply them by hand.
func RolesSQL() []string {
	return append([]string{createRole(RoleWriter), createRole(RoleReader), createRole(RoleAdmin)}, grants()...)
}

// createRole takes no offence when somebody else, for another database of the server, makes the role at the same time.
func createRole(role string) string {
	return "DO $$ BEGIN CREATE ROLE " + role + " NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
}

func missingRoles(ctx context.Context, db *sql.DB) (missing []string, may bool, err error) {
	for _, role := range []string{RoleWriter, RoleReader, RoleAdmin} {
		var exists bool
		err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),
			rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user`, role).Scan(&exists, &may)
		if err != nil {
			return nil, false, fmt.Errorf("look for database roles: %w", err)
		}
		if !exists {
			missing = append(missing, role)
		}
	}
	return missing, may, nil
}

// rolesGranted looks for the last thing that EnsureRoles does.
func rolesGranted(ctx context.Context, db querier) (granted bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT coalesce(obj_description(to_regclass('audit_digests'), 'pg_class') = $1, false)
		AND has_table_privilege($2, 'audit_events', 'INSERT')`, grantsMark, RoleWriter).Scan(&granted)
	if err != nil {
		return false, fmt.Errorf("look at the rights of database roles: %w", err)
	}
	return granted, nil
}

// grantsMark is kept with the database. It changes whenever grants does.
const grantsMark = "sark roles 2"

// grants lists what the roles may. Offsets, digests and what was forwarded have policies, by which a login sees and moves those of its
// own writers alone; events have none, since COPY cannot pass one, but nobody reads what they may only insert.
func grants() []string {
	const own = "login IS NULL OR login = current_user"
	ofOwn := func(table string) string {
		return "(EXISTS (SELECT FROM audit_writer_offset o WHERE o.writer_id = " + table + ".writer_id AND o.login = current_user))"
	}
	readers := RoleReader + ", " + RoleAdmin
	return []string{
		"DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO " + RoleWriter + ", " + readers + "', current_schema()); END $$",
		"GRANT INSERT ON audit_events, audit_rollup_dirty, decision_inputs TO " + RoleWriter,
		"GRANT SELECT, INSERT ON audit_digests TO " + RoleWriter,
		"GRANT SELECT, INSERT, UPDATE (last_seq, updated_at, login) ON audit_writer_offset TO " + RoleWriter,
		"GRANT SELECT, INSERT, UPDATE (last_seq, updated_at), DELETE ON audit_forwarded TO " + RoleWriter,
		"GRANT SELECT ON audit_events, audit_digests, audit_writer_offset, audit_forwarded, audit_events_forwarded, audit_retention, audit_rollups, decision_inputs, " +
			versionTable + " TO " + readers,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_servers, mcp_tools, api_keys, registry_outbox TO " + RoleAdmin,
		"DO $$ BEGIN IF to_regclass('" + RollupView + "') IS NOT NULL THEN EXECUTE 'GRANT SELECT ON " + RollupView + " TO " + readers +
			"'; END IF; END $$",
		"ALTER TABLE audit_writer_offset ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE audit_digests ENABLE ROW LEVEL SECURITY",
		"DROP POLICY IF EXISTS sark_own ON audit_writer_offset",
		"CREATE POLICY sark_own ON audit_writer_offset USING (" + own + ") WITH CHECK (login = current_user)",
		"DROP POLICY IF EXISTS sark_read ON audit_writer_offset",
		"CREATE POLICY sark_read ON audit_writer_offset FOR SELECT TO " + readers + " USING (true)",
		"DROP POLICY IF EXISTS sark_own ON audit_digests",
		"CREATE POLICY sark_own ON audit_digests USING " + ofOwn("audit_digests") + " WITH CHECK " + ofOwn("audit_digests"),
		"DROP POLICY IF EXISTS sark_read ON audit_digests",
		"CREATE POLICY sark_read ON audit_digests FOR SELECT TO " + readers + " USING (true)",
		"ALTER TABLE audit_forwarded ENABLE ROW LEVEL SECURITY",
		"DROP POLICY IF EXISTS sark_own ON audit_forwarded",
		"CREATE POLICY sark_own ON audit_forwarded USING " + ofOwn("audit_forwarded") + " WITH CHECK " + ofOwn("audit_forwarded"),
		"DROP POLICY IF EXISTS sark_read ON audit_forwarded",
		"CREATE POLICY sark_read ON audit_forwarded FOR SELECT TO " + readers + " USING (true)",
		"COMMENT ON TABLE audit_digests IS '" + grantsMark + "'",
	}
}
