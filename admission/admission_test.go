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
	handsOn []int // of each batch
	cannot  error // why nothing starts
	panics  string

	mu        sync.Mutex
	flights   []*flight // in the order of their start
	cancelled int
}

// flight is a workflow that was started. It implements admission.Workflow.
type flight struct {
	c      *carrier
	orders []string // named
	from   []any    // what whoever entered them is called, nil without a name
	alone  bool
	land   chan struct{}
}

func (c *carrier) start(f *flight) (admission.Workflow, error) {
	if c.cannot != nil {
		return nil, c.cannot
	}
	if slices.Contains(f.orders, c.panics) {
		panic("a bug in the carrier")
	}
	f.c, f.land = c, make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flights = append(c.flights, f)
	return f, nil
}

func (f *flight) Wait(ctx context.Context) (handedOn []int, err error) {
	select {
	case <-f.land:
		if !f.alone {
			handedOn = f.c.handsOn
		}
		return handedOn, nil
	case <-ctx.Done():
		f.c.mu.Lock()
		defer f.c.mu.Unlock()
		f.c.cancelled++
		return nil, ctx.Err()
	}
}

// started gives the flights so far.
func (c *carrier) started() []*flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.flights)
}

// caller is the key of a name in a context.
type caller struct{}

func (c *carrier) StartOne(ctx context.Context, o order.Order) (admission.Workflow, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return c.start(&flight{orders: []string{o.PaymentMethod}, from: []any{ctx.Value(caller{})}, alone: true})
}

func (c *carrier) StartBatch(_ context.Context, batch []json.RawMessage, origins []context.Context) (admission.Workflow, error) {
	f := &flight{}
	for _, origin := range origins {
		f.from = append(f.from, origin.Value(caller{}))
	}
	for _, text := range batch {
		var o order.Order
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		f.orders = append(f.orders, o.PaymentMethod)
	}
	return c.start(f)
}

// door is an admission with its carrier.
type door struct {
	*admission.Admission
	*carrier

	registry *prometheus.Registry

	mu        sync.Mutex
	unsettled int
	onRecord  map[order.ID]bool // whether it is settled
	away      error             // the order database gives no answer
	slow      bool              // its counting alone is too slow
}

// Unsettled and OnRecord implement admission.Books.
func (d *door) Unsettled(ctx context.Context, _ time.Time, limit int) (int, error) {
	d.mu.Lock()
	unsettled, slow, away := d.unsettled, d.slow, d.away
	d.mu.Unlock()
	if slow {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return min(unsettled, limit), away
}

func (d *door) OnRecord(ctx context.Context, ids []order.ID) (map[order.ID]bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	known := make(map[order.ID]bool)
	for _, id := range ids {
		if settled, ok := d.onRecord[id]; ok {
			known[id] = settled
		}
	}
	return known, d.away
}

// record gives the orders rows.
func (d *door) record(t *testing.T, settled bool, names ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		d.onRecord[named(t, "c-"+name, name).ID] = settled
	}
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
		d := &door{carrier: &carrier{}, registry: prometheus.NewRegistry(), onRecord: make(map[order.ID]bool)}
		cfg := admission.Config{
			Limits:   admission.Limits{InFlight: 2, Queue: 10, CustomerQueue: 6, Patient: 5},
			Carrier:  d.carrier,
			Books:    d,
			MaxBatch: 4, MaxBatchLines: 100, MaxBatchBytes: 10_000, MaxBatchedOrder: 1_000,
		}
		if change != nil {
			change(&cfg)
		}
		var err error
		if d.Admission, err = admission.New(cfg, admission.NewMetrics(d.registry)); err != nil {
			t.Fatal(err)
		}
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
		ticket, err := d.Enter(t.Context(), named(t, "c-"+name[:min(len(name), 20)], name))
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
		if queued[0].Leave() {
			t.Error("an order was dropped for which somebody waits")
		}
		d.land(0)
		d.flew(t, "a", "b", "c")
		d.land(2)
		if !done(inFlight[0]) || !done(inFlight[1]) || !done(queued[1]) {
			t.Error("somebody still waits")
		}
	})
}

