package admission

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/order"
)

// patient knows how many orders are unsettled for longer than usual. An outage of the provider, or of the workers, must not
// become as many open workflows as there are shoppers.
type patient struct {
	cfg Config

	rests time.Time // until then the order database does not count; watch's own

	mu      sync.Mutex
	counted int // by the order database, the last time it answered
	// unseen were handed on by this program, and when; the order database does not count them yet.
	unseen map[order.ID]time.Time
}

const (
	// usualTime is within which an order has its end on a system that is well, batches under load included. The order
	// database counts what is older.
	usualTime = 5 * time.Second
	// countEvery is how often the order database is asked, countBudget bounds its answer, and after a slow one it has this many times as long
	// a rest.
	countEvery  = 500 * time.Millisecond
	countBudget = 2 * time.Second
	restAfter   = 2
	// forgetAfter is when an order without a row is not expected to get one any more: its workflow was ended by somebody.
	forgetAfter = 10 * time.Minute
)

func newPatient(cfg Config) *patient { return &patient{cfg: cfg, unseen: make(map[order.ID]time.Time)} }

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
	now := time.Now()
	counted := p.count(ctx, now)
	ctx, cancel := context.WithTimeout(ctx, countBudget)
	defer cancel()
	for chunk := range slices.Chunk(p.ids(), p.cfg.MaxBatch) {
		settled, err := p.cfg.Books.OnRecord(ctx, chunk)
		if err != nil {
			return
		}
		p.drop(settled, now, counted)
	}
}

// count asks the order database how many orders are unsettled, unless it rests from that, and tells whether it answered.
func (p *patient) count(ctx context.Context, now time.Time) bool {
	if now.Before(p.rests) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, countBudget)
	defer cancel()
	n, err := p.cfg.Books.Unsettled(ctx, now.Add(-usualTime), p.cfg.Patient)
	p.rests = time.Now().Add(restAfter * time.Since(now))
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counted = n
	return true
}

func (p *patient) ids() []order.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.unseen))
}

// drop takes out what is settled, or counted by the order database if it could count, and what is not expected there any more.
func (p *patient) drop(settled map[order.ID]bool, now time.Time, counted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.unseen, func(id order.ID, at time.Time) bool {
		isSettled, onRecord := settled[id]
		age := now.Sub(at)
		return isSettled || onRecord && counted && age >= usualTime || !onRecord && age >= forgetAfter
	})
}

func (p *patient) handedOn(ids []order.ID, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.unseen[id] = at
	}
}

func (p *patient) all() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counted + len(p.unseen)
}
