//go:build unix

package orderdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"holdfast/internal/testserver"
	"holdfast/order"
)

// These tests show in plain SQL what the servers do with a transaction's view of the past, and so why
// orderdb runs under READ COMMITTED and decides only by rows that it has locked.

// plainServer is a database with one row of shelf and one of prices, and nothing of ours between it and the test.
type plainServer struct {
	*sql.DB
	dsn string
	// refuses tells that a locking read of what changed behind the view fails with 1020, unless the session says
	// otherwise: MariaDB from 11.6.2.
	refuses bool
}

const (
	changedSnapshot = 1020
	lockedOnMariaDB = 1205
	lockedOnMySQL   = 3572
)

func inPlainSQL(t *testing.T, situation func(t *testing.T, s *plainServer)) {
	t.Helper()
	t.Parallel()
	for name, empty := range map[string]func(testing.TB) string{"mariadb": testserver.MariaDBDatabase, "mysql": testserver.MySQLDatabase} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &plainServer{dsn: empty(t)}
			var err error
			if s.DB, err = sql.Open("mysql", s.dsn); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			s.SetMaxIdleConns(-1) // what one session sets is not another's
			s.refuses = refusesChangedRows(t, s.DB)
			s.run(t, "CREATE TABLE shelf (sku VARCHAR(8) PRIMARY KEY, units BIGINT NOT NULL) ENGINE = InnoDB")
			s.run(t, "CREATE TABLE prices (sku VARCHAR(8) PRIMARY KEY, price BIGINT NOT NULL) ENGINE = InnoDB")
			s.run(t, "INSERT INTO prices VALUES ('mug', 1999)")
			situation(t, s)
		})
	}
}

// refusesChangedRows goes by the version alone: what it says is what the tests hold the server to.
func refusesChangedRows(t *testing.T, db *sql.DB) bool {
	t.Helper()
	var version string
	if err := db.QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatalf("version %s: %v", version, err)
	}
	t.Logf("server version %s", version)
	number := (major*1000+minor)*1000 + patch
	return strings.Contains(version, "MariaDB") && number >= 11_006_002
}

// run runs one statement in a transaction of its own, as somebody else.
func (s *plainServer) run(t *testing.T, statement string) {
	t.Helper()
	if _, err := s.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// stocked puts that many mugs on the shelf.
func (s *plainServer) stocked(t *testing.T, units int64) {
	t.Helper()
	s.run(t, fmt.Sprintf("REPLACE INTO shelf VALUES ('mug', %d)", units))
}

// sell is somebody else's committed sale.
func (s *plainServer) sell(t *testing.T, units int64) {
	t.Helper()
	s.run(t, fmt.Sprintf("UPDATE shelf SET units = units - %d", units))
}

// The ways to read the shelf.
const (
	read       = "SELECT units FROM shelf WHERE sku = 'mug'"
	readLocked = read + " FOR UPDATE"
)

func (s *plainServer) want(t *testing.T, units int64) {
	t.Helper()
	var got int64
	if err := s.QueryRowContext(t.Context(), read).Scan(&got); err != nil || got != units {
		t.Errorf("committed are %d units, want %d (%v)", got, units, err)
	}
}

// shopper is one connection, which has at most one transaction.
type shopper struct{ *sql.Conn }

// connect takes a connection from the pool and runs the statements on it.
func connect(t *testing.T, pool *sql.DB, statements ...string) shopper {
	t.Helper()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = conn.ExecContext(context.Background(), "ROLLBACK")
		_ = conn.Close()
	})
	s := shopper{conn}
	for _, statement := range statements {
		s.run(t, statement)
	}
	return s
}

const repeatableRead = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"

func (s shopper) run(t *testing.T, statement string) (changed int64) {
	t.Helper()
	result, err := s.ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return must(result.RowsAffected())(t)
}

func (s shopper) want(t *testing.T, query string, units int64) {
	t.Helper()
	var got int64
	if err := s.QueryRowContext(t.Context(), query).Scan(&got); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if got != units {
		t.Errorf("%s: %d units, want %d", query, got, units)
	}
}

