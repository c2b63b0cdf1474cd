package admission_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"holdfast/admission"
	"holdfast/order"
)

// carrier carries what it is given when the test lets it.
type carrier struct {
	handsOn int   // of each batch
	cannot  error // why nothing starts

	mu        sync.Mutex
	flights   []*flight // in the order of their start
	cancelled int
}

// flight is a workflow that was started.
type flight struct {
	orders []string // named
	alone  bool
	land   chan struct{}
}

func (c *carrier) fly(ctx context.Context, f *flight) error {
	if c.cannot != nil {
		return c.cannot
	}
	f.land = make(chan struct{})
	c.mu.Lock()
	c.flights = append(c.flights, f)
	c.mu.Unlock()
	select {
	case <-f.land:
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cancelled++
	}
	return nil
}

// started gives the flights so far.
func (c *carrier) started() []*flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.flights)
}

func (c *carrier) CarryOne(ctx context.Context, o order.Order) error {
	return c.fly(ctx, &flight{orders: []string{o.PaymentMethod}, alone: true})
}

func (c *carrier) CarryBatch(ctx context.Context, batch []json.RawMessage) (int, error) {
	f := &flight{}
	for _, text := range batch {
		var o order.Order
		if err := json.Unmarshal(text, &o); err != nil {
			return 0, err
		}
		f.orders = append(f.orders, o.PaymentMethod)
	}
	return c.handsOn, c.fly(ctx, f)
}

// door is an admission with its carrier.
type door struct {
	*admission.Admission
	*carrier

	registry *prometheus.Registry

	mu        sync.Mutex
	unsettled int
	away      error // the order database gives no count
}

func (d *door) count(_ context.Context, limit int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return min(d.unsettled, limit), d.away
}

// counts sets what the order database says from now on, and waits until it was asked.
func (d *door) counts(unsettled int, away error) {
	d.mu.Lock()
	d.unsettled, d.away = unsettled, away
	d.mu.Unlock()
	time.Sleep(time.Second) // of the bubble's clock
	synctest.Wait()
}

// at plays a situation in a bubble with a clock of its own.
func at(t *testing.T, change func(*admission.Config), situation func(t *testing.T, d *door)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &door{carrier: &carrier{}, registry: prometheus.NewRegistry()}
		cfg := admission.Config{
			Limits:    admission.Limits{InFlight: 2, Queue: 10, CustomerQueue: 6, Patient: 5},
			Carrier:   d.carrier,
			Unsettled: d.count,
			MaxBatch:  4, MaxBatchBytes: 10_000, MaxBatchedOrder: 1_000,
		}
		if change != nil {
			change(&cfg)
		}
		d.Admission = admission.New(cfg, admission.NewMetrics(d.registry))
		defer d.Close()
		synctest.Wait()
		situation(t, d)
	})
}

// named makes an order of a customer, named by its payment method.
func named(t *testing.T, customer, name string) order.Order {
	t.Helper()
	o, err := order.New(customer, "k-"+name, "EUR", name, []order.Line{{SKU: "mug", Quantity: 1, UnitPrice: 5}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// enter lets orders in, each of a customer of its own.
func (d *door) enter(t *testing.T, names ...string) (tickets []*admission.Ticket) {
	t.Helper()
	for _, name := range names {
		ticket, err := d.Enter(named(t, "c-"+name[:min(len(name), 20)], name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tickets = append(tickets, ticket)
		synctest.Wait()
	}
	return tickets
}

func (d *door) land(i int) {
	close(d.started()[i].land)
	synctest.Wait()
}

// flew compares what was started, such as "a" for an order alone and "b+c" for a batch.
func (d *door) flew(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, f := range d.started() {
		if got = append(got, strings.Join(f.orders, "+")); f.alone != (len(f.orders) == 1) {
			t.Errorf("%v flew alone: %v", f.orders, f.alone)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("started %q, want %q", got, want)
	}
}

func done(ticket *admission.Ticket) bool {
	select {
	case <-ticket.Done():
		return true
	default:
		return false
	}
}

func TestOrdersGoAtOnceUntilManyAreInFlightAndThenTogether(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		tickets := d.enter(t, "a", "b", "c", "d", "e", "f", "g", "h")
		d.flew(t, "a", "b")
		d.land(0)
		d.flew(t, "a", "b", "c+d+e+f") // no more than a batch may have
		if !done(tickets[0]) || done(tickets[1]) || done(tickets[2]) {
			t.Error("an order is done that is not, or the other way round")
		}
		d.land(2)
		d.land(1)
		d.flew(t, "a", "b", "c+d+e+f", "g+h")
		d.land(3)
		for i, ticket := range tickets {
			if !done(ticket) || ticket.Err() != nil {
				t.Errorf("order %d: done %v, %v", i, done(ticket), ticket.Err())
			}
		}
		d.enter(t, "i") // idle again: nobody waits
		d.flew(t, "a", "b", "c+d+e+f", "g+h", "i")
	})
}

func TestTheLastOneThatWaitsGoesAlone(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.enter(t, "a", "b", "c")
		d.land(1)
		d.flew(t, "a", "b", "c")
	})
}

func TestTheSameOrderJoinsTheFirst(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		inFlight := d.enter(t, "a", "a")
		d.enter(t, "b")
		queued := d.enter(t, "c", "c")
		d.flew(t, "a", "b")
		queued[0].Leave() // the other still waits
		d.land(0)
		d.flew(t, "a", "b", "c")
		d.land(2)
		if !done(inFlight[0]) || !done(inFlight[1]) || !done(queued[1]) {
			t.Error("somebody still waits")
		}
	})
}

