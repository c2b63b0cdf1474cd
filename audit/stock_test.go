package audit_test

import (
	"context"
	"fmt"
	"testing"

	"holdfast/audit"
	"holdfast/order"
	"holdfast/orderdb"
)

// TestConservation: each side of each equation, tampered with by hand, is found at its SKU.
func TestConservation(t *testing.T) {
	for name, test := range map[string]struct {
		plant func(*world)
		want  []string
	}{
		"a unit on hand appears": {
			func(w *world) { w.exec("UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'mug'") },
			[]string{"on_hand_differs mug"},
		},
		"a movement vanishes": {
			func(w *world) { w.exec("DELETE FROM stock_movements WHERE sku = 'pen'") },
			[]string{"on_hand_differs pen"},
		},
		"a sold order is deleted": {
			func(w *world) {
				o := w.confirmed("a")
				w.exec("DELETE FROM orders WHERE id = ?", o.ID)
			},
			[]string{"charge_without_order " + string(idOf("a")), "lines_without_order " + string(idOf("a")), "on_hand_differs mug"},
		},
		"a sold order's lines are deleted": {
			func(w *world) {
				o := w.confirmed("a")
				w.exec("DELETE FROM order_lines WHERE order_id = ?", o.ID)
			},
			[]string{"on_hand_differs mug", "order_without_lines " + string(idOf("a"))},
		},
		"a pending order is deleted": {
			func(w *world) {
				o := w.pending("a")
				w.exec("DELETE FROM orders WHERE id = ?", o.ID)
			},
			[]string{"lines_without_order " + string(idOf("a")), "reserved_differs mug"},
		},
		"units leak from a closed order": {
			func(w *world) {
				o := w.pending("a")
				w.exec("UPDATE orders SET status = 'REJECTED', reason = 'failed', settled_at = updated_at WHERE id = ?", o.ID)
			},
			[]string{"reserved_differs mug"},
		},
		"more is promised than exists": {
			func(w *world) {
				w.pending("a")
				w.exec("UPDATE stock SET on_hand = 1 WHERE sku = 'mug'")
				w.exec("UPDATE stock_movements SET quantity = 3 WHERE sku = 'mug'")
			},
			[]string{"oversold mug"},
		},
		"less than nothing is reserved": {
			func(w *world) { w.exec("UPDATE stock SET reserved = -1 WHERE sku = 'pen'") },
			[]string{"oversold pen", "reserved_differs pen"},
		},
		"a stock row is deleted": {
			func(w *world) { w.exec("DELETE FROM stock WHERE sku = 'pen'") },
			[]string{"stock_lost pen"},
		},
	} {
		for engine := range engines {
			t.Run(name+" on "+engine, func(t *testing.T) {
				w := newWorldOn(t, engine)
				w.confirmed("z")
				test.plant(w)
				w.wants(w.run(), test.want...)
			})
		}
	}
}

// flickering shows a difference at first sight only.
type flickering struct {
	*orderdb.DB
}

func (f flickering) Balances(ctx context.Context, after string, limit int) ([]orderdb.Balance, error) {
	balances, err := f.DB.Balances(ctx, after, limit)
	for i := range balances {
		balances[i].Moved++
	}
	return balances, err
}

// TestConservationTwice: what a second look does not show again is no violation.
func TestConservationTwice(t *testing.T) {
	w := newWorld(t)
	cfg := w.config()
	cfg.Orders = flickering{w.db}
	report, err := audit.New(cfg).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.wants(report)
}

func idOf(key string) order.ID { return order.NewID("c-1", key) }

// TestManyPages: the last SKU of many is looked at as well.
func TestManyPages(t *testing.T) {
	w := newWorld(t)
	for i := range 1100 {
		w.exec("INSERT INTO stock (sku, on_hand, created_at) VALUES (?, 0, '2026-01-01 00:00:00+00:00')", fmt.Sprintf("zz-%04d", i))
	}
	w.exec("UPDATE stock SET on_hand = 1 WHERE sku = 'zz-1099'")
	report := w.run()
	w.wants(report, "on_hand_differs zz-1099")
	if report.Checked.SKUs != 1102 {
		t.Errorf("checked %d SKUs, want 1102", report.Checked.SKUs)
	}
}

// TestFrontDiffers: a count that is wrong and stands still is found, whichever way it is wrong.
func TestFrontDiffers(t *testing.T) {
	for _, count := range []int64{99, 101} {
		w := newWorld(t)
		w.front.counts["mug"], w.front.counts["pen"] = 100, count
		w.wants(w.run(), "front_differs pen")
	}
}

// TestFrontMoves: a difference that changes between two looks belongs to orders on their way, and one
// that vanishes was none.
func TestFrontMoves(t *testing.T) {
	for name, moved := range map[string]func(*front){
		"counted on":   func(f *front) { f.counts["pen"]-- },
		"put right":    func(f *front) { f.counts["pen"] = 100 },
		"expired":      func(f *front) { delete(f.counts, "pen") },
		"Redis leaves": func(f *front) { f.err = errAway },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.front.counts["pen"] = 90
			w.front.asked = moved
			w.wants(w.run())
		})
	}
}

// TestFrontOfOrdersInFlight: a closed order that is not settled may still have its units reserved.
func TestFrontOfOrdersInFlight(t *testing.T) {
	w := newWorld(t)
	w.rejected("a", false)
	w.front.counts["mug"] = 98
	w.wants(w.run())

	w.exec("UPDATE orders SET settled_at = updated_at")
	w.wants(w.run(), "front_differs mug")
}

// TestFrontAway: no promise rests on Redis.
func TestFrontAway(t *testing.T) {
	w := newWorld(t)
	w.front.err = errAway
	report := w.run()
	w.wants(report)
	if !noted(report, "Redis") || len(report.Notes) != 1 {
		t.Errorf("the notes are %q, want one about Redis", report.Notes)
	}
}
