//go:build unix

package orderdb_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/order"
)

func TestManyOrdersAtOnceHoldNoMoreThanThereIs(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const shoppers, units = 32, 20
		db.stocked(t, "mug", units)
		rows := make([]order.Row, shoppers)
		atOnce(shoppers, func(i int) {
			if got, err := db.Open(t.Context(), openings(newOrder(t, i, 1))); err != nil {
				t.Errorf("order %d: %v", i, err)
			} else {
				rows[i] = got[0]
			}
		})
		held := 0
		for i, row := range rows {
			switch {
			case row.Status == order.Pending && row.Changed:
				held++
			case row.Status != order.Rejected || row.Reason != order.ReasonSoldOut || row.Detail != "mug":
				t.Errorf("order %d: %+v", i, row)
			}
		}
		if held != units {
			t.Errorf("%d orders are held, %d units exist", held, units)
		}
		db.wantStock(t, "mug", units, units)
	})
}

func TestTheSameOrderOpenedByManyAtOnceIsHeldOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const rounds, workers = 5, 8
		db.stocked(t, "mug", 100)
		for round := range rounds {
			o := newOrder(t, round, 2)
			rows := make([]order.Row, workers)
			atOnce(workers, func(i int) {
				if got, err := db.Open(t.Context(), openings(o)); err != nil {
					t.Error(err)
				} else {
					rows[i] = got[0]
				}
			})
			wantOne(t, rows, func(row order.Row) bool { return row.Changed })
			for _, row := range rows {
				if row.Status != order.Pending || !row.CreatedAt.Equal(rows[0].CreatedAt) {
					t.Errorf("answered %+v and %+v", row, rows[0])
				}
			}
		}
		db.wantStock(t, "mug", 100, rounds*2)
	})
}

// Two batches lock the same orders and SKUs in opposite orders. Whatever the database makes of that,
// neither fails.
func TestBatchesInOppositeOrdersDoNotBlockEachOther(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const batches, size, skus = 8, 10, 6
		for i := range skus {
			db.stocked(t, fmt.Sprint("sku-", i), 10_000)
		}
		// Every order stands in two batches, once from each end, beside orders of the batch alone.
		var shared []order.Order
		for i := range size {
			shared = append(shared, newOrder(t, fmt.Sprint("shared-", i), 0,
				order.Line{SKU: fmt.Sprint("sku-", i%skus), Quantity: 1}, order.Line{SKU: fmt.Sprint("sku-", (i+3)%skus), Quantity: 2}))
		}
		atOnce(batches, func(b int) {
			batch := slices.Clone(shared)
			for i := range size {
				batch = append(batch, newOrder(t, fmt.Sprint("own-", b, "-", i), 0,
					order.Line{SKU: fmt.Sprint("sku-", (b+i)%skus), Quantity: 1}, order.Line{SKU: fmt.Sprint("sku-", (b+i+1)%skus), Quantity: 1}))
			}
			if b%2 == 1 {
				slices.Reverse(batch)
			}
			if _, err := db.Open(t.Context(), openings(batch...)); err != nil {
				t.Errorf("open batch %d: %v", b, err)
			}
			if _, err := db.Commit(t.Context(), keys(batch[:size/2]...)); err != nil {
				t.Errorf("commit batch %d: %v", b, err)
			}
			var closings []order.Closing
			for _, o := range batch {
				closings = append(closings, cancelling(o))
			}
			if _, err := db.Close(t.Context(), closings); err != nil {
				t.Errorf("close batch %d: %v", b, err)
			}
		})
		totals := must(db.Totals(t.Context()))(t)
		if totals.Reserved != 0 || totals.OnHand >= skus*10_000 {
			t.Errorf("every order has ended, but %d units are reserved of %d", totals.Reserved, totals.OnHand)
		}
	})
}

func TestTwoCommitsAtOnceSellOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const rounds = 20
		db.stocked(t, "mug", 100)
		for round := range rounds {
			o := newOrder(t, round, 2)
			db.open(t, o)
			rows := make([]order.Row, 2)
			atOnce(2, func(i int) {
				if got, err := db.Commit(t.Context(), keys(o)); err != nil {
					t.Error(err)
				} else {
					rows[i] = got[0]
				}
			})
			wantOne(t, rows, func(row order.Row) bool { return row.Changed })
		}
		db.wantStock(t, "mug", 100-2*rounds, 0)
	})
}

