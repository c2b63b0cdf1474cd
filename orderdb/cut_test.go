//go:build unix

package orderdb_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/orderdb"
)

// commit is the statement as it is sent. The bare word stands in the name of the isolation level, too.
const commit = "\x03COMMIT"

// behindCutter opens the database as a program whose connections are cut at requests of the chooser's choice. On SQLite there are none.
func (db *database) behindCutter(t *testing.T, reset bool, choose func(request []byte) testserver.Cut) (*orderdb.DB, *testserver.Cutter) {
	t.Helper()
	var cutter *testserver.Cutter
	return db.again(t, func(cfg *mysql.Config) {
		cutter = testserver.NewCutter(t, cfg.Addr, reset, choose)
		cfg.Addr = cutter.Addr
	}), cutter
}

// cutAt chooses the next times that the statement comes.
func cutAt(statement string, cut testserver.Cut, times int64) func([]byte) testserver.Cut {
	var seen atomic.Int64
	return func(request []byte) testserver.Cut {
		if bytes.Contains(request, []byte(statement)) && seen.Add(1) <= times {
			return cut
		}
		return testserver.Pass
	}
}

// After a connection lost during COMMIT nobody knows whether it took effect. The repeat reads the rows
// and answers, whichever it was.
func TestAConnectionCutAtAnyStatement(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		cut       testserver.Cut
		reset     bool
	}{
		"before BEGIN":                  {"START TRANSACTION", testserver.CutBefore, false},
		"before the rows are locked":    {"FOR UPDATE", testserver.CutBefore, false},
		"after the rows are locked":     {"FOR UPDATE", testserver.CutAfter, true},
		"before the stock is written":   {"UPDATE stock", testserver.CutBefore, true},
		"after the stock is written":    {"UPDATE stock", testserver.CutAfter, false},
		"before COMMIT":                 {commit, testserver.CutBefore, false},
		"before COMMIT, with a reset":   {commit, testserver.CutBefore, true},
		"when COMMIT took effect":       {commit, testserver.CutAfter, false},
		"when COMMIT took effect twice": {commit, testserver.CutAfter, true},
	} {
		t.Run(name, func(t *testing.T) {
			onEachServer(t, func(t *testing.T, db *database) {
				db.stocked(t, "mug", 10)
				took := c.statement == commit && c.cut == testserver.CutAfter
				want := func(row order.Row) order.Row { row.Changed = !took; return row }
				times := int64(1)
				if c.reset {
					times = 2
				}
				o, closed := newOrder(t, 1, 3), newOrder(t, 2, 2)
				for _, step := range []func(*orderdb.DB) ([]order.Row, error){
					func(db *orderdb.DB) ([]order.Row, error) { return db.Open(t.Context(), openings(o, closed)) },
					func(db *orderdb.DB) ([]order.Row, error) { return db.Commit(t.Context(), keys(o)) },
					func(db *orderdb.DB) ([]order.Row, error) {
						return db.Close(t.Context(), []order.Closing{cancelling(closed)})
					},
				} {
					through, cutter := db.behindCutter(t, c.reset, cutAt(c.statement, c.cut, times))
					rows, err := step(through)
					if err != nil {
						t.Error(err)
						continue
					}
					for _, row := range rows {
						wantRows(t, []order.Row{row}, want(map[order.Status]order.Row{
							order.Pending: pending, order.Confirmed: confirmed, order.Cancelled: cancelled,
						}[row.Status]))
					}
					if cutter.Cuts() != times {
						t.Errorf("%q was cut %d times, want %d", c.statement, cutter.Cuts(), times)
					}
				}
				db.wantStock(t, "mug", 7, 0)
			})
		})
	}
}

func TestAServerThatCutsEveryTimeIsUnknown(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		through, _ := db.behindCutter(t, false, cutAt(commit, testserver.CutBefore, 1000))
		_, err := through.Open(t.Context(), openings(o))
		wantClass(t, err, order.Unknown)
		if _, err := db.Get(t.Context(), o.ID); !errors.Is(err, orderdb.ErrNotFound) {
			t.Errorf("nothing was committed, but %v", err)
		}
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), changed(pending))
	})
}

func TestACancelledContextIsUnknownAndLeavesNothingHalfDone(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		cancelledCtx, cancel := context.WithCancel(t.Context())
		cancel()
		o := newOrder(t, 1, 3)
		_, err := db.Open(cancelledCtx, openings(o))
		wantClass(t, err, order.Unknown)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the cause is lost: %v", err)
		}
		if _, err := db.Get(t.Context(), o.ID); !errors.Is(err, orderdb.ErrNotFound) {
			t.Errorf("a call that was cancelled before it began left %v", err)
		}
		db.open(t, o)
		for name, call := range map[string]func() error{
			"commit": func() error { _, err := db.Commit(cancelledCtx, keys(o)); return err },
			"close":  func() error { _, err := db.Close(cancelledCtx, []order.Closing{cancelling(o)}); return err },
			"settle": func() error { _, err := db.Settle(cancelledCtx, keys(o)); return err },
			"attend": func() error {
				_, err := db.Attend(cancelledCtx, []order.Attention{{Key: o.Key(), Reason: "x"}})
				return err
			},
			"receive": func() error { _, _, err := db.Receive(cancelledCtx, "mug", 1, "ref", ""); return err },
			"set": func() error {
				_, _, err := db.SetStock(cancelledCtx, "plate", orderdb.Setting{OnHand: 1}, 0)
				return err
			},
			"read": func() error { _, err := db.GetStocks(cancelledCtx, []string{"mug"}); return err },
		} {
			wantClass(t, call(), order.Unknown)
			if call() == nil {
				t.Errorf("%s succeeded", name)
			}
		}
		wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), changed(confirmed))
	})
}

// Who waits for a lock stops waiting when nobody wants the answer any more.
func TestACallThatIsGivenUpWhileItWaitsForALock(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		other := interfere(t, db, "UPDATE stock SET version = version + 1")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		started := time.Now()
		_, err := db.Open(ctx, openings(o))
		wantClass(t, err, order.Unknown)
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("given up after 50ms, it returned after %s", took)
		}
		other.yield(t)
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), changed(pending))
	})
}
