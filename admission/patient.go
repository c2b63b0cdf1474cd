package admission

import (
	"context"
	"sync/atomic"
	"time"
)

// patient knows how many orders are unsettled for longer than usual. An outage of the provider must not become as many open
// workflows as there are shoppers.
type patient struct {
	cfg     Config
	counted atomic.Int64 // by the order database, the last time it answered
	since   atomic.Int64 // that were handed on by this program since then
	alone   atomic.Int64 // that go alone and are patient, and which may have no row
}

func newPatient(cfg Config) *patient { return &patient{cfg: cfg} }

// countEvery is how often the order database is asked; countBudget bounds its answer.
const (
	countEvery  = 500 * time.Millisecond
	countBudget = 2 * time.Second
)

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
	before := p.since.Load()
	n, err := p.cfg.Unsettled(ctx, p.cfg.Patient)
	if err != nil {
		return
	}
	p.counted.Store(int64(n))
	p.since.Add(-before)
}

func (p *patient) handedOn(n int) { p.since.Add(int64(n)) }

func (p *patient) add(n int64) { p.alone.Add(n) }

func (p *patient) count() int {
	// An order that goes alone may be counted by the database as well.
	return int(max(p.counted.Load(), p.alone.Load()) + p.since.Load())
}
