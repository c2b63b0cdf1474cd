//go:build unix

package orderdb_test

import (
	"slices"
	"testing"

	"holdfast/order"
)

// tell publishes what is owed of the orders, and gives the types of the events in their order.
func (db *database) tell(t *testing.T, orders ...order.Order) (types []order.EventType) {
	t.Helper()
	owed := must(db.Unannounced(t.Context(), keys(orders...)))(t)
	for _, a := range owed {
		for _, e := range a.Events {
			types = append(types, e.Type)
		}
	}
	must(db.Announce(t.Context(), owed))(t)
	return types
}

func (db *database) wantTold(t *testing.T, o order.Order, want ...order.EventType) {
	t.Helper()
	if got := db.tell(t, o); !slices.Equal(got, want) {
		t.Errorf("others are told %v, want %v", got, want)
	}
	if again := db.tell(t, o); len(again) != 0 {
		t.Errorf("others are told again: %v", again)
	}
	if record := must(db.Get(t.Context(), o.ID))(t); record.SettledAt == nil || record.OwesEvent {
		t.Errorf("told of everything, it is %+v", record)
	}
}

func (db *database) wantOwesEvent(t *testing.T, o order.Order, rows []order.Row) {
	t.Helper()
	record := must(db.Get(t.Context(), o.ID))(t)
	if len(rows) != 1 || !rows[0].OwesEvent || rows[0].Settled || !record.OwesEvent || record.SettledAt != nil {
		t.Errorf("it does not owe its event alone: %+v, %+v", rows, record)
	}
}

func TestAnOrderIsSettledOnceOthersWereTold(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.OweEvents()
		db.stocked(t, "mug", 100)
		sold := newOrder(t, "sold", 1)
		db.open(t, sold)
		if types := db.tell(t, sold); len(types) != 0 {
			t.Errorf("of a pending order others are told %v", types)
		}
		db.wantOwesEvent(t, sold, must(db.Commit(t.Context(), keys(sold)))(t))
		db.wantTold(t, sold, order.EventConfirmed)
		if rows := must(db.Commit(t.Context(), keys(sold)))(t); rows[0].OwesEvent || !rows[0].Settled {
			t.Errorf("the repeat of its commit says %+v", rows)
		}
	})
}

func TestEachEndIsTold(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.OweEvents()
		db.stocked(t, "mug", 100)
		declined, refused := newOrder(t, "declined", 1), newOrder(t, "refused", 1)
		db.open(t, declined)
		rows := must(db.Close(t.Context(), []order.Closing{rejecting(declined)}))(t)
		if rows[0].OwesEvent {
			t.Error("a closed order owes its event alone before it is undone")
		}
		if types := db.tell(t, declined); len(types) != 0 {
			t.Errorf("before it is undone others are told %v", types)
		}
		db.wantOwesEvent(t, declined, must(db.Settle(t.Context(), keys(declined)))(t))
		db.wantTold(t, declined, order.EventRejected)

		soldOut := opening(refused)
		soldOut.Reservation = order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}}
		db.wantOwesEvent(t, refused, must(db.Open(t.Context(), []order.Opening{soldOut}))(t))
		db.wantTold(t, refused, order.EventRejected)

		never, told, untold := newOrder(t, "never", 1), newOrder(t, "told", 1), newOrder(t, "untold", 1)
		db.open(t, never, told, untold)
		must(db.Commit(t.Context(), keys(told, untold)))(t)
		if types := db.tell(t, told); !slices.Equal(types, []order.EventType{order.EventConfirmed}) {
			t.Errorf("others are told %v", types)
		}
		must(db.Cancel(t.Context(), keys(never, told, untold)))(t)
		must(db.Settle(t.Context(), keys(never, told, untold)))(t)
		db.wantTold(t, never, order.EventCancelled)
		db.wantTold(t, told, order.EventCancelled)
		db.wantTold(t, untold, order.EventConfirmed, order.EventCancelled)

		there, late := db.sold(t, "there", 1)[0], db.sold(t, "late", 1)[0]
		db.tell(t, there)
		db.assign(t, page("a", 1), later, 10)
		must(db.Deliver(t.Context(), page("a", 1), nil))(t)
		if owed := must(db.UnannouncedOf(t.Context(), page("a", 1)))(t); len(owed) != 2 || owed[0].Status != order.HandedOff {
			t.Errorf("of the page others are told %+v", owed)
		}
		db.wantTold(t, there, order.EventHandedOff)
		db.wantTold(t, late, order.EventConfirmed, order.EventHandedOff)
	})
}

// TestAHandOffAddsNothingUntold: the shop is not closed for what others know as confirmed.
func TestAHandOffAddsNothingUntold(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.OweEvents()
		db.stocked(t, "mug", 100)
		wantUntold := func(want int) {
			t.Helper()
			if n := must(db.CountUntold(t.Context(), later, 10))(t); n != want {
				t.Errorf("%d are untold, want %d", n, want)
			}
			if n := must(db.CountUnsettled(t.Context(), later, 10))(t); n != 0 {
				t.Errorf("more is owed than events, for %d", n)
			}
		}
		told, untold := db.sold(t, "told", 1)[0], db.sold(t, "untold", 1)[0]
		db.tell(t, told)
		wantUntold(1)
		db.assign(t, page("a", 1), later, 10)
		must(db.Deliver(t.Context(), page("a", 1), nil))(t)
		wantUntold(1)
		db.wantTold(t, untold, order.EventConfirmed, order.EventHandedOff)
		wantUntold(0)
		if owed := must(db.UnannouncedOf(t.Context(), page("a", 1)))(t); len(owed) != 1 || owed[0].ID != told.ID {
			t.Errorf("of the page others are to be told %+v", owed)
		}
	})
}

