package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/reconcile"
)

// world is an order database, a Redis and a Temporal in memory.
type world struct {
	mu       sync.Mutex
	stocks   map[string]orderdb.Stock
	records  []orderdb.Record // oldest first
	counts   map[string]int64
	limits   map[string]int64 // in Redis
	running  map[order.ID]bool
	attended []order.ID

	forgotten  []string
	started    []order.ID
	remembered int // the most SKUs that were looked at again at once

	frontErr  error
	forgetErr error
	carryErr  func(order.ID) error
	// beforeCounts runs before each look at Redis, with the number of looks so far.
	beforeCounts func(look int)
	looks        int
}

func newWorld() *world {
	return &world{stocks: map[string]orderdb.Stock{}, counts: map[string]int64{}, limits: map[string]int64{}, running: map[order.ID]bool{}}
}

func (w *world) reconciler() *reconcile.Reconciler {
	return reconcile.New(reconcile.Config{Orders: w, Front: w, Carrier: w, Grace: time.Minute, Pause: time.Microsecond})
}

// stock puts a SKU on the shelf, and its count into Redis.
func (w *world) stock(sku string, onHand, reserved, count int64) {
	w.stocks[sku] = orderdb.Stock{SKU: sku, OnHand: onHand, Reserved: reserved, Version: 1}
	w.counts[sku] = count
}

// place records an unsettled order.
func (w *world) place(t *testing.T, key int, age time.Duration, status order.Status) order.ID {
	t.Helper()
	o, err := order.New("c-1", fmt.Sprint("k", key), "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: 1, UnitPrice: 5}})
	if err != nil {
		t.Fatal(err)
	}
	w.records = append(w.records, orderdb.Record{
		Order: o, Fingerprint: o.Fingerprint(), Status: status, CreatedAt: time.Now().UTC().Add(-age),
	})
	slices.SortFunc(w.records, func(a, b orderdb.Record) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return o.ID
}

func (w *world) record(id order.ID) *orderdb.Record {
	for i := range w.records {
		if w.records[i].ID == id {
			return &w.records[i]
		}
	}
	return nil
}

func (w *world) ListStock(_ context.Context, after string, limit int) ([]orderdb.Stock, error) {
	var page []orderdb.Stock
	for _, sku := range slices.Sorted(maps.Keys(w.stocks)) {
		if sku > after && len(page) < limit {
			page = append(page, w.stocks[sku])
		}
	}
	return page, nil
}

func (w *world) GetStocks(_ context.Context, skus []string) ([]orderdb.Stock, error) {
	w.remembered = max(w.remembered, len(skus))
	var found []orderdb.Stock
	for _, sku := range skus {
		if s, ok := w.stocks[sku]; ok {
			found = append(found, s)
		}
	}
	return found, nil
}

func (w *world) Unsettled(_ context.Context, after orderdb.Position, before time.Time, limit int) ([]orderdb.Record, error) {
	var page []orderdb.Record
	for _, r := range w.records {
		later := cmp.Or(r.CreatedAt.Compare(after.CreatedAt), cmp.Compare(r.ID, after.ID)) > 0
		if r.SettledAt == nil && later && r.CreatedAt.Before(before) && len(page) < limit {
			page = append(page, r)
		}
	}
	return page, nil
}

func (w *world) Get(_ context.Context, id order.ID) (orderdb.Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.record(id); r != nil {
		return *r, nil
	}
	return orderdb.Record{}, orderdb.ErrNotFound
}

func (w *world) Attend(_ context.Context, attentions []order.Attention) ([]order.Row, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range attentions {
		w.attended = append(w.attended, a.Key.ID)
	}
	return nil, nil
}

func (w *world) Counts(ctx context.Context, skus []string) (map[string]int64, error) {
	w.looks++
	if w.beforeCounts != nil {
		w.beforeCounts(w.looks)
	}
	if err := cmp.Or(ctx.Err(), w.frontErr); err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, sku := range skus {
		if count, ok := w.counts[sku]; ok {
			counts[sku] = count
		}
	}
	return counts, nil
}

func (w *world) Limits(ctx context.Context, skus []string) (map[string]int64, error) {
	if err := cmp.Or(ctx.Err(), w.frontErr); err != nil {
		return nil, err
	}
	limits := map[string]int64{}
	for _, sku := range skus {
		if _, loaded := w.counts[sku]; loaded {
			limits[sku] = w.limits[sku]
		}
	}
	return limits, nil
}

func (w *world) Forget(ctx context.Context, skus []string) error {
	if err := cmp.Or(ctx.Err(), w.forgetErr); err != nil {
		return err
	}
	for _, sku := range skus {
		delete(w.counts, sku)
	}
	w.forgotten = append(w.forgotten, skus...)
	return nil
}

func (w *world) Carried(_ context.Context, id order.ID) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.carryErr != nil {
		if err := w.carryErr(id); err != nil {
			return false, err
		}
	}
	return w.running[id], nil
}

func (w *world) Carry(_ context.Context, o order.Order) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[o.ID] {
		return false, nil
	}
	w.running[o.ID] = true
	w.started = append(w.started, o.ID)
	return true, nil
}

type chunk func(context.Context, order.ReconcileProgress, func(order.ReconcileProgress)) (order.ReconcileProgress, error)

func noBeat(order.ReconcileProgress) {}

// through takes chunk after chunk until the walk is done, and says how many it took.
func through(t *testing.T, next chunk, p order.ReconcileProgress, done func(order.ReconcileProgress) bool) (order.Reconciliation, int) {
	t.Helper()
	chunks := 0
	for ; !done(p); chunks++ {
		var err error
		if p, err = next(t.Context(), p, noBeat); err != nil {
			t.Fatal(err)
		}
	}
	return p.Found, chunks
}

func compare(t *testing.T, r *reconcile.Reconciler, dryRun bool) order.Reconciliation {
	t.Helper()
	p := order.ReconcileProgress{Found: order.Reconciliation{DryRun: dryRun}}
	found, _ := through(t, r.CompareCounts, p, func(p order.ReconcileProgress) bool { return p.Counts.Done })
	return found
}

func redrive(t *testing.T, r *reconcile.Reconciler, dryRun bool) order.Reconciliation {
	t.Helper()
	p := order.ReconcileProgress{Found: order.Reconciliation{DryRun: dryRun}}
	found, _ := through(t, r.RedriveOrders, p, func(p order.ReconcileProgress) bool { return p.Orders.Done })
	return found
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
