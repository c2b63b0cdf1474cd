//go:build unix

package orderdb_test

import (
	"strings"
	"testing"

	"holdfast/order"
)

func asking(o order.Order) []order.Attention { return []order.Attention{{Key: o.Key(), Reason: "why"}} }

// Whoever asked for a person may be gone when another workflow settles the order.
func TestASettledOrderNeedsNobody(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		sold, closed := newOrder(t, "sold", 1), newOrder(t, "closed", 1)
		db.open(t, sold, closed)
		wantAsking := func(n int64, words string) {
			t.Helper()
			if got, err := db.CountAttention(t.Context()); err != nil || got != n {
				t.Errorf("%s: %d orders need a person, %v, want %d", words, got, err, n)
			}
		}
		must(db.Attend(t.Context(), asking(sold)))(t)
		must(db.Attend(t.Context(), asking(closed)))(t)
		wantAsking(2, "asked")
		must(db.Commit(t.Context(), keys(sold)))(t)
		must(db.Close(t.Context(), []order.Closing{rejecting(closed)}))(t)
		wantAsking(1, "committed and closed")
		must(db.Settle(t.Context(), keys(closed)))(t)
		wantAsking(0, "settled")
		must(db.Attend(t.Context(), asking(sold)))(t)
		must(db.Attend(t.Context(), asking(closed)))(t)
		wantAsking(0, "asked too late")
		must(db.Cancel(t.Context(), keys(sold)))(t)
		must(db.Attend(t.Context(), asking(sold)))(t)
		wantAsking(1, "cancelled, and its charge not reversed")
	})
}

func TestTheWordOfAPersonIsKept(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o, quiet := newOrder(t, 1, 1), newOrder(t, 2, 1)
		db.open(t, o, quiet)
		say := func(answer order.Answer, note string) []order.Row {
			t.Helper()
			return must(db.Resolve(t.Context(), []order.Resolving{
				{Key: o.Key(), Resolution: order.Resolution{Answer: answer, Note: note}},
				{Key: newOrder(t, 2, 9).Key(), Resolution: order.Resolution{Answer: answer, Note: note}}, // another's key
			}))(t)
		}
		charged, reused := pending, order.Row{KeyReused: true}
		charged.ByHand = order.Charged
		must(db.Attend(t.Context(), asking(o)))(t)
		wantRows(t, say(order.Charged, "seen on the statement"), changed(charged), reused)
		first := must(db.Get(t.Context(), o.ID))(t)
		if first.ByHand != (order.Resolution{Answer: order.Charged, Note: "seen on the statement"}) || first.ByHandAt == nil {
			t.Errorf("kept is %+v at %v", first.ByHand, first.ByHandAt)
		}
		if first.AttentionSince != nil {
			t.Error("an order that a person has answered still asks for one")
		}
		wantRows(t, say(order.Charged, "seen on the statement"), charged, reused)
		if again := must(db.Get(t.Context(), o.ID))(t); !again.ByHandAt.Equal(*first.ByHandAt) {
			t.Errorf("the same word again was kept as new")
		}
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), charged) // whoever carries the order later learns of it
		notCharged := charged
		notCharged.ByHand = order.NotCharged
		wantRows(t, say(order.NotCharged, strings.Repeat("é", 600)), changed(notCharged), reused)
		must(db.Close(t.Context(), []order.Closing{rejecting(o)}))(t)
		must(db.Settle(t.Context(), keys(o)))(t)
		say(order.Charged, "too late")
		if r := must(db.Get(t.Context(), o.ID))(t); r.ByHand.Answer != order.NotCharged {
			t.Errorf("a settled order was settled again: %+v", r.ByHand)
		}
		if r := must(db.Get(t.Context(), quiet.ID))(t); r.ByHandAt != nil || r.ByHand.Answer != "" {
			t.Errorf("the neighbour was settled: %+v", r.ByHand)
		}
	})
}

// Two workflows of an order may ask at once: what one takes back, the other still needs.
func TestOnlyOnesOwnReasonIsTakenBack(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 1)
		db.open(t, o)
		reason := func() string { return must(db.Get(t.Context(), o.ID))(t).AttentionReason }
		attend := func(reason, was string) {
			t.Helper()
			must(db.Attend(t.Context(), []order.Attention{{Key: o.Key(), Reason: reason, Was: was}}))(t)
		}
		long := strings.Repeat("é", 600)
		attend("charge", "")
		attend(long, "")
		attend("", "charge")
		if reason() == "" {
			t.Error("another's reason was taken back")
		}
		attend("", long)
		if reason() != "" {
			t.Errorf("still asked because %q", reason())
		}
		attend("charge", "")
		attend("", "") // of whoever has gone
		if reason() != "" {
			t.Errorf("still asked because %q", reason())
		}
	})
}
