//go:build unix

package orderdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // for a zone that is nobody's own

	"github.com/go-sql-driver/mysql"

	"holdfast/order"
	"holdfast/orderdb"
)

// rival is a transaction of another program.
type rival struct{ *sql.Tx }

// interfere begins a rival's transaction, which is rolled back at the latest when the test ends.
func interfere(t *testing.T, db *database, statements ...string) rival {
	t.Helper()
	tx, err := db.again(t).Pool().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	r := rival{tx}
	for _, statement := range statements {
		r.run(t, statement)
	}
	return r
}

func (r rival) run(t *testing.T, statement string) {
	t.Helper()
	if _, err := r.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (r rival) yield(t *testing.T) {
	t.Helper()
	if err := r.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// waiter is a transaction of this database that waits for a lock.
type waiter struct {
	connection, transaction int64
}

// watching lets one test look at a time, and only so often: the server renews its table of transactions
// only when nobody has looked at it for a tenth of a second.
var watching sync.Mutex

// waitForWaiter waits until a transaction other than the last one waits for a lock.
func (db *database) waitForWaiter(t *testing.T, last waiter) (w waiter) {
	t.Helper()
	eventually(t, "a transaction waits for a lock", func() bool {
		watching.Lock()
		defer watching.Unlock()
		time.Sleep(110 * time.Millisecond)
		err := db.Pool().QueryRowContext(t.Context(),
			"SELECT t.trx_mysql_thread_id, t.trx_id FROM information_schema.innodb_trx t"+
				" JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id"+
				" WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()").Scan(&w.connection, &w.transaction)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			t.Fatal(err)
		}
		return err == nil && w.transaction != last.transaction
	})
	return w
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// inBackground runs a call that is going to wait.
func inBackground(call func() ([]order.Row, error)) (result func(t *testing.T) []order.Row) {
	type answer struct {
		rows []order.Row
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		rows, err := call()
		done <- answer{rows, err}
	}()
	return func(t *testing.T) []order.Row {
		t.Helper()
		a := <-done
		return must(a.rows, a.err)(t)
	}
}

func TestADeadlockIsRetriedAsAWhole(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		for _, sku := range []string{"a", "b"} {
			db.stocked(t, sku, 10)
		}
		for i := range 20 {
			db.stocked(t, fmt.Sprint("ballast-", i), 1)
		}
		before, o := newOrder(t, 1, 0, order.Line{SKU: "a", Quantity: 1}), newOrder(t, 2, 0, order.Line{SKU: "a", Quantity: 3}, order.Line{SKU: "b", Quantity: 3})
		db.open(t, before)
		// The server rolls back whoever has changed less.
		other := interfere(t, db, "UPDATE stock SET version = version + 1 WHERE sku LIKE 'ballast-%'", "SELECT * FROM stock WHERE sku = 'b' FOR UPDATE")
		result := inBackground(func() ([]order.Row, error) {
			return db.Open(t.Context(), openings(o))
		})
		db.waitForWaiter(t, waiter{}) // it has a and waits for b
		other.run(t, "SELECT * FROM stock WHERE sku = 'a' FOR UPDATE")
		other.yield(t)
		wantRows(t, result(t), changed(pending))
		db.wantStock(t, "a", 10, 4)
		db.wantStock(t, "b", 10, 3)
	})
}

// MySQL rolls back only the statement that waited too long. What the transaction did before must not be
// committed by itself.
func TestALockWaitThatTimesOutIsRetriedAsAWhole(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		db.open(t, o)
		impatient := db.again(t, func(cfg *mysql.Config) { cfg.Params = map[string]string{"innodb_lock_wait_timeout": "1"} })
		other := interfere(t, db, "SELECT * FROM stock WHERE sku = 'mug' FOR UPDATE")
		result := inBackground(func() ([]order.Row, error) { return impatient.Commit(t.Context(), keys(o)) })
		first := db.waitForWaiter(t, waiter{})
		db.waitForWaiter(t, first) // the first try gave up, and this is the next
		other.yield(t)
		wantRows(t, result(t), changed(confirmed))
		db.wantStock(t, "mug", 7, 0)
	})
}

// A server that waits longer for a lock than its client waits for an answer leaves behind, with each
// try, a transaction that nobody is connected to and that takes the lock when it comes free.
func TestTheServerGivesUpALockWaitBeforeTheClientDoes(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		for name, c := range map[string]struct {
			set  func(*mysql.Config)
			want int
		}{
			"by default":         {func(*mysql.Config) {}, 5},
			"a short patience":   {func(cfg *mysql.Config) { cfg.ReadTimeout = 3 * time.Second }, 1},
			"a shorter patience": {func(cfg *mysql.Config) { cfg.ReadTimeout = 100 * time.Millisecond }, 1},
			"what the DSN says":  {func(cfg *mysql.Config) { cfg.Params = map[string]string{"innodb_lock_wait_timeout": "7"} }, 7},
		} {
			var seconds int
			other := db.again(t, func(cfg *mysql.Config) { cfg.ReadTimeout = 0; c.set(cfg) })
			if err := other.Pool().QueryRowContext(t.Context(), "SELECT @@innodb_lock_wait_timeout").Scan(&seconds); err != nil || seconds != c.want {
				t.Errorf("%s: the server waits %d s for a lock, want %d, %v", name, seconds, c.want, err)
			}
		}
	})
}