func TestOfACommitAndACloseExactlyOneWins(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const rounds = 30
		db.stocked(t, "mug", 1000)
		sold := int64(0)
		for round := range rounds {
			o := newOrder(t, round, 3)
			db.open(t, o)
			rows := make([]order.Row, 2)
			atOnce(2, func(i int) {
				var got []order.Row
				var err error
				// Neither is always the first to ask.
				if (i+round)%2 == 0 {
					got, err = db.Commit(t.Context(), keys(o))
				} else {
					got, err = db.Close(t.Context(), []order.Closing{cancelling(o)})
				}
				if err != nil {
					t.Error(err)
					return
				}
				rows[i] = got[0]
			})
			wantOne(t, rows, func(row order.Row) bool { return row.Changed })
			if rows[0].Status != rows[1].Status {
				t.Errorf("round %d: one was told %s, the other %s", round, rows[0].Status, rows[1].Status)
			}
			if rows[0].Status == order.Confirmed {
				sold += 3
			}
		}
		db.wantStock(t, "mug", 1000-sold, 0)
	})
}

func TestOfAnOpenAndACloseTheRowHasOneEnd(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const rounds = 30
		db.stocked(t, "mug", 100)
		for round := range rounds {
			o := newOrder(t, round, 3)
			atOnce(2, func(i int) {
				var err error
				if (i+round)%2 == 0 {
					_, err = db.Open(t.Context(), openings(o))
				} else {
					_, err = db.Close(t.Context(), []order.Closing{cancelling(o)})
				}
				if err != nil {
					t.Error(err)
				}
			})
			if record := must(db.Get(t.Context(), o.ID))(t); record.Status != order.Cancelled || len(record.Lines) != 1 {
				t.Errorf("round %d: on record is %+v", round, record)
			}
		}
		db.wantStock(t, "mug", 100, 0)
	})
}

// The audit reads both sides of its equations while orders go on: in one snapshot, or it would see units
// come and go that never did.
func TestTheBooksBalanceAtEveryMoment(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const audits, workers = 20, 3
		db.stocked(t, "mug", 10_000)
		db.stocked(t, "plate", 10_000)
		var enough atomic.Bool
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := 0; !enough.Load(); i++ {
					o := newOrder(t, fmt.Sprint(w, "-", i), 0, order.Line{SKU: "mug", Quantity: 2}, order.Line{SKU: "plate", Quantity: 1})
					_, err := db.Open(t.Context(), openings(o))
					if err == nil && i%2 == 0 {
						_, err = db.Commit(t.Context(), keys(o))
					}
					if err == nil && i%3 == 0 {
						_, err = db.Close(t.Context(), []order.Closing{cancelling(o)})
					}
					if err == nil && i%5 == 0 {
						_, _, err = db.Receive(t.Context(), "mug", 3, fmt.Sprint(w, "-", i), "")
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range audits {
			wantConserved(t, db)
		}
		enough.Store(true)
		all.Wait()
	})
}

// A statement cannot have any number of placeholders: SQLite takes 32,766, and an order has sixteen columns.
func TestThousandsOfOrdersInOneBatch(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const orders, skus = 2100, 7
		for i := range skus {
			db.stocked(t, fmt.Sprint("sku-", i), orders*3)
		}
		var batch []order.Order
		for i := range orders {
			batch = append(batch, newOrder(t, i, 0,
				order.Line{SKU: fmt.Sprint("sku-", i%skus), Quantity: 1}, order.Line{SKU: fmt.Sprint("sku-", (i+1)%skus), Quantity: 2}))
		}
		db.open(t, batch...)
		half := orders / 2
		for i, row := range must(db.Commit(t.Context(), keys(batch[:half]...)))(t) {
			if row.Status != order.Confirmed || !row.Changed {
				t.Fatalf("order %d: %+v", i, row)
			}
		}
		never := newOrder(t, "never", 1)
		must(db.Close(t.Context(), []order.Closing{cancelling(never)}))(t)
		for i, row := range must(db.Settle(t.Context(), keys(append(batch[half:], never)...)))(t) {
			if row.Settled != (i == half) {
				t.Fatalf("order %d: %+v", i, row)
			}
		}
		totals := must(db.Totals(t.Context()))(t)
		if totals.OnHand != skus*orders*3-int64(half)*3 || totals.Reserved != int64(half)*3 {
			t.Errorf("in all %+v", totals)
		}
	})
}

func wantOne(t *testing.T, rows []order.Row, is func(order.Row) bool) {
	t.Helper()
	n := 0
	for _, row := range rows {
		if is(row) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of %d callers changed the row: %+v", n, len(rows), rows)
	}
}