// wantRefused checks that the statement fails with 1020 and that its transaction is over.
func (s shopper) wantRefused(t *testing.T, statement string) {
	t.Helper()
	_, err := s.ExecContext(t.Context(), statement)
	if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != changedSnapshot {
		t.Fatalf("%s: %v, want error %d", statement, err, changedSnapshot)
	}
	var open bool
	if err := s.QueryRowContext(t.Context(), "SELECT @@in_transaction").Scan(&open); err != nil || open {
		t.Errorf("after error %d the transaction is still open: %t (%v)", changedSnapshot, open, err)
	}
}

// onEachSetting runs the situation with the server as it comes, and where its sessions can choose whether to refuse
// changed rows, in both ways.
func (s *plainServer) onEachSetting(t *testing.T, situation func(t *testing.T, set string, refuses bool)) {
	t.Helper()
	t.Run("as it comes", func(t *testing.T) { situation(t, "DO 0", s.refuses) })
	var name, value string
	err := s.QueryRowContext(t.Context(), "SHOW VARIABLES LIKE 'innodb_snapshot_isolation'").Scan(&name, &value)
	if errors.Is(err, sql.ErrNoRows) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for value, refuses := range map[string]bool{"ON": true, "OFF": false} {
		set := fmt.Sprintf("SET SESSION %s = %s", name, value)
		t.Run(set, func(t *testing.T) { situation(t, set, refuses) })
	}
}

func TestTheSnapshotIsTakenAtTheFirstReadNotAtBegin(t *testing.T) {
	inPlainSQL(t, func(t *testing.T, s *plainServer) {
		for name, c := range map[string]struct {
			statements []string
			sees       int64 // of 10 units, after one was sold
		}{
			"BEGIN":                        {[]string{"BEGIN"}, 9},
			"a read of nothing":            {[]string{"BEGIN", "SELECT 1"}, 9},
			"a read of another table":      {[]string{"BEGIN", "SELECT price FROM prices"}, 10},
			"WITH CONSISTENT SNAPSHOT":     {[]string{"START TRANSACTION WITH CONSISTENT SNAPSHOT"}, 10},
			"an insert into another table": {[]string{"BEGIN", "REPLACE INTO prices VALUES ('plate', 999)"}, 9},
		} {
			t.Run(name, func(t *testing.T) {
				s.stocked(t, 10)
				shopper := connect(t, s.DB, append([]string{repeatableRead}, c.statements...)...)
				s.sell(t, 1)
				shopper.want(t, read, c.sees)
				s.sell(t, 1)
				shopper.want(t, read, c.sees)
			})
		}
	})
}

func TestLockingReadsAndUpdatesReadPastTheSnapshot(t *testing.T) {
	inPlainSQL(t, func(t *testing.T, s *plainServer) {
		for name, c := range map[string]struct {
			statement string
			sees      int64 // by a plain read of the same transaction, afterwards
			leaves    int64
		}{
			"FOR UPDATE":         {readLocked, 10, 7},
			"LOCK IN SHARE MODE": {read + " LOCK IN SHARE MODE", 10, 7},
			// The view shows the transaction's own change, and with it the three units that others sold.
			"UPDATE": {"UPDATE shelf SET units = units - 1", 6, 6},
			// The condition holds in the view and not in the row, so nothing changes.
			"guarded UPDATE": {"UPDATE shelf SET units = units - 8 WHERE units >= 8", 10, 7},
		} {
			t.Run(name, func(t *testing.T) {
				s.onEachSetting(t, func(t *testing.T, set string, refuses bool) {
					s.stocked(t, 10)
					shopper := connect(t, s.DB, set, repeatableRead, "BEGIN")
					shopper.want(t, read, 10)
					s.sell(t, 3)
					shopper.want(t, read, 10)
					if refuses {
						shopper.wantRefused(t, c.statement)
						s.want(t, 7)
						return
					}
					if strings.HasPrefix(c.statement, "SELECT") {
						shopper.want(t, c.statement, 7)
					} else {
						shopper.run(t, c.statement)
					}
					shopper.want(t, read, c.sees)
					shopper.run(t, "COMMIT")
					s.want(t, c.leaves)
				})
			})
		}
	})
}

