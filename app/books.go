package app

import (
	"context"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"holdfast/config"
	"holdfast/metrics"
	"holdfast/order"
	"holdfast/orderdb"
)

// mostOwed bounds how many unsettled orders a scrape reads.
const mostOwed = 10_000

// books reads what the metrics say of the order database.
func (p *platform) books(ctx context.Context) (metrics.Books, error) {
	totals, err := p.orders.Totals(ctx)
	if err != nil {
		return metrics.Books{}, err
	}
	books := metrics.Books{OnHand: totals.OnHand, Reserved: totals.Reserved, Owed: make(map[string]metrics.Owed)}
	if books.Attention, err = p.orders.CountAttention(ctx); err != nil {
		return books, err
	}
	owed, err := p.orders.Owed(ctx, mostOwed)
	if err != nil {
		return books, err
	}
	for _, status := range []order.Status{order.Pending, order.Rejected, order.Cancelled} {
		books.Owed[string(status)] = owing(owed[status])
	}
	if p.publishes() {
		orders, receipts, err := p.orders.Untold(ctx, p.cfg.UntoldOrders)
		if err != nil {
			return books, err
		}
		books.Untold = map[string]metrics.Owed{"order": owing(orders), "receipt": owing(receipts)}
	}
	if p.warehouse != nil {
		left, err := p.orders.ToHandOff(ctx)
		if err != nil {
			return books, err
		}
		books.HandOff = &metrics.HandOff{Oldest: left.Oldest, Due: p.due(left), Pages: left.Pages, Orders: left.Orders}
	}
	return books, nil
}

func owing(o orderdb.Owing) metrics.Owed { return metrics.Owed{N: o.Orders, Since: o.Since} }

// due is the earliest cutoff up to which something is not delivered. Orders that are to be handed off by hand are never due.
func (p *platform) due(left orderdb.ToHandOff) time.Time {
	due := left.Cutoff
	if p.cutoffs == nil || left.Oldest.IsZero() {
		return due
	}
	if next := p.cutoffs.Next(left.Oldest.Add(-time.Nanosecond)); due.IsZero() || next.Before(due) {
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
