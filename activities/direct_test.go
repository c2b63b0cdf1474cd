package activities_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/activities"
	"holdfast/order"
)

// crowded is an order database that shows how many are in it, and lets them out one by one.
type crowded struct {
	*ledger
	entered chan struct{}
	goOn    chan struct{}
}

func (c *crowded) Open(context.Context, []order.Opening) ([]order.Row, error) {
	c.entered <- struct{}{}
	<-c.goOn
	return []order.Row{{Status: order.Rejected, Settled: true, Changed: true}}, nil
}

type panicking struct{ *ledger }

func (panicking) Open(context.Context, []order.Opening) ([]order.Row, error) { panic("a bug") }

func TestAPanicLeavesTheDatabaseToTheNext(t *testing.T) {
	t.Parallel()
	direct := activities.NewDirectOpens(1)
	steps := &activities.Activities{
		Stock: &ledger{}, Orders: panicking{}, Payments: &ledger{}, Metrics: activities.NewMetrics(prometheus.NewRegistry()),
		KeyMemory: time.Hour, DirectOpens: direct,
	}
	opening := order.Opening{Order: newOrder(t, "k", "tok", 5), Reservation: order.Reservation{Verdict: order.Unreserved}}
	_, _ = runOn(t, steps, activities.Open, true, opening)
	if len(direct) != 0 {
		t.Error("the slot is still taken")
	}
}

// While Redis is away a crowd meets the order database: no more than the limit are in it at once, and each gets
// its turn. Orders that are reserved do not wait behind them.
func TestOrdersWithoutRedisEnterTheDatabaseInTurn(t *testing.T) {
	t.Parallel()
	const crowd, limit = 8, 2
	c := &crowded{ledger: &ledger{}, entered: make(chan struct{}, crowd+1), goOn: make(chan struct{})}
	steps := &activities.Activities{
		Stock: c, Orders: c, Payments: c, Metrics: activities.NewMetrics(prometheus.NewRegistry()),
		KeyMemory: time.Hour, DirectOpens: activities.NewDirectOpens(limit),
	}
	var all sync.WaitGroup
	open := func(verdict order.Verdict) {
		opening := order.Opening{Order: newOrder(t, "k", "tok", 5), Reservation: order.Reservation{Verdict: verdict}}
		all.Go(func() {
			if _, err := runOn(t, steps, activities.Open, true, opening); err != nil {
				t.Error(err)
			}
		})
	}
	for range crowd {
		open(order.Unreserved)
	}
	for range limit {
		<-c.entered
	}
	open(order.Reserved)
	<-c.entered
	if n := len(c.entered); n != 0 {
		t.Errorf("%d more are in the database, want %d", n, limit)
	}
	for range crowd + 1 {
		c.goOn <- struct{}{}
	}
	all.Wait()
}
