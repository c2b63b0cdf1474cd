//go:build unix

package orderdb_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/order"
)

var pending = order.Row{Status: order.Pending, Held: true}

func changed(row order.Row) order.Row { row.Changed = true; return row }

func TestAFreshOrderHoldsItsUnits(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		db.stocked(t, "plate", 5)
		o := newOrder(t, 1, 0, order.Line{SKU: "mug", Quantity: 3, UnitPrice: 1999}, order.Line{SKU: "plate", Quantity: 5})
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), changed(pending))
		db.wantStock(t, "mug", 10, 3)
		db.wantStock(t, "plate", 5, 5)
		record := must(db.Get(t.Context(), o.ID))(t)
		if record.Key() != o.Key() || record.Fingerprint != o.Fingerprint() || record.Total != 3*1999 ||
			record.WorkflowID != "order/"+string(o.ID) || record.SettledAt != nil || record.AttentionSince != nil {
			t.Errorf("on record is %+v", record)
		}
	})
}

func TestARepeatedOpenAnswersTheRow(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		first := must(db.Open(t.Context(), openings(o)))(t)
		again := must(db.Open(t.Context(), openings(o)))(t)
		wantRows(t, again, pending)
		if !again[0].CreatedAt.Equal(first[0].CreatedAt) {
			t.Errorf("created at %s, then at %s", first[0].CreatedAt, again[0].CreatedAt)
		}
		db.wantStock(t, "mug", 10, 3)
	})
}

// TestWhoTakesAnOrderOverIsOnItsRow, and nobody else who meets the row.
func TestWhoTakesAnOrderOverIsOnItsRow(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o, other := newOrder(t, 1, 3), newOrder(t, 1, 4)
		carriedBy := func(id string, takesOver bool, o order.Order) string {
			t.Helper()
			opening := opening(o)
			opening.WorkflowID, opening.TakesOver = id, takesOver
			must(db.Open(t.Context(), []order.Opening{opening}))(t)
			return must(db.Get(t.Context(), o.ID))(t).WorkflowID
		}
		for _, step := range []struct {
			id        string
			takesOver bool
			order     order.Order
			want      string
		}{
			{"batch/1", false, o, "batch/1"},
			{"batch/2", false, o, "batch/1"},
			{"order/1", true, other, "batch/1"},
			{"order/1", true, o, "order/1"},
			{"order/1", true, o, "order/1"},
		} {
			if got := carriedBy(step.id, step.takesOver, step.order); got != step.want {
				t.Errorf("after %+v the row names %s", step, got)
			}
		}
		must(db.Commit(t.Context(), keys(o)))(t)
		if got := carriedBy("order/2", true, o); got != "order/1" {
			t.Errorf("an order that has its end was taken over by %s", got)
		}
		db.wantStock(t, "mug", 7, 0)
	})
}

func TestAnotherFingerprintTouchesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o, other := newOrder(t, 1, 3), newOrder(t, 1, 4)
		db.open(t, o)
		reused := order.Row{KeyReused: true}
		wantRows(t, must(db.Open(t.Context(), openings(other)))(t), reused)
		wantRows(t, must(db.Commit(t.Context(), keys(other)))(t), reused)
		wantRows(t, must(db.Close(t.Context(), []order.Closing{cancelling(other)}))(t), reused)
		wantRows(t, must(db.Settle(t.Context(), keys(other)))(t), reused)
		wantRows(t, must(db.Attend(t.Context(), []order.Attention{{Key: other.Key(), Reason: "why"}}))(t), reused)
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), pending)
		if record := must(db.Get(t.Context(), o.ID))(t); record.AttentionSince != nil || record.Lines[0].Quantity != 3 {
			t.Errorf("on record is %+v", record)
		}
		db.wantStock(t, "mug", 10, 3)
	})
}

func TestAnOrderThatRedisRefusedIsRejected(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		soldOut := opening(newOrder(t, "sold-out", 1))
		soldOut.Reservation = order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}}
		unknown := opening(newOrder(t, "unknown", 1))
		unknown.Reservation = order.Reservation{Verdict: order.UnknownSKU, SKUs: []string{"mug", "plate"}}
		half := opening(newOrder(t, "half", 1))
		half.Reservation = order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}, Taken: true}
		wantRows(t, must(db.Open(t.Context(), []order.Opening{soldOut, unknown, half}))(t),
			order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Detail: "mug", Changed: true, Settled: true},
			order.Row{Status: order.Rejected, Reason: order.ReasonUnknownSKU, Detail: "mug, plate", Changed: true, Settled: true},
			// What Redis holds for it is still to be released.
			order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Detail: "mug", Changed: true})
		db.wantStock(t, "mug", 10, 0)
	})
}

