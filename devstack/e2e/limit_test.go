package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
)

// TestADropGivesNobodyMoreThanTheLimit lets every customer try again and again, at once, while a real Redis is wiped in the
// middle and a real MariaDB decides.
func TestADropGivesNobodyMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	server, dsn := testserver.Redis(t), testserver.MariaDBDatabase(t)
	f := open(t, func(cfg *stack.Config) { cfg.Redis, cfg.MySQL = server.Addr(), dsn })
	for _, c := range []struct {
		sku          string
		units, sold  int64
		limit, tries int
	}{
		{"scarce", 60, 60, 2, 5},   // for 50 customers who may have 100
		{"plenty", 300, 100, 2, 5}, // where the limit alone decides
	} {
		if err := f.SetLimitedStock(t.Context(), c.sku, c.units, int64(c.limit)); err != nil {
			t.Fatal(err)
		}
		f.wantDrop(t, server.Addr(), c.sku, c.units, c.sold, c.limit, c.tries)
	}
}

// wantDrop has 50 customers try and compares what each of them got.
func (f shopFront) wantDrop(t *testing.T, redisAddr, sku string, units, sold int64, limit, tries int) {
	t.Helper()
	const customers = 50
	var got [customers]atomic.Int64
	var served, refused atomic.Int64
	var all sync.WaitGroup
	for i := range customers * tries {
		customer := i % customers
		request := shop.Buy(fmt.Sprintf("c-%d", customer), "tok_ok", sku, 1)
		all.Go(func() {
			answer, err := f.PlaceUntilDefinite(t.Context(), fmt.Sprintf("%s-%d", sku, i), request)
			served.Add(1)
			switch {
			case err != nil:
				t.Errorf("order %d: %v", i, err)
			case answer.Status == http.StatusCreated:
				got[customer].Add(1)
			case answer.Status == http.StatusConflict && answer.Problem.Slug() == "limit-exceeded":
				refused.Add(1)
			case answer.Status != http.StatusConflict || answer.Problem.Slug() != "sold-out":
				t.Errorf("order %d: answered %d %+v", i, answer.Status, answer.Problem)
			}
		})
	}
	for deadline := time.Now().Add(time.Minute); served.Load() < int64(customers*tries/4); pause(t.Context(), time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d orders have ended", served.Load())
		}
	}
	rdb := redis.NewClient(&redis.Options{Addr: redisAddr})
	defer func() { _ = rdb.Close() }()
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	all.Wait()
	var sum int64
	for customer := range got {
		sum += got[customer].Load()
	}
	// While Redis knew nothing, orders beyond the limit may have kept the last units from others for a moment.
	for customer := 0; sum < sold && customer < customers; customer++ {
		if f.buy(t, sku+"-late", shop.Buy(fmt.Sprintf("c-%d", customer), "tok_ok", sku, 1)).Status == http.StatusCreated {
			got[customer].Add(1)
			sum++
		}
	}
	for customer := range got {
		n := got[customer].Load()
		if n > int64(limit) {
			t.Errorf("customer %d has %d units of %s", customer, n, sku)
		}
	}
	if sum != sold {
		t.Errorf("%d units of %s are sold, want %d", sum, sku, sold)
	}
	if sold < units && refused.Load() != int64(customers*tries)-sold {
		t.Errorf("%d orders for %s were beyond the limit, want %d", refused.Load(), sku, int64(customers*tries)-sold)
	}
	f.quiet(t)
	f.left(t, sku, units-sold)
}

// TestACancelledOrderGivesTheLimitBack: the customer who has as many as he may buys again once he has cancelled, and
// what the command line says of the limit.
func TestACancelledOrderGivesTheLimitBack(t *testing.T) {
	t.Parallel()
	f := open(t)
	if out, said, code := f.starter(t.Context(), "stock", "set", "print", "10", "--limit-per-customer", "2"); code != 0 {
		t.Fatalf("exit code %d: %s %s", code, out, said)
	}
	bought := f.buy(t, "first", shop.Buy("c-1", "tok_ok", "print", 2))
	if bought.Status != http.StatusCreated {
		t.Fatalf("answered %d %+v", bought.Status, bought.Problem)
	}
	for _, key := range []string{"second", "second"} { // the repeat as well
		answer := f.buy(t, key, shop.Buy("c-1", "tok_ok", "print", 1))
		if answer.Status != http.StatusConflict || answer.Problem.Slug() != "limit-exceeded" || answer.ID() != "" {
			t.Errorf("at the gate: answered %d %+v", answer.Status, answer.Problem)
		}
		f.wantCharges(t, order.NewID("c-1", key), 0)
	}
	if out, said, code := f.starter(t.Context(), "order", "place", "--customer", "c-2", "--currency", "EUR", "--payment-method", "tok_ok",
		"--line", "print:3:1999"); code != 3 {
		t.Errorf("exit code %d: %s %s", code, out, said)
	}
	if declined := f.buy(t, "declined", shop.Buy("c-3", "tok_declined", "print", 2)); declined.Status != http.StatusPaymentRequired {
		t.Errorf("answered %d %+v", declined.Status, declined.Problem)
	}
	if again := f.buy(t, "again", shop.Buy("c-3", "tok_ok", "print", 2)); again.Status != http.StatusCreated {
		t.Errorf("after a declined payment: %d %+v", again.Status, again.Problem)
	}
	if cancelled, err := f.Cancel(t.Context(), bought.ID(), 10*time.Second); err != nil || cancelled.Status != http.StatusOK {
		t.Fatalf("cancelled as %d %+v, %v", cancelled.Status, cancelled.Problem, err)
	}
	if again := f.buy(t, "third", shop.Buy("c-1", "tok_ok", "print", 2)); again.Status != http.StatusCreated {
		t.Errorf("after the cancellation: %d %+v", again.Status, again.Problem)
	}
	f.quiet(t)
	f.left(t, "print", 6)
}
