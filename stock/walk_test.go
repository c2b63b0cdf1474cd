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

// walker carries orders through reserve, open, commit or close, and release, as the steps do, with an
// order database that is a few numbers, while Redis is flushed, forgets and loads in between.
type walker struct {
	*shop
	rng    *rand.Rand
	orders []*walked
	onHand map[string]int64
	held   map[string]int64
	loaded map[string]int64 // by generation: what was available when it was loaded
}

type walked struct {
	order.Order
	stage stage
	held  bool // its row held units at some time
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

// TestNoUnitIsLostHoweverRedisIsDisturbed takes a walk at random. At each step, a count that is loaded is no
// higher than what the database would sell, and lower only by the units of orders between two steps:
// reserved and not open yet, or closed and not released yet.
func TestNoUnitIsLostHoweverRedisIsDisturbed(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const steps = 500
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		w := &walker{
			shop: s, rng: rand.New(rand.NewPCG(seed, 0)),
			onHand: map[string]int64{"mug": 60, "plate": 60}, held: map[string]int64{}, loaded: map[string]int64{},
		}
		for i := range steps {
			w.publish()
			w.step(t, i)
			w.publish()
			w.check(t)
			if t.Failed() {
				t.Fatalf("at step %d", i)
			}
		}
		for _, o := range w.orders {
			for o.stage != done && o.stage != sold {
				w.publish()
				w.advance(t, o)
			}
		}
		w.publish()
		w.check(t)
	})
}

// publish shows the shelves to the front's source.
func (w *walker) publish() {
	w.change(func(s *shelves) {
		for sku, onHand := range w.onHand {
			s.units[sku] = onHand - w.held[sku]
		}
	})
}

func (w *walker) step(t *testing.T, i int) {
	t.Helper()
	sku := []string{"mug", "plate"}[w.rng.IntN(2)]
	switch n := w.rng.IntN(100); {
	case n < 25 || len(w.orders) == 0:
		lines := []order.Line{{SKU: sku, Quantity: 1 + w.rng.Int64N(4)}}
		if w.rng.IntN(3) == 0 {
			lines = []order.Line{{SKU: "mug", Quantity: 1 + w.rng.Int64N(4)}, {SKU: "plate", Quantity: 1 + w.rng.Int64N(4)}}
		}
		w.orders = append(w.orders, &walked{Order: newOrder(t, fmt.Sprint("walk-", i), 0, lines...)})
	case n < 85:
		w.advance(t, w.orders[w.rng.IntN(len(w.orders))])
	case n < 90: // a repeated request
		w.reserve(t, w.orders[w.rng.IntN(len(w.orders))])
	case n < 94:
		w.forget(t, sku)
	case n < 95:
		w.rdb.FlushAll(t.Context())
	case n < 97:
		w.rdb.Del(t.Context(), "s:{"+sku+"}") // evicted or expired
	case n < 98:
		w.rdb.ScriptFlush(t.Context())
	default: // a delivery
		w.onHand[sku] += w.rng.Int64N(20)
		w.publish()
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
		o.stage = sold
		if w.rng.IntN(2) == 0 {
			o.stage = closed
		}
		for _, l := range o.Lines {
			w.held[l.SKU] -= l.Quantity
			if o.stage == sold {
				w.onHand[l.SKU] -= l.Quantity
			}
		}
	case closed:
		w.wantRelease(t, o.Order, o.held, order.Released)
		if w.rng.IntN(3) > 0 { // otherwise once more
			o.stage = done
		}
	case sold, done:
	}
}

func (w *walker) reserve(t *testing.T, o *walked) {
	t.Helper()
	got := w.Reserve(t.Context(), []order.Order{o.Order})[0]
	if got.Failure != nil {
		t.Fatal(got.Failure)
	}
	switch r := got.Answer; {
	case o.stage == fresh && w.rng.IntN(4) == 0: // the answer was lost
	case o.stage == fresh && r.Refused():
		o.stage = closed // its row says REJECTED
	case o.stage == fresh:
		o.stage = reserves
	case o.stage > reserves && r.Holds: // for an order whose row was there before
		w.forget(t, o.SKUs()...)
		if o.stage == done {
			o.stage = closed // whoever meets the closed row releases
		}
	}
}

// open is the guard of the order database.
func (w *walker) open(t *testing.T, o *walked) {
	t.Helper()
	for _, l := range o.Lines {
		if w.onHand[l.SKU]-w.held[l.SKU] < l.Quantity {
			o.stage = closed
			w.forget(t, o.SKUs()...)
			return
		}
	}
	o.stage, o.held = pending, true
	for _, l := range o.Lines {
		w.held[l.SKU] += l.Quantity
	}
	if err := w.Verify(t.Context(), []order.Order{o.Order}); err != nil {
		t.Fatal(err)
	}
}

func (w *walker) forget(t *testing.T, skus ...string) {
	t.Helper()
	if err := w.Forget(t.Context(), skus); err != nil {
		t.Fatal(err)
	}
}

// check looks at every count that is loaded.
func (w *walker) check(t *testing.T) {
	t.Helper()
	for sku, onHand := range w.onHand {
		count := w.rdb.HGetAll(t.Context(), "s:{"+sku+"}").Val()
		generation := count["generation"]
		if generation == "" {
			continue
		}
		units, err := strconv.ParseInt(count["units"], 10, 64)
		if err != nil || units < 0 {
			t.Errorf("the count of %s is %v", sku, count)
		}
		live, owed := w.reservedIn(t, sku, generation)
		if _, known := w.loaded[generation]; !known {
			w.loaded[generation] = units + live
		}
		if units+live != w.loaded[generation] {
			t.Errorf("%s: %d units are left and %d reserved, but %d were loaded", sku, units, live, w.loaded[generation])
		}
		if available := onHand - w.held[sku]; units > available || units+owed < available {
			t.Errorf("%s: %d units are left and %d on their way, but %d are available", sku, units, owed, available)
		}
	}
}

// reservedIn adds up what is reserved in the generation, and what is still owed to the count: the units
// that a release will give back, or for which it will delete the count.
func (w *walker) reservedIn(t *testing.T, sku, generation string) (live, owed int64) {
	t.Helper()
	var keys []string
	var lines []order.Line
	var of []*walked
	for _, o := range w.orders {
		for _, l := range o.Lines {
			if l.SKU == sku {
				keys, lines, of = append(keys, "r:{"+sku+"}"+o.ID.Digest()), append(lines, l), append(of, o)
			}
		}
	}
	if len(keys) == 0 {
		return 0, 0
	}
	for i, value := range must(w.rdb.MGet(t.Context(), keys...).Result())(t) {
		text, _ := value.(string) // nil if there is none
		words := append(strings.Fields(text), "", "")
		switch counted := words[0] == "R" && words[1] == generation; {
		case counted && of[i].stage != pending && of[i].stage != sold:
			live, owed = live+lines[i].Quantity, owed+lines[i].Quantity
		case counted:
			live += lines[i].Quantity
		case of[i].stage == closed && of[i].held && words[0] != "X":
			owed += lines[i].Quantity
		}
	}
	return live, owed
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
