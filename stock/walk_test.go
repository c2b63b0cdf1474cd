//go:build unix

package stock_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"holdfast/order"
)

// walker carries orders through reserve, open, commit or close, and release, as the steps do, while Redis is
// flushed, forgets and loads in between. The shelves stand for the order database.
type walker struct {
	*shop
	rng    *rand.Rand
	orders []*walked
}

type walked struct {
	order.Order
	stage   stage
	asked   bool            // Redis may have reserved it
	held    order.Held      // zero until its row held units
	release order.Releasing // once it is closed
}

type stage int

const (
	fresh    stage = iota
	reserves       // Redis answered reserved
	pending        // its row holds its units
	sold
	closed // its row holds nothing; Redis may have a reservation still
	done
)

// TestNoUnitIsLostHoweverRedisIsDisturbed takes a walk at random. At each step, a count that is loaded is what
// the database would sell, but for exactly the units of orders between two steps: reserved from this count and
// not open yet, or closed and not released yet.
func TestNoUnitIsLostHoweverRedisIsDisturbed(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const steps = 500
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		w := &walker{shop: s, rng: rand.New(rand.NewPCG(seed, 0))}
		s.change(func(s *shelves) { s.units["mug"], s.units["plate"], s.limits["mug"] = 60, 60, 5 })
		for i := range steps {
			w.step(t, i)
			w.check(t)
			if t.Failed() {
				t.Fatalf("at step %d", i)
			}
		}
		for _, o := range w.orders {
			for o.stage != done && o.stage != sold {
				w.advance(t, o)
			}
		}
		w.check(t)
	})
}

var customers = []string{"alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi", "ivan", "judy"}

func (w *walker) step(t *testing.T, i int) {
	t.Helper()
	sku := []string{"mug", "plate"}[w.rng.IntN(2)]
	switch n := w.rng.IntN(100); {
	case n < 25 || len(w.orders) == 0:
		lines := []order.Line{{SKU: sku, Quantity: 1 + w.rng.Int64N(4)}}
		if w.rng.IntN(3) == 0 {
			lines = []order.Line{{SKU: "mug", Quantity: 1 + w.rng.Int64N(4)}, {SKU: "plate", Quantity: 1 + w.rng.Int64N(4)}}
		}
		w.orders = append(w.orders, &walked{Order: orderOf(t, customers[w.rng.IntN(len(customers))], fmt.Sprint("walk-", i), 0, lines...)})
	case n < 85:
		w.advance(t, w.orders[w.rng.IntN(len(w.orders))])
	case n < 90: // a repeated request
		w.reserve(t, w.orders[w.rng.IntN(len(w.orders))])
	case n < 93:
		w.forget(t, sku)
	case n < 94:
		w.rdb.FlushAll(t.Context())
	case n < 95:
		w.rdb.Del(t.Context(), "s:{"+sku+"}") // evicted or expired
	case n < 96:
		o := w.orders[w.rng.IntN(len(w.orders))]
		if o.stage == pending || o.stage == sold || o.stage == done { // otherwise its units are owed until the next load
			w.rdb.Del(t.Context(), "r:{"+sku+"}"+o.ID.Digest())
		}
	case n < 97:
		w.rdb.ScriptFlush(t.Context())
	case n < 98: // Redis is away for a moment, or came back with another state
		w.change(func(s *shelves) { s.epoch++ })
		w.Front = w.again(t)
	default: // a delivery
		w.change(func(s *shelves) { s.units[sku] += w.rng.Int64N(20) })
		w.forget(t, sku)
	}
}

// advance takes an order one step on.
func (w *walker) advance(t *testing.T, o *walked) {
	t.Helper()
	switch o.stage {
	case fresh:
		w.reserve(t, o)
	case reserves:
		w.open(t, o)
	case pending:
		if w.rng.IntN(2) == 0 {
			o.stage = closed
			o.release = w.give(o.held)
			return
		}
		o.stage = sold // which changes the row, and not what is available
		w.change(func(s *shelves) {
			for _, l := range o.Lines {
				s.versions[l.SKU]++
			}
		})
	case closed:
		w.wantReleasing(t, o.release, order.Released)
		if w.rng.IntN(3) > 0 { // otherwise once more
			o.stage = done
		}
	case sold, done:
	}
}

