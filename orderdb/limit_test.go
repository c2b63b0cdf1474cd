//go:build unix

package orderdb_test

import (
	"errors"
	"fmt"
	"testing"

	"holdfast/order"
	"holdfast/orderdb"
)

// limited makes a SKU of which one customer may have so many units.
func (db *database) limited(t *testing.T, sku string, units, limit int64) {
	t.Helper()
	if _, _, err := db.SetStock(t.Context(), sku, orderdb.Setting{OnHand: units, LimitPerCustomer: limit}, 0); err != nil {
		t.Fatal(err)
	}
}

// relimit changes the limit of "mug" and nothing else.
func (db *database) relimit(t *testing.T, limit int64) {
	t.Helper()
	const sku = "mug"
	before := must(db.GetStocks(t.Context(), []string{sku}))(t)[0]
	to := orderdb.Setting{OnHand: before.OnHand, LimitPerCustomer: limit}
	after, _, err := db.SetStock(t.Context(), sku, to, before.Version)
	if err != nil {
		t.Fatal(err)
	}
	before.LimitPerCustomer, before.Version = limit, before.Version+1
	if after != before {
		t.Errorf("%s is %+v, want %+v", sku, after, before)
	}
}

// orderOf makes a customer's order of units of "mug" unless lines are given.
func orderOf(tb testing.TB, customer string, key any, units int64, lines ...order.Line) order.Order {
	tb.Helper()
	if lines == nil {
		lines = []order.Line{{SKU: "mug", Quantity: units, UnitPrice: 1}}
	}
	o, err := order.New(customer, fmt.Sprint(key), "EUR", "tok_ok", lines)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// wantBought adds up the units that a customer's orders hold or have bought.
func (db *database) wantBought(t *testing.T, customer, sku string, want int64) {
	t.Helper()
	var units int64
	for _, r := range must(db.List(t.Context(), orderdb.Filter{CustomerID: customer, Limit: 1000}))(t) {
		for _, l := range r.Lines {
			if l.SKU == sku && !r.Status.Closed() {
				units += l.Quantity
			}
		}
	}
	if units != want {
		t.Errorf("%s has %d of %s, want %d", customer, units, sku, want)
	}
}

// beyond is the row of an order that asked for more than its customer may have.
func beyond(detail string) order.Row {
	return order.Row{Status: order.Rejected, Reason: order.ReasonLimitExceeded, Detail: detail, Changed: true}
}

func TestACustomerHasNoMoreThanTheLimit(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.limited(t, "mug", 10, 2)
		first := orderOf(t, "alice", 1, 1)
		db.open(t, first)
		wantRows(t, must(db.Open(t.Context(), openings(orderOf(t, "alice", 2, 2))))(t), beyond("mug"))
		second := orderOf(t, "alice", 3, 1)
		db.open(t, second)
		third := orderOf(t, "alice", 4, 1)
		wantRows(t, must(db.Open(t.Context(), openings(third)))(t), beyond("mug"))
		// A repeat finds its row, whatever the customer has by now.
		answer := beyond("mug")
		answer.Changed = false
		wantRows(t, must(db.Open(t.Context(), openings(first, second, third)))(t), pending, pending, answer)
		db.open(t, orderOf(t, "bob", 1, 2))
		wantRows(t, must(db.Open(t.Context(), openings(orderOf(t, "carol", 1, 3))))(t), beyond("mug"))
		db.wantBought(t, "alice", "mug", 2)
		db.wantStock(t, "mug", 10, 4)
	})
}

func TestWhatIsConfirmedCountsAndWhatIsClosedIsGivenBack(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.limited(t, "mug", 10, 2)
		bought := orderOf(t, "alice", "bought", 2)
		db.open(t, bought)
		must(db.Commit(t.Context(), keys(bought)))(t)
		wantRows(t, must(db.Open(t.Context(), openings(orderOf(t, "alice", 1, 1))))(t), beyond("mug"))
		must(db.Cancel(t.Context(), keys(bought)))(t)

		refused := orderOf(t, "alice", "declined", 2)
		db.open(t, refused)
		wantRows(t, must(db.Open(t.Context(), openings(orderOf(t, "alice", 2, 1))))(t), beyond("mug"))
		must(db.Conclude(t.Context(), []order.Conclusion{{Key: refused.Key(), Payment: order.Payment{Verdict: order.Declined}}}))(t)

		closed := orderOf(t, "alice", "closed", 2)
		db.open(t, closed)
		must(db.Close(t.Context(), []order.Closing{cancelling(closed)}))(t)

		handedOff := orderOf(t, "alice", "handed-off", 2)
		db.open(t, handedOff)
		must(db.Commit(t.Context(), keys(handedOff)))(t)
		db.exec(t, "UPDATE orders SET status = 'HANDED_OFF' WHERE id = '"+string(handedOff.ID)+"'")
		wantRows(t, must(db.Open(t.Context(), openings(orderOf(t, "alice", 3, 1))))(t), beyond("mug"))
		db.wantBought(t, "alice", "mug", 2)
		db.wantStock(t, "mug", 8, 0)
	})
}

