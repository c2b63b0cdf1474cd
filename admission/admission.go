// Package admission lets orders in: it decides whether an order goes at once as a workflow of its own or waits for the next
// batch, and turns orders away before they cost anything when more come than can be carried. Only app and the API's handlers
// import it; it imports nothing of ours but order.
package admission

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"holdfast/order"
)

// Errors of an order that is turned away. Nothing was started.
var (
	// ErrFull: as many orders wait as may, or as many are unsettled.
	ErrFull = errors.New("too many orders are waiting")
	// ErrCustomerFull: as many orders of this customer wait as may.
	ErrCustomerFull = errors.New("too many orders of this customer are waiting")
	// ErrDraining: the program is stopping.
	ErrDraining = errors.New("the program is stopping")
)

// Carrier has orders carried by workflows.
type Carrier interface {
	// CarryOne starts the order's own workflow and returns when that has ended, however it did. The error is that it
	// could not be started, as far as can be known.
	CarryOne(ctx context.Context, o order.Order) error
	// CarryBatch does the same with one workflow for all of them. Each order is given with its encoding. handedOn are
	// those that go on by workflows of their own.
	CarryBatch(ctx context.Context, orders []json.RawMessage) (handedOn int, err error)
}

// Unsettled counts the orders for which something is owed beyond the time that this usually takes, at most limit.
type Unsettled func(ctx context.Context, limit int) (int, error)

// Limits bound the orders that wait and that are carried at once, in one program. All are at least 1.
type Limits struct {
	// InFlight is how many workflows are carried at once before orders gather.
	InFlight int
	// Queue is how many orders may wait, CustomerQueue how many of one customer.
	Queue, CustomerQueue int
	// Patient is how many orders may be unsettled before no more are let in.
	Patient int
}

// Config says how orders are carried. All fields are required.
type Config struct {
	Limits

	Carrier   Carrier
	Unsettled Unsettled
	// MaxBatch and MaxBatchBytes bound a batch, MaxBatchedOrder the bytes of an order in it: a longer one goes alone.
	MaxBatch, MaxBatchBytes, MaxBatchedOrder int
}

// Admission lets orders in. It may be used from many goroutines.
type Admission struct {
	cfg     Config
	ctx     context.Context //nolint:containedctx // ends what was started with nobody waiting any more
	stop    context.CancelFunc
	metrics *Metrics
	flights sync.WaitGroup
	patient *patient

	mu        sync.Mutex
	tickets   map[ticketKey]*entry // queued and in flight
	queue     []*entry             // oldest first; entries that everybody has left are skipped
	waiting   int                  // entries in the queue that somebody waits for
	customers map[string]int       // of these, by customer
	inFlight  int
	draining  bool
	pace      pace
}

// ticketKey is an order with its contents: the same id with others is another request.
type ticketKey struct {
	id          order.ID
	fingerprint order.Fingerprint
}

// entry is an order between its arrival and the end of the workflow that carries it.
type entry struct {
	key     ticketKey
	order   order.Order
	encoded json.RawMessage
	waiters int
	flying  bool
	done    chan struct{} // closed when the workflow has ended, or could not be started
	err     error         // why it could not be started; set before done is closed
}

// New makes an admission. Close must be called.
func New(cfg Config, metrics *Metrics) *Admission {
	ctx, stop := context.WithCancel(context.Background())
	a := &Admission{
		cfg: cfg, ctx: ctx, stop: stop, metrics: metrics,
		tickets: make(map[ticketKey]*entry), customers: make(map[string]int), patient: newPatient(cfg),
	}
	a.flights.Go(func() { a.patient.watch(ctx) })
	metrics.observe(a)
	return a
}

// Ticket is an order's place. Leave must be called when its holder waits no more.
type Ticket struct {
	a     *Admission
	entry *entry
	once  sync.Once
}