// TestTheSameKeyWithOtherContentsIsRefused while the first is there: in one batch, or handed on under one workflow id, they
// would meet each other.
func TestTheSameKeyWithOtherContentsIsRefused(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		first, second := named(t, "c-1", "a"), named(t, "c-1", "a")
		second.Lines[0].Quantity = 2
		if _, err := d.Enter(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := d.Enter(t.Context(), second); !errors.Is(err, admission.ErrKeyReused) {
			t.Errorf("while the first is in flight: %v", err)
		}
		d.land(0)
		if _, err := d.Enter(t.Context(), second); err != nil {
			t.Errorf("whose key it is, the row decides: %v", err)
		}
		synctest.Wait()
		d.flew(t, "a", "a")
	})
}

func TestWhoLeavesBeforeHisTurnCostsNothing(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		tickets := d.enter(t, "a", "b", "c", "d", "e")
		for i, dropped := range map[int]bool{0: false, 3: true, 4: true} { // the first one has gone already
			if got := tickets[i].Leave(); got != dropped {
				t.Errorf("%d was dropped: %v", i, got)
			}
			if tickets[i].Leave() {
				t.Errorf("%d was dropped twice", i)
			}
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
			ticket, err := d.Enter(t.Context(), named(t, "impatient", fmt.Sprintf("x-%d", i)))
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
			if _, err := d.Enter(t.Context(), named(t, "hoarder", fmt.Sprintf("h-%d", i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Enter(t.Context(), named(t, "hoarder", "h-6")); !errors.Is(err, admission.ErrCustomerFull) {
			t.Errorf("one customer's seventh order: %v", err)
		}
		d.enter(t, "c", "d", "e", "f")
		if _, err := d.Enter(t.Context(), named(t, "c-g", "g")); !errors.Is(err, admission.ErrFull) {
			t.Errorf("one more than may wait: %v", err)
		}
		if _, err := d.Enter(t.Context(), named(t, "c-c", "c")); err != nil {
			t.Errorf("one that waits already was turned away: %v", err)
		}
		d.land(0) // four of them go
		if _, err := d.Enter(t.Context(), named(t, "hoarder", "h-6")); err != nil {
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

func TestABatchIsBoundedInLines(t *testing.T) {
	at(t, func(c *admission.Config) { c.MaxBatchLines = 2 }, func(t *testing.T, d *door) {
		d.enter(t, "a", "b", "c", "d", "e")
		d.land(0)
		d.flew(t, "a", "b", "c+d")
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

// roomy lets more workflows start than are worth it.
func roomy(c *admission.Config) { c.InFlight, c.Queue, c.MaxBatch = 8, 100, 50 }

// TestAFewWaitForAWorkflowThatLandsSoon rather than cost another, although it might start.
func TestAFewWaitForAWorkflowThatLandsSoon(t *testing.T) {
	at(t, roomy, func(t *testing.T, d *door) {
		d.enter(t, "a", "b", "c", "d")
		d.flew(t, "a", "b")
		d.land(1)
		d.flew(t, "a", "b", "c+d")
	})
}

// TestAFewDoNotWaitForAWorkflowThatTakesLong.
func TestAFewDoNotWaitForAWorkflowThatTakesLong(t *testing.T) {
	at(t, roomy, func(t *testing.T, d *door) {
		d.enter(t, "a")
		time.Sleep(60 * time.Millisecond) // of the bubble's clock
		d.enter(t, "b", "c", "d")
		d.flew(t, "a", "b")
		time.Sleep(41 * time.Millisecond)
		synctest.Wait()
		d.flew(t, "a", "b", "c+d")
		d.enter(t, "e")
		d.flew(t, "a", "b", "c+d")
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		d.flew(t, "a", "b", "c+d", "e")
		d.land(0) // of those that took long no place is given back twice
		d.enter(t, "f", "g")
		d.flew(t, "a", "b", "c+d", "e", "f")
	})
}

// TestManyGoBesideWorkflowsThatLandSoon.
func TestManyGoBesideWorkflowsThatLandSoon(t *testing.T) {
	at(t, roomy, func(t *testing.T, d *door) {
		var crowd []string
		for i := range 17 {
			crowd = append(crowd, fmt.Sprintf("m%d", i))
		}
		d.enter(t, append([]string{"a", "b"}, crowd...)...)
		d.flew(t, "a", "b", strings.Join(crowd[:16], "+"))
	})
}

// TestAPatientOrderTakesNobodysPlace, and whoever waits for it is told.
func TestAPatientOrderTakesNobodysPlace(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		tickets := d.enter(t, "a", "b", "c")
		d.flew(t, "a", "b")
		time.Sleep(4 * time.Second) // of the bubble's clock
		synctest.Wait()
		d.flew(t, "a", "b", "c")
		wantGauge(t, d, "holdfast_admission_in_flight", 1)
		wantGauge(t, d, "holdfast_admission_patient", 2)
		if !done(tickets[0]) || !tickets[0].HandedOn() || tickets[0].Err() != nil || done(tickets[2]) {
			t.Error("whoever waits is not told that the order goes on by itself")
		}
	})
}

// TestABatchThatHasNoEndGivesItsPlaceUp: no worker takes it.
func TestABatchThatHasNoEndGivesItsPlaceUp(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		tickets := d.enter(t, "a", "b", "c", "d", "e")
		d.land(0)
		d.flew(t, "a", "b", "c+d+e")
		time.Sleep(29 * time.Second) // of the bubble's clock
		synctest.Wait()
		if done(tickets[2]) {
			t.Error("given up before its worker could have been replaced")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !done(tickets[4]) || !tickets[4].HandedOn() {
			t.Error("never given up")
		}
		wantGauge(t, d, "holdfast_admission_in_flight", 0)
		wantGauge(t, d, "holdfast_admission_patient", 4) // b as well
	})
}

func TestAPanicIsNoPlace(t *testing.T) {
	at(t, func(c *admission.Config) { c.InFlight = 1 }, func(t *testing.T, d *door) {
		d.panics = "a"
		if ticket := d.enter(t, "a")[0]; !done(ticket) || ticket.Err() == nil || admission.TurnedAway(ticket.Err()) {
			t.Errorf("done %v, %v", done(ticket), ticket.Err())
		}
		d.enter(t, "b")
		d.flew(t, "b")
	})
}

func TestNobodyIsLetInWhileManyAreUnsettled(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		full := func(words string, want error) {
			t.Helper()
			ticket, err := d.Enter(t.Context(), named(t, "c-1", strings.ReplaceAll(words, " ", "-")))
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
		if got := d.RetryAfter(); got != 10 {
			t.Errorf("come again after %d s", got)
		}
		d.counts(0, errors.New("no count"))
		full("nobody knows that it is over", admission.ErrFull)
		d.counts(0, nil)
		full("it is over", nil)
	})
}

// TestWhatIsHandedOnCountsUntilItIsCounted by the order database, which sees a row once it is older than usual.
func TestWhatIsHandedOnCountsUntilItIsCounted(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.handsOn = []int{0, 1}
		tickets := d.enter(t, "a", "b", "c", "d", "e")
		d.land(0)
		d.land(2)
		if !tickets[2].HandedOn() || !tickets[3].HandedOn() || tickets[4].HandedOn() {
			t.Error("other orders were handed on than were")
		}
		d.counts(0, nil)
		wantGauge(t, d, "holdfast_admission_patient", 2)
		time.Sleep(10 * time.Second)
		wantGauge(t, d, "holdfast_admission_patient", 3) // b as well, and none has a row
		d.record(t, false, "c")
		d.counts(0, errors.New("no answer"))
		wantGauge(t, d, "holdfast_admission_patient", 3)
		d.counts(1, nil)
		wantGauge(t, d, "holdfast_admission_patient", 3) // of these the database counts one
		d.record(t, false, "b", "d")
		d.counts(0, nil)
		wantGauge(t, d, "holdfast_admission_patient", 0)
	})
}

// TestWhatIsHandedOnAndSettledCountsNoMore, however young it is.
func TestWhatIsHandedOnAndSettledCountsNoMore(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.handsOn = []int{0, 1}
		d.enter(t, "a", "b", "c", "d", "e")
		d.land(0)
		d.land(2)
		d.record(t, true, "c")
		d.record(t, false, "d")
		d.counts(0, nil)
		wantGauge(t, d, "holdfast_admission_patient", 1)
	})
}

// TestACountThatIsTooSlowLosesNothing: what is settled goes all the same, and what is not counts on, however long it is.
func TestACountThatIsTooSlowLosesNothing(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.counts(1, nil)
		d.mu.Lock()
		d.slow = true
		d.mu.Unlock()
		d.handsOn = []int{0, 1}
		d.enter(t, "a", "b", "c", "d", "e")
		d.land(0)
		d.land(2)
		time.Sleep(10 * time.Second)
		wantGauge(t, d, "holdfast_admission_patient", 4) // b, c and d beside the one that was counted
		d.record(t, true, "c")
		d.record(t, false, "b", "d")
		time.Sleep(time.Hour)
		wantGauge(t, d, "holdfast_admission_patient", 3)
		d.mu.Lock()
		d.slow = false
		d.mu.Unlock()
		time.Sleep(10 * time.Second) // the rest after the last slow one
		d.counts(2, nil)
		wantGauge(t, d, "holdfast_admission_patient", 2)
	})
}