func TestOrdersOfOneCustomerInOneBatchAreSummed(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.limited(t, "mug", 100, 3)
		db.stocked(t, "plate", 100)
		db.open(t, orderOf(t, "alice", "before", 1))
		both := []order.Line{{SKU: "mug", Quantity: 1}, {SKU: "plate", Quantity: 9}}
		rows := must(db.Open(t.Context(), openings(
			orderOf(t, "alice", 1, 0, both...), orderOf(t, "alice", 2, 2), orderOf(t, "bob", 1, 3), orderOf(t, "alice", 3, 1),
			orderOf(t, "alice", 4, 0, both...), orderOf(t, "bob", 2, 0, both[1]))))(t)
		wantRows(t, rows, changed(pending), beyond("mug"), changed(pending), changed(pending), beyond("mug"), changed(pending))
		db.wantBought(t, "alice", "mug", 3)
		db.wantBought(t, "alice", "plate", 9)
		db.wantStock(t, "mug", 100, 6)
		db.wantStock(t, "plate", 100, 18)
	})
}

func TestEverySKUHasALimitOfItsOwn(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.limited(t, "hat", 10, 1)
		db.limited(t, "mug", 10, 2)
		db.stocked(t, "plate", 10)
		lines := func(hats, mugs, plates int64) []order.Line {
			return []order.Line{{SKU: "hat", Quantity: hats}, {SKU: "mug", Quantity: mugs}, {SKU: "plate", Quantity: plates}}
		}
		db.open(t, orderOf(t, "alice", 1, 0, lines(1, 1, 5)...))
		rows := must(db.Open(t.Context(), openings(
			orderOf(t, "alice", 2, 0, lines(1, 2, 1)...), orderOf(t, "alice", 3, 0, lines(1, 1, 1)...),
			orderOf(t, "bob", 1, 0, lines(1, 1, 6)...))))(t)
		soldOut := order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Detail: "plate", Changed: true}
		wantRows(t, rows, beyond("hat, mug"), beyond("hat"), soldOut)
		db.open(t, orderOf(t, "alice", 4, 0, order.Line{SKU: "mug", Quantity: 1}, order.Line{SKU: "plate", Quantity: 5}))
		db.wantStock(t, "hat", 10, 1)
		db.wantStock(t, "mug", 10, 2)
		db.wantStock(t, "plate", 10, 10)
	})
}

func TestALimitCountsWhatWasSoldBeforeItWasSet(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 20)
		sold, held, gone := orderOf(t, "alice", "sold", 2), orderOf(t, "alice", "held", 1), orderOf(t, "alice", "gone", 4)
		db.open(t, sold, held, gone)
		must(db.Commit(t.Context(), keys(sold)))(t)
		must(db.Close(t.Context(), []order.Closing{cancelling(gone)}))(t)
		refused := func(key string, units int64) {
			t.Helper()
			wantRows(t, must(db.Open(t.Context(), openings(orderOf(t, "alice", key, units))))(t), beyond("mug"))
		}
		db.relimit(t, 4)
		refused("over-four", 2)
		db.open(t, orderOf(t, "alice", "the-fourth", 1))
		db.relimit(t, 1) // takes nothing from anybody
		refused("over-one", 1)
		must(db.Commit(t.Context(), keys(held)))(t)
		db.relimit(t, 5)
		db.open(t, orderOf(t, "alice", "the-fifth", 1))
		refused("over-five", 1)
		db.relimit(t, 0)
		db.open(t, orderOf(t, "alice", "without", 7))
		db.relimit(t, 12)
		refused("over-twelve", 1)
		db.wantBought(t, "alice", "mug", 12)
		db.wantStock(t, "mug", 17, 9)
	})
}

func TestOrdersAtOnceNeverPassTheLimit(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const customers, each, limit, units = 4, 8, 3, 100
		db.limited(t, "mug", units, limit)
		other := db.again(t)
		var opened [customers * each * 2]order.Row
		atOnce(len(opened), func(i int) { // every order twice, by two programs
			o := orderOf(t, fmt.Sprint("c-", i%customers), i/customers/2, 1)
			program := db.DB
			if i%3 == 0 {
				program = other
			}
			if rows, err := program.Open(t.Context(), openings(o)); err != nil {
				t.Errorf("order %d: %v", i, err)
			} else {
				opened[i] = rows[0]
			}
		})
		held := 0
		for i, row := range opened {
			switch {
			case row.Status == order.Pending && row.Changed:
				held++
			case row.Status != order.Pending && row.Reason != order.ReasonLimitExceeded:
				t.Errorf("order %d: %+v", i, row)
			}
		}
		if held != customers*limit {
			t.Errorf("%d orders are held of %d customers who may have %d units", held, customers, limit)
		}
		for i := range customers {
			db.wantBought(t, fmt.Sprint("c-", i), "mug", limit)
		}
		db.wantStock(t, "mug", units, customers*limit)
	})
}