// TestTheSameKeyWithOtherContentsIsAnotherOrder: which of them the id belongs to, the row decides.
func TestTheSameKeyWithOtherContentsIsAnotherOrder(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		first, second := named(t, "c-1", "a"), named(t, "c-1", "a")
		second.Lines[0].Quantity = 2
		for _, o := range []order.Order{first, second} {
			if _, err := d.Enter(o); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		d.flew(t, "a", "a")
	})
}

func TestWhoLeavesBeforeHisTurnCostsNothing(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		tickets := d.enter(t, "a", "b", "c", "d", "e")
		for _, ticket := range []*admission.Ticket{tickets[0], tickets[3], tickets[3], tickets[4]} {
			ticket.Leave() // the first one has gone already
		}
		d.land(0)
		d.flew(t, "a", "b", "c")
		d.land(2)
		d.flew(t, "a", "b", "c")
		d.enter(t, "d") // as if it had never been there
		d.flew(t, "a", "b", "c", "d")
	})
}

// TestCrowdsThatLeaveLeaveRoom: the queue is bounded by those who wait, and does not keep those who left.
func TestCrowdsThatLeaveLeaveRoom(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.enter(t, "a", "b")
		for i := range 5_000 {
			ticket, err := d.Enter(named(t, "impatient", fmt.Sprintf("x-%d", i)))
			if err != nil {
				t.Fatalf("after %d who left: %v", i, err)
			}
			ticket.Leave()
		}
		wantGauge(t, d, "holdfast_admission_queue", 0)
		d.enter(t, "c")
		d.land(0)
		d.flew(t, "a", "b", "c")
	})
}

func wantGauge(t *testing.T, d *door, name string, want float64) {
	t.Helper()
	families, err := d.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			if got := family.GetMetric()[0].GetGauge().GetValue(); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
			return
		}
	}
	t.Errorf("there is no %s", name)
}

func TestTheQueueIsBoundedAndOneCustomerCannotFillIt(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.enter(t, "a", "b")
		for i := range 6 {
			if _, err := d.Enter(named(t, "hoarder", fmt.Sprintf("h-%d", i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Enter(named(t, "hoarder", "h-6")); !errors.Is(err, admission.ErrCustomerFull) {
			t.Errorf("one customer's seventh order: %v", err)
		}
		d.enter(t, "c", "d", "e", "f")
		if _, err := d.Enter(named(t, "c-g", "g")); !errors.Is(err, admission.ErrFull) {
			t.Errorf("one more than may wait: %v", err)
		}
		if _, err := d.Enter(named(t, "c-c", "c")); err != nil {
			t.Errorf("one that waits already was turned away: %v", err)
		}
		d.land(0) // four of them go
		if _, err := d.Enter(named(t, "hoarder", "h-6")); err != nil {
			t.Error(err)
		}
		if n := testutil.CollectAndCount(d.registry, "holdfast_admission_turned_away_total"); n != 2 {
			t.Errorf("%d reasons were counted", n)
		}
	})
}

func TestALongOrderGoesAlone(t *testing.T) {
	at(t, func(c *admission.Config) { c.MaxBatchedOrder = 250 }, func(t *testing.T, d *door) {
		d.enter(t, "a", "b", "c", "d", strings.Repeat("l", 120), "e", "f")
		d.land(0)
		d.land(1)
		d.flew(t, "a", "b", "c+d", strings.Repeat("l", 120))
		d.land(2)
		d.flew(t, "a", "b", "c+d", strings.Repeat("l", 120), "e+f")
	})
}

func TestABatchIsBoundedInBytes(t *testing.T) {
	at(t, func(c *admission.Config) { c.MaxBatchBytes = 500 }, func(t *testing.T, d *door) {
		d.enter(t, "a", "b", "c", "d", "e", "f")
		d.land(0)
		if n := len(d.started()[2].orders); n < 2 || n == 4 {
			t.Errorf("%d orders of some 170 bytes went in 500", n)
		}
	})
}

// TestAPatientOrderTakesNobodysPlace, and its shopper waits on.
func TestAPatientOrderTakesNobodysPlace(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		tickets := d.enter(t, "a", "b", "c")
		d.flew(t, "a", "b")
		time.Sleep(4 * time.Second) // of the bubble's clock
		synctest.Wait()
		d.flew(t, "a", "b", "c")
		wantGauge(t, d, "holdfast_admission_in_flight", 1)
		wantGauge(t, d, "holdfast_admission_patient", 2)
		if done(tickets[0]) {
			t.Error("a patient order is done")
		}
		d.land(0)
		d.land(1)
		wantGauge(t, d, "holdfast_admission_in_flight", 1)
		wantGauge(t, d, "holdfast_admission_patient", 0)
	})
}

