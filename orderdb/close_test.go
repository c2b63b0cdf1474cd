//go:build unix

package orderdb_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/order"
)

var (
	confirmed = order.Row{Status: order.Confirmed, Held: true, Settled: true}
	cancelled = order.Row{Status: order.Cancelled, Reason: order.ReasonRequested, Held: true}
	declined  = order.Row{Status: order.Rejected, Reason: order.ReasonPaymentDeclined, Detail: "no funds", Held: true}
)

func TestACommitSellsTheUnitsOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		db.open(t, o)
		wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), changed(confirmed))
		wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), confirmed)
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), confirmed)
		wantRows(t, must(db.Close(t.Context(), []order.Closing{cancelling(o)}))(t), confirmed)
		db.wantStock(t, "mug", 7, 0)
	})
}

func TestACommitWithoutARowSellsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		missing := order.Row{Missing: true}
		wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), missing)
		wantRows(t, must(db.Settle(t.Context(), keys(o)))(t), missing)
		wantRows(t, must(db.Attend(t.Context(), []order.Attention{{Key: o.Key(), Reason: "why"}}))(t), missing)
		db.wantStock(t, "mug", 10, 0)
	})
}

func TestACloseGivesTheUnitsBackOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		db.open(t, o)
		wantRows(t, must(db.Close(t.Context(), []order.Closing{rejecting(o)}))(t), changed(declined))
		wantRows(t, must(db.Close(t.Context(), []order.Closing{rejecting(o)}))(t), declined)
		// The first end stands.
		wantRows(t, must(db.Close(t.Context(), []order.Closing{cancelling(o)}))(t), declined)
		wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), declined)
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), declined)
		db.wantStock(t, "mug", 10, 0)
	})
}

func TestACloseStopsALateOpen(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		never := cancelled
		never.Held = false
		wantRows(t, must(db.Close(t.Context(), []order.Closing{cancelling(o)}))(t), changed(never))
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), never)
		wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), never)
		record := must(db.Get(t.Context(), o.ID))(t)
		if !slices.Equal(record.Lines, o.Lines) || record.Total != 3 || record.WorkflowID == "" || record.SettledAt != nil {
			t.Errorf("on record is %+v", record)
		}
		db.wantStock(t, "mug", 10, 0)
	})
}

func TestACloseInABatchLeavesItsNeighboursAlone(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		a, b, sold, never := newOrder(t, "a", 1), newOrder(t, "b", 2), newOrder(t, "sold", 3), newOrder(t, "never", 4)
		db.open(t, a, b, sold)
		must(db.Commit(t.Context(), keys(sold)))(t)
		unheld := cancelled
		unheld.Held = false
		wantRows(t, must(db.Close(t.Context(), []order.Closing{cancelling(never), rejecting(b), cancelling(sold), cancelling(a), cancelling(a)}))(t),
			changed(unheld), changed(declined), confirmed, changed(cancelled), cancelled)
		db.wantStock(t, "mug", 7, 0)
	})
}

// An order id with another fingerprint is another request under a used key. It must not end the order
// that it happens to share a batch with, nor lend it its reason.
func TestAReusedKeyInTheSameBatchTouchesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o, other := newOrder(t, 1, 3), newOrder(t, 1, 4)
		db.open(t, o)
		reused := order.Row{KeyReused: true}
		wantRows(t, must(db.Attend(t.Context(), []order.Attention{{Key: o.Key(), Reason: "mine"}, {Key: other.Key(), Reason: "not mine"}}))(t),
			changed(pending), reused)
		if record := must(db.Get(t.Context(), o.ID))(t); record.AttentionReason != "mine" {
			t.Errorf("the order asks for a person because %q", record.AttentionReason)
		}
		for _, batch := range [][]order.Closing{{rejecting(o), cancelling(other)}, {cancelling(other), rejecting(o)}} {
			rows := must(db.Close(t.Context(), batch))(t)
			for i, row := range rows {
				want := changed(declined)
				if batch[i].Order.Key() == other.Key() {
					want = reused
				}
				wantRows(t, []order.Row{row}, want)
			}
			// Once more with the fingerprints in the other order.
			db.exec(t, "UPDATE orders SET status = 'PENDING', reason = '', detail = ''")
			db.exec(t, "UPDATE stock SET reserved = 3")
		}

		first, second := newOrder(t, 2, 1), newOrder(t, 2, 2)
		never := cancelled
		never.Held = false
		wantRows(t, must(db.Close(t.Context(), []order.Closing{cancelling(first), rejecting(second)}))(t), changed(never), reused)
	})
}

