// Package admission lets orders in: it decides whether an order goes at once as a workflow of its own or waits for the next
// batch, and turns orders away before they cost anything when there is nothing left for them or more come than can be carried.
// Only app and the API's handlers import it; of ours it imports order and how look-ups are gathered.
package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"holdfast/order"
)

// Errors of an order that is turned away. Nothing was started.
var (
	// ErrFull: as many orders wait as may, or as many are unsettled, or its turn did not come while somebody waited for it.
	ErrFull = errors.New("too many orders are waiting")
	// ErrCustomerFull: as many orders of this customer wait as may.
	ErrCustomerFull = errors.New("too many orders of this customer are waiting")
	// ErrDraining: the program is stopping.
	ErrDraining = errors.New("the program is stopping")
	// ErrKeyReused: an order with other contents is being placed under the same id.
	ErrKeyReused = errors.New("another order is being placed under the same id")
)

// TurnedAway tells that the error is one of those above.
func TurnedAway(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrCustomerFull) || errors.Is(err, ErrDraining) || errors.Is(err, ErrKeyReused)
}

// Carrier has orders carried by workflows. An error is that the workflow could not be started, as far as can be known.
type Carrier interface {
	// StartOne starts the order's own workflow. ctx has the values of the context that the order entered with.
	StartOne(ctx context.Context, o order.Order) (Workflow, error)
	// StartBatch starts one workflow for all of them. Each order is given with its encoding, and with the context that it
	// entered with: for what that knows, since whoever waited there may be gone.
	StartBatch(ctx context.Context, orders []json.RawMessage, origins []context.Context) (Workflow, error)
}

// Workflow is one that was started.
type Workflow interface {
	// Wait returns when the workflow has ended, however it did. handedOn are the indexes of those orders that go on by
	// workflows of their own. The error is the context's.
	Wait(ctx context.Context) (handedOn []int, err error)
}

// Books are what the order database knows.
type Books interface {
	// Unsettled counts the orders created before that time for which something is owed, at most limit.
	Unsettled(ctx context.Context, before time.Time, limit int) (int, error)
	// OnRecord gives those of the orders that have a row, and whether they are settled.
	OnRecord(ctx context.Context, ids []order.ID) (settled map[order.ID]bool, err error)
}

// Limits bound the orders that wait and that are carried at once, in one program. All are at least 1.
type Limits struct {
	// InFlight is how many workflows are carried at once at most.
	InFlight int
	// Queue is how many orders may wait, CustomerQueue how many of one customer.
	Queue, CustomerQueue int
	// Patient is how many orders may be unsettled before no more are let in.
	Patient int
}

// Config says how orders are carried. All fields are required.
type Config struct {
	Limits

	Carrier Carrier
	Books   Books
	// MaxBatch, MaxBatchLines and MaxBatchBytes bound a batch, MaxBatchedOrder the bytes of an order in it: a longer one goes
	// alone.
	MaxBatch, MaxBatchLines, MaxBatchBytes, MaxBatchedOrder int
}

// Admission lets orders in. It may be used from many goroutines.
type Admission struct {
	cfg     Config
	ctx     context.Context //nolint:containedctx // ends what was started with nobody waiting any more
	stop    context.CancelFunc
	metrics *Metrics
	flights sync.WaitGroup
	patient *patient
	// begun are orders whose workflows this program has left behind, or may have started although it heard that it could not.
	begun *lru.Cache[order.ID, struct{}]

	mu        sync.Mutex
	tickets   map[order.ID]*entry // queued and in flight
	queue     []*entry            // oldest first; entries that everybody has left are skipped
	waiting   int                 // entries in the queue that somebody waits for
	customers map[string]int      // of these, by customer
	inFlight  int
	young     int // of these, that began a moment ago
	draining  bool
	pace      pace
}

// entry is an order between its arrival and the end of the workflow that carries it.
type entry struct {
	order       order.Order
	origin      context.Context //nolint:containedctx // of whoever entered it first, for its values
	fingerprint order.Fingerprint
	encoded     json.RawMessage
	waiters     int
	flying      bool
	started     chan struct{} // closed when its turn has come, or never will

	// Set before done is closed.
	err      error // why nothing carries it, as far as can be known
	handedOn bool  // it goes on, by a workflow that is not waited for
	done     chan struct{}
}

// maxBegun bounds the memory, to some 10 MB.
const maxBegun = 1 << 16

// New makes an admission. Close must be called.
func New(cfg Config, metrics *Metrics) (*Admission, error) {
	begun, err := lru.New[order.ID, struct{}](maxBegun)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &Admission{
		begun: begun,
		cfg:   cfg, ctx: ctx, stop: stop, metrics: metrics,
		tickets: make(map[order.ID]*entry), customers: make(map[string]int), patient: newPatient(cfg),
	}
	a.flights.Go(func() { a.patient.watch(ctx) })
	metrics.observe(a)
	return a, nil
}