func TestARowThatHoldsItsUnitsOutweighsANoFromRedis(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 1)
		o := newOrder(t, 1, 1)
		db.open(t, o)
		repeat := opening(o)
		repeat.Reservation = order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}}
		wantRows(t, must(db.Open(t.Context(), []order.Opening{repeat}))(t), pending)
		db.wantStock(t, "mug", 1, 1)
	})
}

func TestAnOrderThatCannotBeServedHoldsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		db.stocked(t, "plate", 1)
		lines := func(skus ...string) (lines []order.Line) {
			for _, sku := range skus {
				lines = append(lines, order.Line{SKU: sku, Quantity: 2})
			}
			return lines
		}
		short := newOrder(t, "short", 0, lines("mug", "plate")...)
		unknown := newOrder(t, "unknown", 0, lines("mug", "plate", "spoon")...)
		wantRows(t, must(db.Open(t.Context(), openings(short, unknown)))(t),
			order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Detail: "plate", Changed: true},
			order.Row{Status: order.Rejected, Reason: order.ReasonUnknownSKU, Detail: "spoon", Changed: true})
		db.wantStock(t, "mug", 10, 0)
		db.wantStock(t, "plate", 1, 0)
	})
}

func TestTheLastUnitsGoToTheFirstInTheBatch(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 5)
		rows := must(db.Open(t.Context(), openings(
			newOrder(t, 1, 2), newOrder(t, 2, 2), newOrder(t, 3, 2), newOrder(t, 4, 1), newOrder(t, 5, 1))))(t)
		soldOut := order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Detail: "mug", Changed: true}
		wantRows(t, rows, changed(pending), changed(pending), soldOut, changed(pending), soldOut)
		db.wantStock(t, "mug", 5, 5)
	})
}

func TestTheSameOrderTwiceInOneBatchIsHeldOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o, other := newOrder(t, 1, 3), newOrder(t, 1, 4)
		wantRows(t, must(db.Open(t.Context(), openings(o, o, other)))(t),
			changed(pending), pending, order.Row{KeyReused: true})
		db.wantStock(t, "mug", 10, 3)
		confirmed := order.Row{Status: order.Confirmed, Held: true, Settled: true}
		wantRows(t, must(db.Commit(t.Context(), keys(other, o, o)))(t), order.Row{KeyReused: true}, changed(confirmed), confirmed)
		db.wantStock(t, "mug", 7, 0)
	})
}

func TestAnEmptyBatchChangesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		wantRows(t, must(db.Open(t.Context(), nil))(t))
		wantRows(t, must(db.Commit(t.Context(), nil))(t))
		wantRows(t, must(db.Close(t.Context(), nil))(t))
		wantRows(t, must(db.Settle(t.Context(), nil))(t))
		wantRows(t, must(db.Attend(t.Context(), nil))(t))
		if available := must(db.Available(t.Context(), nil))(t); len(available) != 0 {
			t.Errorf("of no SKU there are %v", available)
		}
		if ends := must(db.EndsOf(t.Context(), nil))(t); len(ends) != 0 {
			t.Errorf("no orders ended as %v", ends)
		}
	})
}

func TestAListOfSoldOutSKUsFitsItsColumn(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		var lines []order.Line
		for i := range order.MaxLines {
			sku := fmt.Sprintf("%03d%s", i, strings.Repeat("x", 61))
			lines = append(lines, order.Line{SKU: sku, Quantity: 2})
			db.stocked(t, sku, 1)
		}
		row := must(db.Open(t.Context(), openings(newOrder(t, 1, 0, lines...))))(t)[0]
		if row.Reason != order.ReasonSoldOut || !strings.HasPrefix(row.Detail, lines[0].SKU+", ") || !strings.HasSuffix(row.Detail, " and 93 more") {
			t.Errorf("the row is %+v", row)
		}
		if again := must(db.Open(t.Context(), openings(newOrder(t, 1, 0, lines...))))(t)[0]; again.Detail != row.Detail {
			t.Errorf("%q is on record as %q", row.Detail, again.Detail)
		}
	})
}
