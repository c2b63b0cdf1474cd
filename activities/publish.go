package activities

import (
	"context"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"holdfast/order"
)

// Events tells others what has happened.
type Events interface {
	// Publish returns once the events are kept. It may be repeated, which publishes them again. Events of one subject stay in their
	// order. The class of an error is order.Final only if an event can never be published.
	Publish(ctx context.Context, events []order.Event) error
}

// Announcements are what others are still to be told, in the order database. Each call may be repeated.
type Announcements interface {
	// Unannounced gives for each order what others are still to be told of it, in the order of the argument.
	Unannounced(ctx context.Context, keys []order.Key) ([]order.Announcement, error)
	// OldestUnannounced gives orders that were last changed before a time, and for which nothing else is owed, the oldest first.
	OldestUnannounced(ctx context.Context, before time.Time, limit int) ([]order.Announcement, error)
	// UnannouncedOf gives the orders of a page of which others are still to be told.
	UnannouncedOf(ctx context.Context, page order.PageKey) ([]order.Announcement, error)
	// Announce records that others were told, which settles an order. Rows stand in the order of the argument.
	Announce(ctx context.Context, announcements []order.Announcement) ([]order.Row, error)
	// UnannouncedReceipts gives receipts of which others are still to be told, the oldest first.
	UnannouncedReceipts(ctx context.Context, limit int) ([]order.Event, error)
	// AnnounceReceipts records that they were told.
	AnnounceReceipts(ctx context.Context, events []order.Event) error
}

// Publish is the last step of an order: telling others. Until it is done the order is not settled, so that a crash
// before it loses no event.
var Publish = Step[order.Key, order.Row]{"Publish", "Telling others of it, by an event"}

// PublishOwed is the activity that tells others what the orders' own workflows could not. Changing the name breaks running
// workflows.
const PublishOwed = "PublishOwed"

const (
	// owedAfter is the age below which an order is left to its own workflow.
	owedAfter = 5 * time.Second
	// owedAtOnce is how many are published in one call, and owedWhile how long a chunk goes on.
	owedAtOnce = 500
	owedWhile  = 20 * time.Second
)

// Owed is what a chunk of PublishOwed has published.
type Owed struct {
	Orders   int  `json:"orders"`
	Receipts int  `json:"receipts"`
	Done     bool `json:"done"` // nothing was left
}

// Publications are these activities on their ports. Announcements and Metrics are required.
type Publications struct {
	Announcements Announcements
	Events        Events // nil if nobody is told: what was owed from before is then no more
	Metrics       *Metrics

	pagesRest atomic.Pointer[time.Time] // until then pages do not wait for others to be told
}

// Register makes the activities known to a worker.
func (p *Publications) Register(r worker.ActivityRegistry) {
	register(r, p.Metrics, Publish, p.publish)
	r.RegisterActivityWithOptions(p.owed, activity.RegisterOptions{Name: PublishOwed})
}

// publish may be repeated at any point: what was published and not recorded is published again, under the same ids.
func (p *Publications) publish(ctx context.Context, keys []order.Key) []order.Outcome[order.Row] {
	announcements, err := p.Announcements.Unannounced(ctx, keys)
	if err != nil {
		return all[order.Key, order.Row](keys, nil, err)
	}
	rows, err := p.announce(ctx, announcements)
	return all(keys, rows, err)
}

// announce publishes the events of all orders in one call.
func (p *Publications) announce(ctx context.Context, announcements []order.Announcement) ([]order.Row, error) {
	var events []order.Event
	for _, a := range announcements {
		events = append(events, a.Events...)
	}
	if err := p.tell(ctx, events); err != nil {
		return nil, err
	}
	return p.Announcements.Announce(ctx, announcements)
}

func (p *Publications) tell(ctx context.Context, events []order.Event) error {
	if p.Events == nil {
		return nil
	}
	return p.Events.Publish(ctx, events)
}

const (
	// pageBudget is how long a page waits for others to be told.
	pageBudget = 2 * time.Second
	// pagesRest is for how long no page waits after one that waited in vain: a day of two thousand pages would wait for an hour.
	pagesRest = 30 * time.Second
)

// page tells others of the orders of a page. What cannot be told soon is left to PublishOwed.
func (p *Publications) page(ctx context.Context, page order.PageKey) {
	if until := p.pagesRest.Load(); p.Events == nil || until != nil && time.Now().Before(*until) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pageBudget)
	defer cancel()
	announcements, err := p.Announcements.UnannouncedOf(ctx, page)
	if err == nil && len(announcements) > 0 {
		_, err = p.announce(ctx, announcements)
	}
	if err != nil {
		p.pagesRest.Store(new(time.Now().Add(pagesRest)))
	}
}

// owed publishes for a while, and may be repeated as publish is.
func (p *Publications) owed(ctx context.Context) (done Owed, err error) {
	started := time.Now()
	for !done.Done && time.Since(started) < owedWhile && !stopping(ctx) {
		orders, receipts, err := p.someOwed(ctx)
		if err != nil {
			return done, temporalError(order.AsFailure(err))
		}
		done.Orders += orders
		done.Receipts += receipts
		done.Done = orders < owedAtOnce && receipts < owedAtOnce
	}
	return done, nil
}

func (p *Publications) someOwed(ctx context.Context) (orders, receipts int, err error) {
	announcements, err := p.Announcements.OldestUnannounced(ctx, time.Now().Add(-owedAfter), owedAtOnce)
	if err == nil && len(announcements) > 0 {
		_, err = p.announce(ctx, announcements)
	}
	if err != nil {
		return 0, 0, err
	}
	events, err := p.Announcements.UnannouncedReceipts(ctx, owedAtOnce)
	if err == nil && len(events) > 0 {
		if err = p.tell(ctx, events); err == nil {
			err = p.Announcements.AnnounceReceipts(ctx, events)
		}
	}
	return len(announcements), len(events), err
}