func TestWordsForPeopleFitTheirColumns(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 1)
		db.open(t, o)
		for name, detail := range map[string]string{
			"too long":          strings.Repeat("é", 600),
			"as long as fits":   strings.Repeat("😀", 512),
			"not UTF-8":         "the provider said \xff\xfe",
			"too long and that": strings.Repeat("\xc3", 600),
		} {
			closing := rejecting(newOrder(t, strings.ReplaceAll(name, " ", "-"), 1))
			closing.Detail = detail
			rows, err := db.Close(t.Context(), []order.Closing{closing})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got := must(db.Get(t.Context(), closing.Order.ID))(t).Detail
			if got != rows[0].Detail || !utf8.ValidString(got) || utf8.RuneCountInString(got) > 512 || got[:1] != detail[:1] && utf8.ValidString(detail) {
				t.Errorf("%s: answered %q, on record is %q", name, rows[0].Detail, got)
			}
			if _, err := db.Attend(t.Context(), []order.Attention{{Key: o.Key(), Reason: detail}}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestOnlyAClosedOrderIsSettled(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		open, closed, sold := newOrder(t, "open", 1), newOrder(t, "closed", 1), newOrder(t, "sold", 1)
		db.open(t, open, closed, sold)
		must(db.Close(t.Context(), []order.Closing{cancelling(closed)}))(t)
		must(db.Commit(t.Context(), keys(sold)))(t)
		settled := cancelled
		settled.Settled = true
		wantRows(t, must(db.Settle(t.Context(), keys(open, closed, sold)))(t), pending, changed(settled), confirmed)
		at := must(db.Get(t.Context(), closed.ID))(t).SettledAt
		wantRows(t, must(db.Settle(t.Context(), keys(closed)))(t), settled)
		if again := must(db.Get(t.Context(), closed.ID))(t).SettledAt; at == nil || !again.Equal(*at) {
			t.Errorf("settled at %v, then at %v", at, again)
		}
		if record := must(db.Get(t.Context(), open.ID))(t); record.SettledAt != nil {
			t.Errorf("a PENDING order is settled: %+v", record)
		}
	})
}

func TestTheFirstTimeThatAPersonWasAskedForStands(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o, quiet := newOrder(t, 1, 1), newOrder(t, 2, 1)
		db.open(t, o, quiet)
		ask := func(reason string, want order.Row) (record struct {
			since  string
			reason string
		},
		) {
			t.Helper()
			wantRows(t, must(db.Attend(t.Context(), []order.Attention{{Key: o.Key(), Reason: reason}}))(t), want)
			r := must(db.Get(t.Context(), o.ID))(t)
			if r.AttentionSince != nil {
				record.since = r.AttentionSince.String()
			}
			record.reason = r.AttentionReason
			return record
		}
		first := ask("no answer", changed(pending))
		if first.since == "" || first.reason != "no answer" {
			t.Errorf("first: %+v", first)
		}
		if again := ask("no answer", pending); again != first {
			t.Errorf("asked again: %+v, first %+v", again, first)
		}
		if other := ask("still none", changed(pending)); other.since != first.since || other.reason != "still none" {
			t.Errorf("asked for another reason: %+v, first %+v", other, first)
		}
		if none := ask("", changed(pending)); none.since != "" || none.reason != "" {
			t.Errorf("no person is needed, but %+v", none)
		}
		if none := ask("", pending); none.since != "" {
			t.Errorf("no person is needed, but %+v", none)
		}
		if later := ask("once more", changed(pending)); later.since == "" || later.since == first.since {
			t.Errorf("asked once more since %q, first since %q", later.since, first.since)
		}
		if r := must(db.Get(t.Context(), quiet.ID))(t); r.AttentionSince != nil || !r.UpdatedAt.Equal(r.CreatedAt) {
			t.Errorf("the neighbour was changed: %+v", r)
		}
	})
}
