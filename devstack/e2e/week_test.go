package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/devstack/program"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/workflows"
)

// weekVariable is how many orders TestAWeek places, for a week that takes minutes.
const weekVariable = "HOLDFAST_E2E_WEEK_ORDERS"

// week is a shop's week on a real database, with somebody who hears of each event.
type week struct {
	*shopFloor

	hears  *consumer
	worker *program.Program
	placed int

	mu    sync.Mutex
	ends  map[order.ID][]order.Status // what others have to be told
	there []order.ID                  // what the warehouse has to have
}

// TestAWeek: seven days of orders that are sold, declined and cancelled; at the end of each they are handed off, by two hand-offs at
// once, and old ones are purged, with a worker killed in the middle of both. Each order is in the warehouse exactly once or rightly not, who
// hears of the events knows how each has ended, and the audit holds before and after each purge.
func TestAWeek(t *testing.T) {
	t.Parallel()
	const days = 7
	orders := number(t, weekVariable, 100*days)
	k := openKafka(t)
	w := &week{ends: make(map[order.ID][]order.Status), hears: listen(t, k)}
	w.shopFloor = openFloor(t, withKafka(k, map[string]string{
		"HOLDFAST_RETENTION": "1s", "HOLDFAST_PURGE_EVERY": "24h", "HOLDFAST_HANDOFF_PAGE": strconv.Itoa(max(5, orders/days/40)),
	}), func(cfg *stack.Config) {
		cfg.MySQL, cfg.Redis = testserver.MariaDBDatabase(t), testserver.Redis(t).Addr()
	})
	w.worker = w.hire(t)
	w.sell(t, "mug", int64(orders))
	for day := range days {
		began := time.Now()
		w.sellADay(t, orders/days)
		placed := time.Since(began)
		w.endDay(t)
		t.Logf("day %d: %d orders in %s; handed off, purged and audited in %s", day+1, orders/days, placed.Round(time.Millisecond),
			(time.Since(began) - placed).Round(time.Millisecond))
	}
	w.wantArrived(t, w.there)
	w.hears.wantKnows(t, w.ends)
	w.left(t, "mug", int64(orders-len(w.there)))
	t.Logf("%d orders, %d in the warehouse; %d events came more than once", w.placed, len(w.there), w.hears.repeats)
}

// number reads a variable of the environment that makes a test larger.
func number(t *testing.T, variable string, normally int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return normally
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// sellADay places orders. One in twenty is declined, and as many are cancelled.
func (w *week) sellADay(t *testing.T, n int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(300)
	for i := range n {
		key := fmt.Sprint("week-", w.placed+i)
		group.Go(func() error { return w.buyOne(ctx, key, i%20) })
	}
	w.placed += n
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (w *week) buyOne(ctx context.Context, key string, fate int) error {
	method, status, ends := "tok_ok", http.StatusCreated, []order.Status{order.Confirmed, order.HandedOff}
	if fate == 0 {
		method, status, ends = "tok_declined", http.StatusPaymentRequired, []order.Status{order.Rejected}
	}
	answer, err := w.PlaceUntilDefinite(ctx, key, shop.Buy("c-"+key, method, "mug", 1))
	if err != nil {
		return err
	}
	if answer.Status != status {
		return fmt.Errorf("%s was answered %d %+v", key, answer.Status, answer.Problem)
	}
	if fate == 1 {
		if err := w.cancelOne(ctx, answer.ID()); err != nil {
			return err
		}
		ends = []order.Status{order.Confirmed, order.Cancelled}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[answer.ID()] = ends
	if ends[len(ends)-1] == order.HandedOff {
		w.there = append(w.there, answer.ID())
	}
	return nil
}

// cancelOne cancels until that is answered for good: on a busy machine it may take longer than anybody waits for one answer.
func (w *week) cancelOne(ctx context.Context, id order.ID) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		answer, err := w.Cancel(ctx, id, 10*time.Second)
		switch {
		case err == nil && answer.Status == http.StatusOK && answer.Order.Status == order.Cancelled:
			return nil
		case err != nil || answer.Status != http.StatusAccepted:
			return fmt.Errorf("cancelling %s was answered %d %+v, %w", id, answer.Status, answer.Problem, err)
		}
	}
}

func (w *week) endDay(t *testing.T) {
	t.Helper()
	temporal := w.temporal(t)
	arrived, err := w.Arrivals(t.Context(), w.WarehouseURL())
	if err != nil {
		t.Fatal(err)
	}
	started := make([]string, 2)
	for i := range started {
		run, err := temporal.ExecuteWorkflow(t.Context(), workflows.HandOffOptions(false, time.Now(), "holdfast"), workflows.HandOffName, workflows.HandOffInput{})
		if err != nil {
			t.Fatal(err)
		}
		started[i] = run.GetID()
		if i == 0 {
			w.untilArrived(t, len(arrived)+(len(w.there)-len(arrived))/3)
		}
	}
	w.replaceWorker(t)
	for _, id := range started {
		if err := temporal.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	w.quietWithin(t, 3*time.Minute)
	w.purgeKilled(t)
	w.quietWithin(t, 3*time.Minute)
}

// purgeKilled purges what is older than a second, and kills the worker meanwhile.
func (w *week) purgeKilled(t *testing.T) {
	t.Helper()
	temporal := w.temporal(t)
	var group errgroup.Group
	group.Go(func() error { return purge(t.Context(), temporal) })
	pause(t.Context(), 200*time.Millisecond)
	w.replaceWorker(t)
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (w *week) replaceWorker(t *testing.T) {
	t.Helper()
	w.worker.Kill()
	w.worker = w.hire(t)
}
