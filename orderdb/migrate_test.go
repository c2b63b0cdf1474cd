//go:build unix

package orderdb_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"holdfast/order"
	"holdfast/orderdb"
)

// onEachEmpty is onEach before anyone has migrated.
func onEachEmpty(t *testing.T, situation func(t *testing.T, db *database)) {
	t.Helper()
	t.Parallel()
	for name, empty := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			situation(t, empty(t))
		})
	}
}

func TestAnEmptyDatabaseHasTheWrongSchema(t *testing.T) {
	onEachEmpty(t, func(t *testing.T, db *database) {
		for range 2 {
			if err := db.CheckVersion(t.Context()); !errors.Is(err, orderdb.ErrSchema) {
				t.Errorf("an empty database: %v", err)
			}
		}
		migrate(t, db)
		if err := db.CheckVersion(t.Context()); err != nil {
			t.Errorf("a migrated database: %v", err)
		}
	})
}

func TestMigratingAgainChangesNothing(t *testing.T) {
	onEachEmpty(t, func(t *testing.T, db *database) {
		from, to, err := db.Migrate(t.Context())
		if err != nil || from != 0 || to < 1 {
			t.Errorf("first from %d to %d, %v", from, to, err)
		}
		db.stocked(t, "mug", 10)
		if again, same, err := db.Migrate(t.Context()); err != nil || again != to || same != to {
			t.Errorf("then from %d to %d, %v", again, same, err)
		}
		db.wantStock(t, "mug", 10, 0)
	})
}

func TestManyProgramsMigrateAtOnce(t *testing.T) {
	onEachEmpty(t, func(t *testing.T, db *database) {
		migrateAtOnce(t, db)
		if !db.mysql { // it costs little there, and needs luck to show anything
			for range 4 {
				migrateAtOnce(t, emptySQLite(t))
			}
		}
	})
}

func migrateAtOnce(t *testing.T, db *database) {
	t.Helper()
	const programs = 6
	var others [programs]*orderdb.DB
	for i := range others {
		others[i] = db.again(t)
	}
	atOnce(programs, func(i int) {
		if _, to, err := others[i].Migrate(t.Context()); err != nil || to < 1 {
			t.Errorf("program %d: to %d, %v", i, to, err)
		}
	})
	if err := db.CheckVersion(t.Context()); err != nil {
		t.Error(err)
	}
	var applied int
	if err := db.Pool().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM goose_db_version WHERE version_id = 1").Scan(&applied); err != nil || applied != 1 {
		t.Errorf("the first migration ran %d times, %v", applied, err)
	}
}

func TestANewerSchemaIsTheWrongOne(t *testing.T) {
	onEachEmpty(t, func(t *testing.T, db *database) {
		migrate(t, db)
		db.exec(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
		if err := db.CheckVersion(t.Context()); !errors.Is(err, orderdb.ErrSchema) || !strings.Contains(err.Error(), "99") {
			t.Errorf("a newer schema: %v", err)
		}
	})
}

// MySQL limits the name of a lock to 64 characters, which is also how long a database's name may be.
func TestADatabaseMayHaveALongName(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		name := "holdfast_" + strings.Repeat("x", 55)
		db.exec(t, "CREATE DATABASE "+name)
		t.Cleanup(func() {
			if _, err := db.Pool().ExecContext(context.Background(), "DROP DATABASE "+name); err != nil {
				t.Error(err)
			}
		})
		long := db.again(t, func(cfg *mysql.Config) { cfg.DBName = name })
		if _, _, err := long.Migrate(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestASQLiteFileMayHaveAnyName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"plain.db", "with blank.db", "100%.db", "50%25.db", "what?.db", "a#b.db", "a&b=c.db", "ü.db"} {
		path := filepath.Join(dir, name)
		db := &database{source: path}
		db.DB = db.again(t)
		migrate(t, db)
		db.stocked(t, "mug", 3)
		if found, err := filepath.Glob(filepath.Join(dir, "*.db")); err != nil || !slices.Contains(found, path) {
			t.Errorf("%s is not among %v, %v", path, found, err)
		}
		db.open(t, newOrder(t, 1, 1))
		if rows := must(db.Open(t.Context(), openings(newOrder(t, 2, 3))))(t); rows[0].Status != order.Rejected {
			t.Errorf("%s: %+v", name, rows)
		}
		// As another program sees it: in the same file, and with the same settings.
		var mode string
		if err := db.again(t).Pool().QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
			t.Errorf("%s: journal mode %q, %v", name, mode, err)
		}
	}
}
