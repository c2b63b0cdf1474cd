package audit_test

import (
	"testing"

	"holdfast/audit"
	"holdfast/order"
	"holdfast/payment"
)

// TestMoney: every way in which money and order can disagree for good.
func TestMoney(t *testing.T) {
	for name, test := range map[string]struct {
		plant func(*world) order.Order
		want  audit.Kind
	}{
		"sold and never charged": {func(w *world) order.Order {
			o := w.confirmed("a")
			w.ledger.entries = nil
			return o
		}, audit.NotCharged},
		"sold and reversed": {func(w *world) order.Order {
			o := w.confirmed("a")
			w.ledger.reverse(o.ID)
			return o
		}, audit.NotCharged},
		"charged twice": {func(w *world) order.Order {
			o := w.confirmed("a")
			w.ledger.charge(o.ID)
			return o
		}, audit.WrongCharge},
		"charged too little": {func(w *world) order.Order {
			o := w.confirmed("a")
			w.ledger.entries[0].Amount.Minor = 599
			return o
		}, audit.WrongCharge},
		"charged in another currency": {func(w *world) order.Order {
			o := w.confirmed("a")
			w.ledger.entries[0].Amount.Currency = "USD"
			return o
		}, audit.WrongCurrency},
		"handed off and never charged": {func(w *world) order.Order {
			o := w.confirmed("a")
			w.ledger.entries = nil
			w.exec("UPDATE orders SET status = 'HANDED_OFF'")
			return o
		}, audit.NotCharged},
		"rejected, settled and charged": {func(w *world) order.Order {
			o := w.rejected("a", true)
			w.ledger.charge(o.ID)
			return o
		}, audit.ChargedForNothing},
		"cancelled, settled and reversed twice": {func(w *world) order.Order {
			o := w.rejected("a", true)
			w.exec("UPDATE orders SET status = 'CANCELLED'")
			w.ledger.charge(o.ID)
			w.ledger.reverse(o.ID)
			w.ledger.reverse(o.ID)
			return o
		}, audit.ChargedForNothing},
		"charged without a row": {func(w *world) order.Order {
			o := w.order("a")
			w.ledger.charge(o.ID)
			return o
		}, audit.ChargeWithoutOrder},
	} {
		for engine := range engines {
			t.Run(name+" on "+engine, func(t *testing.T) {
				w := newWorldOn(t, engine)
				o := test.plant(w)
				for _, key := range []string{"x", "y", "z"} { // neighbours on all sides, and more pages
					w.confirmed(key)
				}
				w.wants(w.run(), string(test.want)+" "+string(o.ID))
			})
		}
	}
}

// TestMoneyOfNobody: a charge without a row that was reversed took nothing, and what is no order's is
// only noted.
func TestMoneyOfNobody(t *testing.T) {
	w := newWorld(t)
	gone := w.order("a").ID
	w.ledger.charge(gone)
	w.confirmed("b")
	w.ledger.reverse(gone)
	w.ledger.move(payment.KindCharge, "somebody else's", 5)
	w.ledger.move(payment.KindCharge, "ord_tooshort", 5)
	report := w.run()
	w.wants(report)
	if !noted(report, "2 entries") {
		t.Errorf("the notes are %q, want one about 2 entries", report.Notes)
	}
}

// TestMoneyMovesMeanwhile: what was suspicious at first sight and is in order at the second is no
// violation, and neither is an order that moves while it is looked at.
func TestMoneyMovesMeanwhile(t *testing.T) {
	t.Run("the ledger catches up", func(t *testing.T) {
		w := newWorld(t)
		o := w.confirmed("a")
		w.ledger.entries = nil
		w.ledger.netting = func(order.ID) { w.ledger.charge(o.ID) }
		w.wants(w.run())
	})
	t.Run("the order is cancelled", func(t *testing.T) {
		w := newWorld(t)
		w.confirmed("a")
		w.ledger.entries = nil
		w.ledger.netting = func(order.ID) { w.exec("UPDATE orders SET status = 'CANCELLED', settled_at = NULL") }
		w.wants(w.run())
	})
	t.Run("the order is settled", func(t *testing.T) {
		w := newWorld(t)
		o := w.rejected("a", true)
		w.ledger.charge(o.ID)
		w.ledger.netting = func(order.ID) { w.exec("UPDATE orders SET settled_at = NULL") }
		w.wants(w.run())
	})
}