// TestTellingOthersIsNoChange of the order, which is due at the warehouse by when it changed.
func TestTellingOthersIsNoChange(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.OweEvents()
		db.stocked(t, "mug", 100)
		sold := db.sold(t, "sold", 1)[0]
		before := must(db.Get(t.Context(), sold.ID))(t).UpdatedAt
		db.wantTold(t, sold, order.EventConfirmed)
		if after := must(db.Get(t.Context(), sold.ID))(t).UpdatedAt; !after.Equal(before) {
			t.Errorf("changed at %s, and told at %s", before, after)
		}
	})
}

// TestWhoTellsLateTakesNothingBack: between his reading and his recording the order went on.
func TestWhoTellsLateTakesNothingBack(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.OweEvents()
		db.stocked(t, "mug", 100)
		o := db.sold(t, "sold", 1)[0]
		late := must(db.Unannounced(t.Context(), keys(o)))(t)
		must(db.Cancel(t.Context(), keys(o)))(t)
		must(db.Settle(t.Context(), keys(o)))(t)
		rows := must(db.Announce(t.Context(), late))(t) // of what was true then
		if rows[0].Settled || !rows[0].OwesEvent {
			t.Errorf("an order that others believe sold is settled: %+v", rows)
		}
		db.wantTold(t, o, order.EventCancelled)
		must(db.Announce(t.Context(), late))(t)
		if types := db.tell(t, o); len(types) != 0 {
			t.Errorf("others are told again: %v", types)
		}
	})
}

// TestAnOrderThatOwesItsEventNeedsNobody: whoever asked for a person is answered by its end.
func TestAnOrderThatOwesItsEventNeedsNobody(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.OweEvents()
		db.stocked(t, "mug", 100)
		o := newOrder(t, "sold", 1)
		db.open(t, o)
		asks := []order.Attention{{Key: o.Key(), Reason: "the charge is not known"}}
		must(db.Attend(t.Context(), asks))(t)
		must(db.Commit(t.Context(), keys(o)))(t)
		must(db.Attend(t.Context(), asks))(t) // late
		if record := must(db.Get(t.Context(), o.ID))(t); record.AttentionSince != nil {
			t.Errorf("it needs a person: %+v", record)
		}
		db.wantTold(t, o, order.EventConfirmed)
	})
}

func TestTheOldestThatIsOwedIsFound(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.OweEvents()
		db.stocked(t, "mug", 100)
		sold := db.sold(t, "sold", 5)
		pending, closed := newOrder(t, "pending", 1), newOrder(t, "closed", 1)
		db.open(t, pending, closed)
		must(db.Close(t.Context(), []order.Closing{rejecting(closed)}))(t)
		owed := must(db.OldestUnannounced(t.Context(), later, 3))(t)
		if len(owed) != 3 {
			t.Fatalf("%d are found, want 3", len(owed))
		}
		must(db.Announce(t.Context(), owed))(t)
		rest := must(db.OldestUnannounced(t.Context(), later, 100))(t)
		if len(rest) != 2 || len(rest[0].Events) != 1 || rest[0].Status != order.Confirmed {
			t.Errorf("then are found %+v", rest)
		}
		if young := must(db.OldestUnannounced(t.Context(), must(db.Get(t.Context(), sold[0].ID))(t).CreatedAt, 100))(t); len(young) != 0 {
			t.Errorf("too young are %+v", young)
		}
	})
}

func TestReceiptsAreToldOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		if _, _, err := db.Receive(t.Context(), "mug", 5, "before", ""); err != nil {
			t.Fatal(err)
		}
		db.OweEvents()
		for range 2 {
			if _, _, err := db.Receive(t.Context(), "mug", 7, "r-1", "delivery"); err != nil {
				t.Fatal(err)
			}
		}
		owed := must(db.UnannouncedReceipts(t.Context(), 10))(t)
		want := order.ReceiptNotice{SKU: "mug", Quantity: 7, Reference: "r-1", Reason: "delivery"}
		if len(owed) != 1 || owed[0].Data != want || owed[0].ID != "mug:r-1" || owed[0].Subject != "mug" {
			t.Errorf("others are told %+v", owed)
		}
		if err := db.AnnounceReceipts(t.Context(), owed); err != nil {
			t.Fatal(err)
		}
		if owed := must(db.UnannouncedReceipts(t.Context(), 10))(t); len(owed) != 0 {
			t.Errorf("others are told again: %+v", owed)
		}
	})
}

// TestWithoutEventsNothingIsOwed, and what was owed when they were turned off is settled without them.
func TestWithoutEventsNothingIsOwed(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		o := newOrder(t, "sold", 1)
		db.open(t, o)
		if rows := must(db.Commit(t.Context(), keys(o)))(t); rows[0].OwesEvent || !rows[0].Settled {
			t.Errorf("%+v", rows)
		}
		program := db.again(t)
		program.OweEvents()
		other := newOrder(t, "other", 1)
		db.open(t, other)
		must(program.Commit(t.Context(), keys(other)))(t)
		db.wantTold(t, other, order.EventConfirmed)
	})
}
