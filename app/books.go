package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"holdfast/config"
	"holdfast/metrics"
	"holdfast/order"
	"holdfast/orderdb"
)

// mostOwed bounds how many unsettled orders a scrape reads.
const mostOwed = 10_000

// books reads what the metrics say of the order database, each part by itself: one that is slow hides no other.
func (p *platform) books(ctx context.Context) (books metrics.Books) {
	var parts sync.WaitGroup
	var mu sync.Mutex
	books.Readable = make(map[string]bool)
	read := func(part string, read func() error) {
		parts.Go(func() {
			err := read()
			if err != nil {
				p.log.WarnContext(ctx, "a part of the books is not measured", "part", part, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			books.Readable[part] = err == nil
		})
	}
	read("connection", func() error { return p.orders.Ping(ctx) })
	read("units", func() error {
		totals, err := p.orders.Totals(ctx)
		if err == nil {
			books.Units = &metrics.Units{OnHand: totals.OnHand, Reserved: totals.Reserved}
		}
		return err
	})
	read("attention", func() error {
		n, err := p.orders.CountAttention(ctx)
		if err == nil {
			books.Attention = &n
		}
		return err
	})
	read("owed", func() error {
		owed, err := p.orders.Owed(ctx, mostOwed)
		if err == nil {
			books.Owed = make(map[string]metrics.Owed)
			for _, status := range []order.Status{order.Pending, order.Rejected, order.Cancelled} {
				books.Owed[string(status)] = owing(owed[status])
			}
		}
		return err
	})
	if p.publishes() {
		read("events", func() error {
			orders, receipts, err := p.orders.Untold(ctx, p.cfg.UntoldOrders)
			if err == nil {
				books.Untold = map[string]metrics.Owed{"order": owing(orders), "receipt": owing(receipts)}
			}
			return err
		})
	}
	if p.warehouse != nil {
		read("hand-off", func() error {
			left, err := p.orders.ToHandOff(ctx)
			if err == nil {
				books.HandOff = &metrics.HandOff{Oldest: left.Oldest, Due: p.due(left), Pages: left.Pages, Orders: left.Orders}
			}
			return err
		})
	}
	parts.Wait()
	return books
}

func owing(o orderdb.Owing) metrics.Owed { return metrics.Owed{N: o.Orders, Since: o.Since} }

// due is the earliest cutoff up to which something is not delivered. Orders that are to be handed off by hand are never due.
func (p *platform) due(left orderdb.ToHandOff) time.Time {
	due := left.Cutoff
	if p.cutoffs == nil || left.Changed.IsZero() {
		return due
	}
	if next := p.cutoffs.Next(left.Changed.Add(-time.Nanosecond)); due.IsZero() || next.Before(due) {
		due = next
	}
	return due
}

// cutoffsOf gives nil if orders are handed off by hand.
func cutoffsOf(cfg config.Config) (cron.Schedule, error) {
	if cfg.HandOffCron == config.Off {
		return nil, nil //nolint:nilnil // as it is said
	}
	cutoffs, err := cron.ParseStandard("CRON_TZ=" + cfg.HandOffTimeZone + " " + cfg.HandOffCron)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return cutoffs, nil
}