// Ticket is an order's place. Leave must be called when its holder waits no more.
type Ticket struct {
	a     *Admission
	entry *entry
	once  sync.Once
}

// Enter lets an order in: it goes at once if a workflow may start and is worth it, otherwise with the next batch. The same order entered
// again while it is there is one order. Of ctx only the values matter, which the Carrier gets. The error is one of those above.
func (a *Admission) Enter(ctx context.Context, o order.Order) (*Ticket, error) {
	encoded, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	fingerprint := o.Fingerprint()
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.tickets[o.ID]
	if err := a.refusal(e, o, fingerprint); err != nil {
		a.metrics.refused(err)
		return nil, err
	}
	if e == nil {
		e = &entry{
			order: o, origin: ctx, fingerprint: fingerprint, encoded: encoded, started: make(chan struct{}), done: make(chan struct{}),
		}
		a.tickets[o.ID] = e
		a.queue = append(a.queue, e)
	}
	if e.waiters++; e.waiters == 1 && !e.flying {
		a.waiting++
		a.customers[o.CustomerID]++
	}
	a.launch() //nolint:contextcheck // a workflow is waited for whether or not this caller stays
	return &Ticket{a: a, entry: e}, nil
}

// Carries tells whether the order is there, waiting or on its way, or a workflow of it may run that was left behind. It must
// not be told that nothing was started for it.
func (a *Admission) Carries(id order.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tickets[id] != nil || a.begun.Contains(id)
}

// refusal says why an order cannot come in. there is who came under its id before, nil if nobody is there. The lock is held.
func (a *Admission) refusal(there *entry, o order.Order, fingerprint order.Fingerprint) error {
	switch {
	case there != nil && there.fingerprint != fingerprint:
		return ErrKeyReused
	case there != nil:
		return nil
	case a.draining:
		return ErrDraining
	case a.begun.Contains(o.ID): // whom to let in again costs nothing new
		return nil
	case a.waiting >= a.cfg.Queue, a.patient.all() >= a.cfg.Patient:
		return ErrFull
	case a.customers[o.CustomerID] >= a.cfg.CustomerQueue:
		return ErrCustomerFull
	}
	return nil
}

// Started is closed when the order's turn has come, or never will: Done is closed then as well.
func (t *Ticket) Started() <-chan struct{} { return t.entry.started }

// Done is closed when the workflow that carries the order has ended, or is not waited for any more.
func (t *Ticket) Done() <-chan struct{} { return t.entry.done }

// Err says, once Done is closed, why nothing carries the order as far as can be known: it was turned away, or no workflow
// could be started. Nil if one was.
func (t *Ticket) Err() error { return t.entry.err }

// HandedOn tells, once Done is closed, that the order goes on.
func (t *Ticket) HandedOn() bool { return t.entry.handedOn }

// Leave gives the place up. An order that nobody waits for and that has not started costs nothing any more: dropped then
// is true, and nothing was started for it.
func (t *Ticket) Leave() (dropped bool) {
	t.once.Do(func() {
		a, e := t.a, t.entry
		a.mu.Lock()
		defer a.mu.Unlock()
		if e.waiters--; e.waiters == 0 && !e.flying {
			dropped = true
			a.unqueue(e)
			delete(a.tickets, e.order.ID)
			a.compact()
		}
	})
	return dropped
}

// compact drops the entries that everybody has left, once they are most of the queue. The lock is held.
func (a *Admission) compact() {
	const small = 1024
	if len(a.queue) > 2*a.waiting+small {
		a.queue = slices.DeleteFunc(a.queue, func(e *entry) bool { return e.waiters == 0 })
	}
}

// unqueue takes an entry out of the tallies of the queue. The lock is held.
func (a *Admission) unqueue(e *entry) {
	a.waiting--
	if a.customers[e.order.CustomerID]--; a.customers[e.order.CustomerID] == 0 {
		delete(a.customers, e.order.CustomerID)
	}
}

// launch starts workflows for those who wait, as many as may be in flight and are worth it. The lock is held.
func (a *Admission) launch() {
	for a.inFlight < a.cfg.InFlight && a.waiting >= enough(a.young) {
		batch := a.next()
		if len(batch) == 0 {
			return
		}
		a.inFlight++
		a.young++
		a.flights.Go(func() { a.fly(batch) })
	}
}

const (
	// youth is how long a workflow is expected to land soon, so that waiting for it costs less than one more: some times what
	// a batch takes on a system that is well, and less than a person notices.
	youth = 100 * time.Millisecond
	// crew is how many orders more each further workflow has to take with it. A workflow costs as much as some 30 orders in one.
	crew = 16
)

