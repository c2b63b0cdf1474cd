package temporalserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"net/url"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqliteschema "go.temporal.io/server/schema/sqlite"
)

// ErrOtherVersion means that the files were written by a server with another schema. Temporal migrates its
// SQLite files neither up nor down: they can only be deleted, which forgets all workflows.
var ErrOtherVersion = errors.New("written by another version of the Temporal server; it can only be deleted")

// pragmas are set on every connection.
//
//   - synchronous=normal: a commit is in the write-ahead log, in the system's hands, when it returns. A
//     kill -9 of this process loses nothing. A power cut may lose the last commits, never the file's
//     consistency. "full" would wait for the disk at each of the dozens of commits of every workflow; what
//     must outlive a power cut is in MySQL, and runs on a real cluster.
//   - busy_timeout, in ms: only a stray process (a shell on the file, a backup) ever competes for the lock.
//     It gets ten seconds, the time-out of the server's own calls, before a workflow sees an error.
//   - wal_autocheckpoint, in pages of 4 KiB: visibility has some 60 indexes, so that with the default of 1,000 the
//     disk is waited for every few dozen workflows, and lists lag seconds behind a busy sale.
//   - cache_size, in KiB if negative: SQLite's default of 2 MiB is less than what a sale keeps in flight.
var pragmas = map[string]string{
	"journal_mode":       "wal",
	"synchronous":        "normal",
	"busy_timeout":       "10000",
	"wal_autocheckpoint": "10000",
	"cache_size":         "-65536",
}

// stores are the two files. Visibility has its own because SQLite admits one writer per file: with a
// shared one each workflow task would queue behind the records of the Web UI's lists.
type stores struct {
	main       *config.SQL
	visibility *config.SQL
}

func newStores(dir string) stores {
	// The plugin pools connections by their name for as long as the process lives. A number in the name
	// keeps a Server from getting the connection of one that ran before it, whose file may since have been
	// deleted. SQLite ignores a pragma that it does not know.
	id := strconv.FormatInt(starts.Add(1), 10)
	return stores{
		main:       newStore(filepath.Join(dir, "temporal.db"), id),
		visibility: newStore(filepath.Join(dir, "visibility.db"), id),
	}
}

var starts atomic.Int64

func newStore(path, id string) *config.SQL {
	attributes := maps.Clone(pragmas)
	attributes["mode"] = "rwc"
	attributes["holdfast_start"] = id
	return &config.SQL{
		PluginName: sqlite.PluginName,
		// It becomes the path of a URI, in which a directory's "?" or "%" would mean something else.
		DatabaseName:      (&url.URL{Path: path}).EscapedPath(),
		ConnectAttributes: attributes,
	}
}

// prepare brings the files to where the server can start from, whatever was there: nothing, or the state of
// a server that was killed at any moment. It fails with ErrOtherVersion.
func (s stores) prepare(ctx context.Context, namespace string, attributes map[string]enums.IndexedValueType) error {
	for _, store := range []*config.SQL{s.main, s.visibility} {
		if err := setUpSchema(ctx, store); err != nil {
			return fmt.Errorf("%s: %w", store.DatabaseName, err)
		}
	}
	if err := setUpNamespace(ctx, s.main, namespace, attributes); err != nil {
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	return nil
}

// settle moves what is left in the write-ahead logs into the files, which the plugin, never closing its
// connections, does not do. The files are whole without it too, as long as their logs go with them.
func (s stores) settle() {
	for _, store := range []*config.SQL{s.main, s.visibility} {
		if db, err := open(store); err == nil {
			_, _ = db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
			_ = db.Close()
		}
	}
}

// setUpSchema creates the tables in one transaction, so that a kill leaves all or none, and marks the file
// with the schema's checksum.
func setUpSchema(ctx context.Context, store *config.SQL) error {
	want, err := schemaVersion()
	if err != nil {
		return err
	}
	db, err := open(store)
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing, after a commit

	var have int64
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	switch have {
	case want:
		return nil
	case 0: // a new file
	default:
		return ErrOtherVersion
	}
	exec := func(stmt string) error {
		_, err := tx.ExecContext(ctx, stmt)
		return err
	}
	if err := sqliteschema.SetupSchemaOnDB(schemaTarget{exec: exec}); err != nil {
		return err
	}
	if err := exec(fmt.Sprintf("PRAGMA user_version = %d", want)); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaVersion is a checksum of the statements that make the schema, in the 31 bits that SQLite has for it
// and never 0.
func schemaVersion() (int64, error) {
	sum := crc32.NewIEEE()
	err := sqliteschema.SetupSchemaOnDB(schemaTarget{exec: func(stmt string) error {
		_, err := sum.Write([]byte(stmt))
		return err
	}})
	return int64(sum.Sum32()>>1) | 1, err
}

// schemaTarget takes the statements of the server's own schema set-up.
type schemaTarget struct {
	sqlplugin.AdminDB
	exec func(stmt string) error
}

// Exec is the one method that the set-up calls.
func (t schemaTarget) Exec(stmt string, _ ...any) error { return t.exec(stmt) }

// open gives a connection of its own to a store, which the caller closes.
func open(store *config.SQL) (*sql.DB, error) {
	query := url.Values{"mode": {"rwc"}}
	for name, value := range pragmas {
		query.Add("_pragma", name+"="+value)
	}
	return sql.Open("sqlite", "file:"+store.DatabaseName+"?"+query.Encode())
}