func (w *walker) reserve(t *testing.T, o *walked) {
	t.Helper()
	before := w.claimed(o)
	o.asked = true
	got := w.Reserve(t.Context(), []order.Order{o.Order})[0]
	if got.Failure != nil {
		t.Fatal(got.Failure)
	}
	if got.Answer.Verdict == order.LimitExceeded {
		w.checkRefused(t, o, before)
	}
	switch r := got.Answer; {
	case o.stage == fresh && w.rng.IntN(4) == 0: // the answer was lost
	case o.stage == fresh && r.Refused():
		o.stage, o.release = closed, order.Releasing{Order: o.Order, Taken: true} // its row says REJECTED
	case o.stage == fresh:
		o.stage = reserves
	case o.stage == pending || o.stage == sold: // the row was there before
		w.align(t, old(o.held))
	case o.stage == done && r.Taken: // whoever meets the closed row releases, not knowing when it was closed
		o.stage = closed
		for i := range o.release.Holds {
			o.release.Holds[i].Until = 0
		}
	}
}

// claimed adds up what other orders of the customer hold, have bought or may have reserved of the SKU with a limit.
func (w *walker) claimed(asking *walked) (units int64) {
	for _, o := range w.orders {
		if o != asking && o.CustomerID == asking.CustomerID && o.asked && o.stage != done {
			units += mugs(o)
		}
	}
	return units
}

func mugs(o *walked) int64 {
	if o.Lines[0].SKU != "mug" {
		return 0
	}
	return o.Lines[0].Quantity
}

// checkRefused: Redis's no for the limit must be certain.
func (w *walker) checkRefused(t *testing.T, o *walked, claimed int64) {
	t.Helper()
	if limit := w.limits["mug"]; claimed+mugs(o) <= limit {
		t.Errorf("%s wanted %d units and has, or may have, %d of %d, but was refused", o.CustomerID, mugs(o), claimed, limit)
	}
}

// open is the guard of the order database.
func (w *walker) open(t *testing.T, o *walked) {
	t.Helper()
	var has int64
	for _, other := range w.orders {
		if other.CustomerID == o.CustomerID && (other.stage == pending || other.stage == sold) {
			has += mugs(other)
		}
	}
	if has+mugs(o) > w.limits["mug"] {
		o.stage, o.release = closed, order.Releasing{Order: o.Order, Taken: true}
		return // the count was right, so it stays
	}
	for _, l := range o.Lines {
		if w.units[l.SKU] < l.Quantity {
			o.stage, o.release = closed, order.Releasing{Order: o.Order, Taken: true}
			w.forget(t, o.SKUs()...)
			return
		}
	}
	o.stage, o.held = pending, w.hold(o.Order)
	w.align(t, o.held)
}

// check looks at every count that is loaded.
func (w *walker) check(t *testing.T) {
	t.Helper()
	for sku, available := range w.units {
		count := w.rdb.HGetAll(t.Context(), "s:{"+sku+"}").Val()
		if count["epoch"] != strconv.FormatInt(w.epoch, 10) {
			continue
		}
		units := must(strconv.ParseInt(count["units"], 10, 64))(t)
		if owed := w.owed(t, sku, count); units+owed != available {
			t.Errorf("%s: %d units are left and %d on their way, but %d are available", sku, units, owed, available)
		}
	}
}

// owed adds up the units of orders between two steps that the count does without.
func (w *walker) owed(t *testing.T, sku string, count map[string]string) (units int64) {
	t.Helper()
	version := must(strconv.ParseInt(count["version"], 10, 64))(t)
	for _, o := range w.orders {
		if o.stage == pending || o.stage == sold {
			continue
		}
		for i, l := range o.Lines {
			if l.SKU != sku {
				continue
			}
			words := append(strings.Fields(w.rdb.Get(t.Context(), "r:{"+sku+"}"+o.ID.Digest()).Val()), "", "")
			if words[0] != "X" && words[1] == count["generation"] {
				units += l.Quantity
			}
			if o.stage != closed || words[0] == "X" || o.held.Holds == nil {
				continue
			}
			byLoad := o.held.Holds[i].From <= version
			if byLoad && version < o.release.Holds[i].Until || !byLoad && words[0] == "" {
				units += l.Quantity
			}
		}
	}
	return units
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return value
	}
}