// Orders are opened, cancelled and opened again: whenever one is closed, another may take its place, and never two.
func TestUnitsGivenBackAreTakenAgainOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const rounds, shoppers, limit = 10, 6, 2
		db.limited(t, "mug", 100, limit)
		for round := range rounds {
			full := orderOf(t, "alice", fmt.Sprint(round, "-full"), limit)
			db.open(t, full)
			rows := make([]order.Row, shoppers)
			atOnce(shoppers+1, func(i int) {
				var err error
				if i == shoppers {
					_, err = db.Close(t.Context(), []order.Closing{cancelling(full)})
				} else {
					var got []order.Row
					if got, err = db.Open(t.Context(), openings(orderOf(t, "alice", fmt.Sprint(round, "-", i), 1))); err == nil {
						rows[i] = got[0]
					}
				}
				if err != nil {
					t.Error(err)
				}
			})
			var held []order.Closing
			for i, row := range rows {
				if row.Status == order.Pending {
					held = append(held, cancelling(orderOf(t, "alice", fmt.Sprint(round, "-", i), 1)))
				}
			}
			if len(held) > limit {
				t.Errorf("round %d: %d units are held", round, len(held))
			}
			db.wantBought(t, "alice", "mug", int64(len(held)))
			must(db.Close(t.Context(), held))(t)
		}
		db.wantStock(t, "mug", 100, 0)
	})
}

func TestANoFromRedisForTheLimitIsRecordedUnlessTheRowHoldsTheUnits(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.limited(t, "mug", 10, 2)
		held := orderOf(t, "alice", "held", 2)
		db.open(t, held)
		no := func(o order.Order, taken bool) order.Opening {
			refused := opening(o)
			refused.Reservation = order.Reservation{Verdict: order.LimitExceeded, SKUs: []string{"mug"}, Taken: taken}
			return refused
		}
		settled := beyond("mug")
		settled.Settled = true
		wantRows(t, must(db.Open(t.Context(), []order.Opening{
			no(held, false), no(orderOf(t, "alice", 1, 1), false), no(orderOf(t, "alice", 2, 1), true),
		}))(t), pending, settled, beyond("mug"))
		db.wantStock(t, "mug", 10, 2)
	})
}

func TestALimitStaysWithinItsBounds(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for limit, want := range map[int64]error{
			-1: orderdb.ErrLimit, order.MaxLimitPerCustomer + 1: orderdb.ErrLimit, order.MaxLimitPerCustomer: nil, 0: nil, 1: nil,
		} {
			sku := fmt.Sprint("sku", limit)
			s, _, err := db.SetStock(t.Context(), sku, orderdb.Setting{OnHand: 5, LimitPerCustomer: limit}, 0)
			if !errors.Is(err, want) || want == nil && (err != nil || s.LimitPerCustomer != limit) {
				t.Errorf("a limit of %d: %+v, %v", limit, s, err)
			}
		}
		if _, err := db.Pool().ExecContext(t.Context(), "UPDATE stock SET limit_per_customer = 0"); err == nil {
			t.Error("a limit of 0 was written behind the program's back")
		}
		// Units and limit change together, or not at all.
		s, _, err := db.SetStock(t.Context(), "sku1", orderdb.Setting{OnHand: 7, LimitPerCustomer: 3}, 1)
		if err != nil || s.OnHand != 7 || s.LimitPerCustomer != 3 {
			t.Errorf("changed to %+v, %v", s, err)
		}
		if read := must(db.GetStocks(t.Context(), []string{"sku1"}))(t)[0]; read != s {
			t.Errorf("changed to %+v, reads %+v", s, read)
		}
		if again, _, err := db.SetStock(t.Context(), "sku1", orderdb.Setting{OnHand: 7, LimitPerCustomer: 3}, s.Version); err != nil || again != s {
			t.Errorf("the same again made %+v of %+v, %v", again, s, err)
		}
		if _, _, err := db.SetStock(t.Context(), "sku1", orderdb.Setting{OnHand: 7}, 1); !errors.Is(err, orderdb.ErrStale) {
			t.Errorf("a limit was changed at an old version: %v", err)
		}
		if r, _, err := db.Receive(t.Context(), "sku1", 5, "delivery", ""); err != nil || r.LimitPerCustomer != 3 || r.OnHand != 12 {
			t.Errorf("a delivery made %+v, %v", r, err)
		}
		if available := must(db.Available(t.Context(), []string{"sku1"}))(t)["sku1"]; available.Limit != 3 || available.Units != 12 {
			t.Errorf("available are %+v", available)
		}
	})
}