// One transaction, one row, one unit in it: a plain read says that it can be had, the lock says that it is gone, and
// the next plain read says again that it can be had.
func TestForUpdateDisagreesWithTheSnapshot(t *testing.T) {
	inPlainSQL(t, func(t *testing.T, s *plainServer) {
		s.onEachSetting(t, func(t *testing.T, set string, refuses bool) {
			s.stocked(t, 1)
			shopper := connect(t, s.DB, set, repeatableRead, "BEGIN")
			shopper.want(t, read, 1)
			s.sell(t, 1)
			if refuses {
				shopper.wantRefused(t, readLocked)
				return
			}
			shopper.want(t, readLocked, 0)
			shopper.want(t, read, 1)
		})
	})
}

// Whoever locks before he reads has nothing to disagree with, under REPEATABLE READ too.
func TestForUpdateAgreesWithASnapshotThatIsTakenAfterIt(t *testing.T) {
	inPlainSQL(t, func(t *testing.T, s *plainServer) {
		s.onEachSetting(t, func(t *testing.T, set string, _ bool) {
			s.stocked(t, 10)
			shopper := connect(t, s.DB, set, repeatableRead, "BEGIN")
			s.sell(t, 1)
			shopper.want(t, readLocked, 9)
			shopper.want(t, read, 9)
		})
	})
}

// On connections as the product opens them.
func TestUnderReadCommittedForUpdateAgreesWithTheReadBeforeIt(t *testing.T) {
	inPlainSQL(t, func(t *testing.T, s *plainServer) {
		s.onEachSetting(t, func(t *testing.T, set string, _ bool) {
			s.stocked(t, 10)
			shopper := connect(t, s.product(t).Pool(), set, "BEGIN")
			for left := int64(9); left >= 7; left-- {
				s.sell(t, 1)
				shopper.want(t, read, left)
			}
			shopper.want(t, readLocked, 7)
			shopper.want(t, read, 7)
			// They agree because nothing was sold in between. Only the lock keeps others from that, as it does now.
			_, err := s.ExecContext(t.Context(), readLocked+" NOWAIT")
			if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != lockedOnMariaDB && e.Number != lockedOnMySQL {
				t.Errorf("the row is locked, but another read of it: %v", err)
			}
		})
	})
}

// Two transactions see the last unit, and each takes it.
func TestTwoReadersOfTheLastUnitOversellItWithoutAGuardedUpdate(t *testing.T) {
	inPlainSQL(t, func(t *testing.T, s *plainServer) {
		for name, c := range map[string]struct {
			update string
			leaves int64
		}{
			"read, then UPDATE":         {"UPDATE shelf SET units = units - 1 WHERE sku = 'mug'", -1},
			"read, then guarded UPDATE": {"UPDATE shelf SET units = units - 1 WHERE sku = 'mug' AND units >= 1", 0},
		} {
			t.Run(name, func(t *testing.T) {
				s.stocked(t, 1)
				product := s.product(t)
				ada, bob := connect(t, product.Pool(), "BEGIN"), connect(t, product.Pool(), "BEGIN")
				ada.want(t, read, 1)
				bob.want(t, read, 1)
				sold := ada.run(t, c.update)
				ada.run(t, "COMMIT")
				sold += bob.run(t, c.update)
				bob.run(t, "COMMIT")
				if want := 1 - c.leaves; sold != want {
					t.Errorf("sold %d of 1 unit, want %d", sold, want)
				}
				s.want(t, c.leaves)
			})
		}
		t.Run("Open", func(t *testing.T) {
			product := s.product(t)
			migrate(t, product)
			product.stocked(t, "mug", 1)
			rows := make([]order.Row, 2)
			for range rows {
				if seen := must(product.GetStocks(t.Context(), []string{"mug"}))(t); seen[0].Available() != 1 {
					t.Fatalf("seen %+v", seen)
				}
			}
			atOnce(len(rows), func(i int) {
				if got, err := product.Open(t.Context(), openings(newOrder(t, i, 1))); err != nil {
					t.Error(err)
				} else {
					rows[i] = got[0]
				}
			})
			wantOne(t, rows, func(row order.Row) bool { return row.Status == order.Pending })
			wantOne(t, rows, func(row order.Row) bool { return row.Reason == order.ReasonSoldOut })
			product.wantStock(t, "mug", 1, 1)
			wantConserved(t, product)
		})
	})
}

// product opens the server's database as the product does.
func (s *plainServer) product(t *testing.T) *database {
	t.Helper()
	db := &database{source: s.dsn, mysql: true}
	db.DB = db.again(t)
	return db
}