// enough is how many orders make one more workflow worth it beside those that began a moment ago.
func enough(young int) int { return max(1, crew*(young-1)) }

// next takes the next batch out of the queue. The lock is held.
func (a *Admission) next() (batch []*entry) {
	bytes, lines, taken := 0, 0, 0
	for _, e := range a.queue {
		if e.waiters > 0 {
			long := len(e.encoded) > a.cfg.MaxBatchedOrder
			bytes += len(e.encoded)
			lines += len(e.order.Lines)
			beyond := long || bytes > a.cfg.MaxBatchBytes || lines > a.cfg.MaxBatchLines
			if len(batch) == a.cfg.MaxBatch || len(batch) > 0 && beyond {
				break
			}
			batch = append(batch, e)
			e.flying = true
			close(e.started)
			a.unqueue(e)
			if long {
				taken++
				break
			}
		}
		taken++
	}
	clear(a.queue[:taken]) // so that what has gone can be collected
	a.queue = a.queue[taken:]
	return batch
}

// How long a workflow keeps its place. It goes on without.
const (
	// alonePatience is when an order that goes alone has been through its fast phases, so that it is likely to be patient.
	alonePatience = 3 * time.Second
	// batchPatience is beyond all budgets of a batch, after its worker was killed and another took it over.
	batchPatience = 30 * time.Second
)

// fly has a batch carried and waits for the end, and lets the next one go.
func (a *Admission) fly(batch []*entry) {
	a.metrics.batch(len(batch))
	aged := time.AfterFunc(youth, a.age)
	handedOn, err := a.carry(batch)
	var ids []order.ID
	for _, i := range handedOn {
		if i >= 0 && i < len(batch) {
			batch[i].handedOn = true
			ids = append(ids, batch[i].order.ID)
		}
	}
	a.patient.handedOn(ids, time.Now())
	for _, e := range batch {
		if e.handedOn || err != nil {
			a.begun.Add(e.order.ID, struct{}{})
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pace.add(len(batch), time.Now())
	for _, e := range batch {
		delete(a.tickets, e.order.ID)
		e.err = err
		close(e.done)
	}
	a.inFlight--
	if aged.Stop() {
		a.young--
	}
	a.launch()
}

// age lets those who wait go without a workflow that takes longer than most.
func (a *Admission) age() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.young--
	a.launch()
}

// carry returns which orders go on by workflows that are not waited for. The error is that nothing could be started.
func (a *Admission) carry(batch []*entry) (handedOn []int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	var workflow Workflow
	patience := batchPatience
	if len(batch) == 1 {
		patience = alonePatience
		workflow, err = a.cfg.Carrier.StartOne(onBehalf{a.ctx, batch[0].origin}, batch[0].order)
	} else {
		orders, origins := make([]json.RawMessage, len(batch)), make([]context.Context, len(batch))
		for i, e := range batch {
			orders[i], origins[i] = e.encoded, e.origin
		}
		workflow, err = a.cfg.Carrier.StartBatch(a.ctx, orders, origins)
	}
	if err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(a.ctx, patience)
	defer cancel()
	handedOn, err = workflow.Wait(wait)
	if err != nil { // all of them
		for i := range batch {
			handedOn = append(handedOn, i)
		}
	}
	return handedOn, nil
}

// onBehalf ends with the program, and knows what whoever entered the order knew.
type onBehalf struct {
	context.Context //nolint:containedctx // it is one

	origin context.Context //nolint:containedctx // for its values
}

// Value implements context.Context.
func (c onBehalf) Value(key any) any {
	if own := c.Context.Value(key); own != nil { // what ends it above all
		return own
	}
	return c.origin.Value(key)
}

// outage is what RetryAfter says while too many orders are unsettled, in seconds: the end of an outage is not known.
const outage = 10

// RetryAfter is how long the queue of now takes, in whole seconds from 1 to 30.
func (a *Admission) RetryAfter() int {
	if a.patient.all() >= a.cfg.Patient {
		return outage
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pace.seconds(a.waiting, time.Now())
}

// Drain lets no more orders in, and turns those away that have not started. Those in flight go on.
func (a *Admission) Drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.draining = true
	for _, e := range a.queue {
		if e.waiters > 0 {
			a.unqueue(e)
			delete(a.tickets, e.order.ID)
			e.flying = true // nobody takes it out of the queue again
			e.err = ErrDraining
			close(e.started)
			close(e.done)
		}
	}
	a.queue = nil
}

// Close gives up waiting for workflows, which go on without it.
func (a *Admission) Close() {
	a.Drain()
	a.stop()
	a.flights.Wait()
}
