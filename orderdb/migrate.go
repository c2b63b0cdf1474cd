package orderdb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// ErrSchema means that the database's schema is not the one that this build needs.
var ErrSchema = errors.New("run `starter migrate` with the version of holdfast that is to run")

// Migrate brings the schema to this build's version and returns the versions before and after. Two
// programs that migrate at once do so one after the other.
func (db *DB) Migrate(ctx context.Context) (from, to int64, err error) {
	unlock, err := db.lockMigrations(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	provider, err := db.provider()
	if err != nil {
		return 0, 0, err
	}
	if from, err = provider.GetDBVersion(ctx); err != nil {
		return 0, 0, fmt.Errorf("read the schema's version: %w", err)
	}
	if _, err = provider.Up(ctx); err != nil {
		return from, from, fmt.Errorf("migrate: %w", err)
	}
	to, err = provider.GetDBVersion(ctx)
	return from, to, err
}

// CheckVersion returns an error that wraps ErrSchema unless the schema is this build's.
func (db *DB) CheckVersion(ctx context.Context) error {
	provider, err := db.provider()
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if current != target {
		return fmt.Errorf("the order database has schema version %d, this build needs %d: %w", current, target, ErrSchema)
	}
	return nil
}

func (db *DB) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+db.dialect.name)
	if err != nil {
		return nil, err
	}
	gooseDialect := goose.DialectMySQL
	if db.dialect.name == "sqlite" {
		gooseDialect = goose.DialectSQLite3
	}
	return goose.NewProvider(gooseDialect, db.sql, files, goose.WithDisableGlobalRegistry(true))
}

// migrationLock is the name of the server-wide lock; a server may host several holdfast databases, so
// it contains the database's, in a form that fits MySQL's 64 characters.
const migrationLock = "CONCAT('holdfast migrate ', LEFT(SHA2(DATABASE(), 256), 40))"

// lockMigrations takes a lock that lasts as long as its connection.
func (db *DB) lockMigrations(ctx context.Context) (unlock func() error, err error) {
	if db.dialect.name == "sqlite" {
		return lockFile(ctx, db.file+".migrating")
	}
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the order database: %w", err)
	}
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+migrationLock+", 8)").Scan(&got); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the migration: %w", err), conn.Close())
	}
	if got.Int64 != 1 {
		return nil, errors.Join(errors.New("another program is migrating: try again when it is done"), conn.Close())
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK("+migrationLock+")")
		return errors.Join(err, conn.Close())
	}, nil
}

// lockFile takes the lock of an empty SQLite file beside the database, and leaves the file there. The
// database's own lock would shut out the migration itself, which reads the version in one transaction
// and migrates in another; without any, two programs run the same migration.
func lockFile(ctx context.Context, path string) (unlock func() error, err error) {
	pool, err := sql.Open("sqlite", "file:"+uriPath.Replace(path)+"?_pragma=busy_timeout(8000)")
	if err != nil {
		return nil, fmt.Errorf("lock the migration: %w", err)
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the migration: %w", err), pool.Close())
	}
	unlock = func() error { return errors.Join(conn.Close(), pool.Close()) }
	if _, err := conn.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the migration: %w", err), unlock())
	}
	return unlock, nil
}