// TestWhatMayHaveStartedIsLetInAgain however full it is: its shopper must not be told that nothing was started.
func TestWhatMayHaveStartedIsLetInAgain(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.cannot = errors.New("no answer in time")
		d.enter(t, "ambiguous")
		d.cannot = nil
		d.enter(t, "patient")
		time.Sleep(4 * time.Second)
		d.counts(1000, nil)
		for name, want := range map[string]error{"ambiguous": nil, "patient": nil, "new": admission.ErrFull} {
			o := named(t, "c-"+name, name)
			if carries := d.Carries(o.ID); carries != (want == nil) {
				t.Errorf("%s is carried: %v", name, carries)
			}
			ticket, err := d.Enter(t.Context(), o)
			if !errors.Is(err, want) {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil {
				ticket.Leave()
			}
		}
	})
}

// TestWhatNeverGetsARowIsForgotten: its workflow was ended by somebody.
func TestWhatNeverGetsARowIsForgotten(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		d.enter(t, "a")
		time.Sleep(9 * time.Minute)
		wantGauge(t, d, "holdfast_admission_patient", 1)
		time.Sleep(2 * time.Minute)
		wantGauge(t, d, "holdfast_admission_patient", 0)
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
		if _, err := d.Enter(t.Context(), named(t, "c-1", "x")); !errors.Is(err, admission.ErrDraining) {
			t.Error(err)
		}
		if _, err := d.Enter(t.Context(), named(t, "c-a", "a")); err != nil {
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

// TestACarrierKnowsWhoEntered: also of those who have left meanwhile, which ends nothing.
func TestACarrierKnowsWhoEntered(t *testing.T) {
	at(t, nil, func(t *testing.T, d *door) {
		for _, name := range []string{"a", "b", "c", "d"} {
			ctx, leave := context.WithCancel(context.WithValue(t.Context(), caller{}, name))
			leave()
			if _, err := d.Enter(ctx, named(t, "c-"+name, name)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		d.land(0)
		d.flew(t, "a", "b", "c+d")
		for i, want := range [][]any{{"a"}, {"b"}, {"c", "d"}} {
			if got := d.started()[i].from; !slices.Equal(got, want) {
				t.Errorf("flight %d came from %v, want %v", i, got, want)
			}
		}
	})
}