func TestAConnectionKilledInTheMiddleOfATransaction(t *testing.T) {
	for step, call := range map[string]func(context.Context, *orderdb.DB, order.Order) ([]order.Row, error){
		"open": func(ctx context.Context, db *orderdb.DB, o order.Order) ([]order.Row, error) {
			return db.Open(ctx, openings(o))
		},
		"commit": func(ctx context.Context, db *orderdb.DB, o order.Order) ([]order.Row, error) {
			return db.Commit(ctx, keys(o))
		},
		"close": func(ctx context.Context, db *orderdb.DB, o order.Order) ([]order.Row, error) {
			return db.Close(ctx, []order.Closing{cancelling(o)})
		},
	} {
		t.Run(step, func(t *testing.T) {
			onEachServer(t, func(t *testing.T, db *database) {
				db.stocked(t, "mug", 10)
				o := newOrder(t, 1, 3)
				want := changed(map[string]order.Row{"open": pending, "commit": confirmed, "close": cancelled}[step])
				if step != "open" {
					db.open(t, o)
				}
				other := interfere(t, db, "SELECT * FROM stock WHERE sku = 'mug' FOR UPDATE")
				result := inBackground(func() ([]order.Row, error) { return call(t.Context(), db.DB, o) })
				w := db.waitForWaiter(t, waiter{})
				db.exec(t, fmt.Sprint("KILL CONNECTION ", w.connection))
				other.yield(t)
				wantRows(t, result(t), want)
			})
		})
	}
}

func TestAPoolWhoseConnectionsAreAllBrokenRecovers(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		const connections = 8
		victim := db.again(t)
		idle := make([]*sql.Conn, connections)
		for i := range idle {
			idle[i] = must(victim.Pool().Conn(t.Context()))(t)
			var id int64
			if err := idle[i].QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
				t.Fatal(err)
			}
			db.exec(t, fmt.Sprint("KILL CONNECTION ", id))
		}
		for _, conn := range idle {
			_ = conn.Close() // back into the pool
		}
		atOnce(connections, func(i int) {
			if _, err := victim.Open(t.Context(), openings(newOrder(t, i, 1))); err != nil {
				t.Error(err)
			}
			if _, err := victim.GetStocks(t.Context(), []string{"mug"}); err != nil {
				t.Error(err)
			}
		})
		db.wantStock(t, "mug", 100, connections)
	})
}

// After a failover the pool may hold connections to a server that is a replica now.
func TestAConnectionThatMayOnlyReadIsReplacedByOneThatMayWrite(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		behind := db.again(t)
		conn := must(behind.Pool().Conn(t.Context()))(t)
		if _, err := conn.ExecContext(t.Context(), "SET SESSION TRANSACTION READ ONLY"); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil { // it is the next that the pool gives out
			t.Fatal(err)
		}
		wantRows(t, must(behind.Open(t.Context(), openings(newOrder(t, 1, 3))))(t), changed(pending))
	})
}

// RowsAffected must count changed rows, not those that the WHERE found, whatever the DSN asks for.
func TestADSNCannotUndoWhatCorrectnessNeeds(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		// Its name differs between the servers and their versions.
		var isolation, level string
		if err := db.Pool().QueryRowContext(t.Context(),
			"SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')").Scan(&isolation, &level); err != nil {
			t.Fatal(err)
		}
		other := db.again(t, func(cfg *mysql.Config) {
			cfg.ClientFoundRows, cfg.ParseTime, cfg.InterpolateParams, cfg.MultiStatements, cfg.ColumnsWithAlias = true, false, false, true, true
			cfg.Loc = must(time.LoadLocation("Asia/Kathmandu"))(t)
			cfg.Params = map[string]string{isolation: "'SERIALIZABLE'"}
		})
		if err := other.Pool().QueryRowContext(t.Context(), "SELECT @@"+isolation).Scan(&level); err != nil || level != "READ-COMMITTED" {
			t.Errorf("the isolation level is %s, %v", level, err)
		}
		result := must(other.Pool().ExecContext(t.Context(), "UPDATE stock SET version = version"))(t)
		if n := must(result.RowsAffected())(t); n != 0 {
			t.Errorf("an UPDATE that changes nothing affects %d rows", n)
		}
		o := newOrder(t, 1, 3)
		wantRows(t, must(other.Open(t.Context(), openings(o)))(t), changed(pending))
		wantRows(t, must(other.Commit(t.Context(), keys(o)))(t), changed(confirmed))
		wantRows(t, must(other.Commit(t.Context(), keys(o)))(t), confirmed)
		if mine, its := must(db.Get(t.Context(), o.ID))(t), must(other.Get(t.Context(), o.ID))(t); !mine.CreatedAt.Equal(its.CreatedAt) || time.Since(its.CreatedAt) > time.Minute {
			t.Errorf("created at %s, and for the other at %s", mine.CreatedAt, its.CreatedAt)
		}
	})
}

func TestADSNThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "nonsense", "root@tcp(127.0.0.1:3306)/", "root@tcp(127.0.0.1:3306)/db?loc=Nowhere", "root@nothing(x)/db?timeout=soon"} {
		if db, err := orderdb.OpenMySQL(dsn, 1); err == nil {
			_ = db.Disconnect()
			t.Errorf("%q was accepted", dsn)
		}
	}
}