func TestNobodyIsLetInWhileManyAreUnsettled(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		full := func(words string, want error) {
			t.Helper()
			ticket, err := d.Enter(named(t, "c-1", strings.ReplaceAll(words, " ", "-")))
			if !errors.Is(err, want) {
				t.Errorf("%s: %v", words, err)
			}
			if err == nil {
				ticket.Leave()
			}
		}
		d.counts(4, nil)
		full("fewer than the bound", nil)
		d.counts(1000, nil)
		full("a provider that is out", admission.ErrFull)
		d.counts(0, errors.New("no count"))
		full("nobody knows that it is over", admission.ErrFull)
		d.counts(0, nil)
		full("it is over", nil)
	})
}

// TestWhatIsHandedOnCountsUntilItIsCounted: before the order database has seen it, or while that is away.
func TestWhatIsHandedOnCountsUntilItIsCounted(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.counts(0, errors.New("no count"))
		d.handsOn = 3
		for round := range 2 {
			d.enter(t, fmt.Sprint("a", round), fmt.Sprint("b", round), fmt.Sprint("c", round), fmt.Sprint("d", round))
			n := len(d.started())
			d.land(n - 2)
			d.land(n - 1)
			d.land(n)
		}
		if _, err := d.Enter(named(t, "c-1", "x")); !errors.Is(err, admission.ErrFull) {
			t.Errorf("six were handed on: %v", err)
		}
		d.counts(0, nil)
		d.enter(t, "y")
	})
}

func TestAWorkflowThatCannotBeStartedIsNoPlace(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.cannot = errors.New("connection refused")
		for _, ticket := range d.enter(t, "a", "b", "c") {
			if !done(ticket) || !errors.Is(ticket.Err(), d.cannot) {
				t.Errorf("done %v, %v", done(ticket), ticket.Err())
			}
		}
		d.cannot = nil
		d.enter(t, "d")
		d.flew(t, "d")
	})
}

// TestADrainTurnsAwayWhatHasNotStarted, and nothing else.
func TestADrainTurnsAwayWhatHasNotStarted(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		tickets := d.enter(t, "a", "b", "c", "d")
		d.Drain()
		d.Drain()
		if done(tickets[0]) || !done(tickets[2]) || !errors.Is(tickets[2].Err(), admission.ErrDraining) {
			t.Errorf("in flight: done %v; waiting: done %v, %v", done(tickets[0]), done(tickets[2]), tickets[2].Err())
		}
		if _, err := d.Enter(named(t, "c-1", "x")); !errors.Is(err, admission.ErrDraining) {
			t.Error(err)
		}
		if _, err := d.Enter(named(t, "c-a", "a")); err != nil {
			t.Errorf("a repeat of one in flight: %v", err)
		}
		tickets[2].Leave()
		d.land(0)
		d.flew(t, "a", "b")
		if !done(tickets[0]) || tickets[0].Err() != nil {
			t.Error("what was in flight has no end")
		}
		d.Close()
		if d.carrier.cancelled != 1 {
			t.Errorf("%d workflows are not waited for any more", d.carrier.cancelled)
		}
	})
}

func TestRetryAfterIsHonest(t *testing.T) {
	at(t, func(c *admission.Config) { c.Queue, c.MaxBatch, c.MaxBatchBytes = 1000, 100, 1_000_000 }, func(t *testing.T, d *door) {
		if got := d.RetryAfter(); got != 1 {
			t.Errorf("an empty queue takes %d s", got)
		}
		d.enter(t, "a", "b")
		var names []string
		for i := range 300 {
			names = append(names, fmt.Sprint("x", i))
		}
		d.enter(t, names...)
		if got := d.RetryAfter(); got != 30 {
			t.Errorf("a queue that does not move takes %d s", got)
		}
		d.land(0)
		d.land(2) // 100 orders: 20 a second, over five seconds
		if got := d.RetryAfter(); got < 4 || got > 6 {
			t.Errorf("100 orders at 20 a second take %d s", got)
		}
	})
}
