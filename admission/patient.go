package admission

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast/order"
)

// patient knows how many orders are unsettled for longer than usual. An outage of the provider, or of the workers, must not
// become as many open workflows as there are shoppers.
type patient struct {
	cfg Config

	mu      sync.Mutex
	counted int // by the order database, the last time it answered
	// unseen were handed on by this program and are not counted by the order database yet, the oldest first.
	unseen []handedOn
}

type handedOn struct {
	id order.ID
	at time.Time
}

const (
	// usualTime is within which an order has its end on a system that is well, batches under load included. The order
	// database counts what is older.
	usualTime = 5 * time.Second
	// countEvery is how often the order database is asked; countBudget bounds its answer.
	countEvery  = 500 * time.Millisecond
	countBudget = 2 * time.Second
	// forgetAfter is when an order without a row is not expected to get one any more: its workflow was ended by somebody.
	forgetAfter = 10 * time.Minute
)

func newPatient(cfg Config) *patient { return &patient{cfg: cfg} }

// watch counts until the context ends. While the order database does not answer, what is handed on adds up.
func (p *patient) watch(ctx context.Context) {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	for {
		p.recount(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *patient) recount(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, countBudget)
	defer cancel()
	now := time.Now()
	n, err := p.cfg.Books.Unsettled(ctx, now.Add(-usualTime), p.cfg.Patient)
	if err != nil {
		return
	}
	old := p.olderThan(now.Add(-usualTime))
	for chunk := range slices.Chunk(old, p.cfg.MaxBatch) {
		onRecord, err := p.cfg.Books.OnRecord(ctx, chunk)
		if err != nil {
			return
		}
		p.drop(onRecord, now.Add(-forgetAfter))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counted = n
}

// olderThan gives the orders that are unseen although the order database would count them if they had a row.
func (p *patient) olderThan(t time.Time) (ids []order.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.unseen {
		if h.at.After(t) {
			break
		}
		ids = append(ids, h.id)
	}
	return ids
}

// drop takes out the orders that have been seen, and those that are not waited for any more.
func (p *patient) drop(seen []order.ID, before time.Time) {
	is := make(map[order.ID]bool, len(seen))
	for _, id := range seen {
		is[id] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unseen = slices.DeleteFunc(p.unseen, func(h handedOn) bool { return is[h.id] || h.at.Before(before) })
}

func (p *patient) handedOn(ids []order.ID, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.unseen = append(p.unseen, handedOn{id, at})
	}
}

func (p *patient) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counted + len(p.unseen)
}