// Enter lets an order in: it goes at once if a workflow may start, otherwise with the next batch. The same order entered
// again while it is there is one order. The error is one of those above.
func (a *Admission) Enter(o order.Order) (*Ticket, error) {
	encoded, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	key := ticketKey{o.ID, o.Fingerprint()}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.tickets[key]
	if e == nil {
		if err := a.refusal(o); err != nil {
			a.metrics.refused(err)
			return nil, err
		}
		e = &entry{key: key, order: o, encoded: encoded, done: make(chan struct{})}
		a.tickets[key] = e
		a.queue = append(a.queue, e)
	}
	if e.waiters++; e.waiters == 1 && !e.flying {
		a.waiting++
		a.customers[o.CustomerID]++
	}
	a.launch()
	return &Ticket{a: a, entry: e}, nil
}

// refusal says why an order that is not there yet cannot come in. The lock is held.
func (a *Admission) refusal(o order.Order) error {
	switch {
	case a.draining:
		return ErrDraining
	case a.waiting >= a.cfg.Queue, a.patient.count() >= a.cfg.Patient:
		return ErrFull
	case a.customers[o.CustomerID] >= a.cfg.CustomerQueue:
		return ErrCustomerFull
	}
	return nil
}

// Done is closed when the workflow that carried the order has ended.
func (t *Ticket) Done() <-chan struct{} { return t.entry.done }

// Err says, once Done is closed, why no workflow could be started as far as can be known; nil if one was.
func (t *Ticket) Err() error { return t.entry.err }

// Leave gives the place up. An order that nobody waits for and that has not started costs nothing any more.
func (t *Ticket) Leave() {
	t.once.Do(func() {
		a, e := t.a, t.entry
		a.mu.Lock()
		defer a.mu.Unlock()
		if e.waiters--; e.waiters == 0 && !e.flying {
			a.unqueue(e)
			delete(a.tickets, e.key)
			a.compact()
		}
	})
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

// launch starts workflows for those who wait, as many as may be in flight. The lock is held.
func (a *Admission) launch() {
	for a.inFlight < a.cfg.InFlight {
		batch := a.next()
		if len(batch) == 0 {
			return
		}
		a.inFlight++
		a.flights.Go(func() { a.fly(batch) })
	}
}

// next takes the next batch out of the queue. The lock is held.
func (a *Admission) next() (batch []*entry) {
	bytes, taken := 0, 0
	for _, e := range a.queue {
		if e.waiters > 0 {
			long := len(e.encoded) > a.cfg.MaxBatchedOrder
			if len(batch) == a.cfg.MaxBatch || len(batch) > 0 && (long || bytes+len(e.encoded) > a.cfg.MaxBatchBytes) {
				break
			}
			batch = append(batch, e)
			bytes += len(e.encoded)
			e.flying = true
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

// fly carries a batch to the end of its workflow, and lets the next one go.
func (a *Admission) fly(batch []*entry) {
	land := sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.inFlight--
		a.launch()
	})
	defer land()
	a.metrics.batch(len(batch))
	var err error
	if len(batch) == 1 {
		err = a.flyAlone(batch[0], land)
	} else {
		err = a.flyTogether(batch)
	}
	a.mu.Lock()
	a.pace.add(len(batch), time.Now())
	for _, e := range batch {
		delete(a.tickets, e.key)
	}
	a.mu.Unlock()
	for _, e := range batch {
		e.err = err
		close(e.done)
	}
}

// patientAfter is when an order that goes alone has been through its fast phases, so that it is likely to be patient.
const patientAfter = 3 * time.Second

// flyAlone carries one order. In its patient phase it takes nobody's place.
func (a *Admission) flyAlone(e *entry, land func()) error {
	waits := time.AfterFunc(patientAfter, func() {
		a.patient.add(1)
		land()
	})
	err := a.cfg.Carrier.CarryOne(a.ctx, e.order)
	if !waits.Stop() {
		a.patient.add(-1)
	}
	return err
}

func (a *Admission) flyTogether(batch []*entry) error {
	orders := make([]json.RawMessage, len(batch))
	for i, e := range batch {
		orders[i] = e.encoded
	}
	handedOn, err := a.cfg.Carrier.CarryBatch(a.ctx, orders)
	a.patient.handedOn(handedOn)
	return err
}

// RetryAfter is how long the queue of now takes, in whole seconds from 1 to 30.
func (a *Admission) RetryAfter() int {
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
			delete(a.tickets, e.key)
			e.flying = true // nobody takes it out of the queue again
			e.err = ErrDraining
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
