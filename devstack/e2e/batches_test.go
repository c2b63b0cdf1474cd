package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
)

// crowd is many shoppers at once, each of whom repeats until he knows how his order ended.
type crowd struct {
	methods []string // in turn
	ends    []shop.Answer
	served  atomic.Int64
	all     sync.WaitGroup
}

// letCrowdIn has so many shoppers buy one unit each. SKUs are taken in turn.
func (f shopFront) letCrowdIn(t *testing.T, shoppers int, skus []string, methods ...string) *crowd {
	t.Helper()
	c := &crowd{methods: methods, ends: make([]shop.Answer, shoppers)}
	for i := range shoppers {
		request := shop.Buy(fmt.Sprintf("c-%d", i), methods[i%len(methods)], skus[i%len(skus)], 1)
		c.all.Go(func() {
			answer, err := f.PlaceUntilDefinite(t.Context(), "k", request)
			if err != nil {
				t.Errorf("shopper %d: %v", i, err)
			}
			c.ends[i] = answer
			c.served.Add(1)
		})
	}
	return c
}

// servedUntil waits until so many know how their orders ended.
func (c *crowd) servedUntil(t *testing.T, n int64) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); c.served.Load() < n; pause(t.Context(), time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d shoppers were served", c.served.Load())
		}
	}
}

// check compares how each order ended with its payment method, and with the provider's ledger: one net charge for each that
// is confirmed, none for any other, and none that was taken twice. It returns how many are confirmed.
func (c *crowd) check(t *testing.T, f shopFront) (confirmed int64) {
	t.Helper()
	c.all.Wait()
	f.quiet(t)
	entries, err := f.Ledger(t.Context(), f.GatewayURL())
	if err != nil {
		t.Fatal(err)
	}
	charges, reversals := make(map[order.ID]int), make(map[order.ID]int)
	for _, e := range entries {
		if e.Kind == "charge" {
			charges[e.Reference]++
		} else {
			reversals[e.Reference]++
		}
	}
	for i, answer := range c.ends {
		method := c.methods[i%len(c.methods)]
		want := http.StatusCreated
		if strings.HasSuffix(method, "declined") {
			want = http.StatusPaymentRequired
		}
		net := 0
		if answer.Status == http.StatusCreated {
			confirmed++
			net = 1
		}
		soldOut := answer.Status == http.StatusConflict && answer.Problem.Slug() == "sold-out"
		if answer.Status != want && !soldOut {
			t.Errorf("shopper %d, who paid with %s, was answered %d %+v", i, method, answer.Status, answer.Problem)
		}
		if id := answer.ID(); charges[id] > 1 || charges[id]-reversals[id] != net {
			t.Errorf("shopper %d: %d charges and %d reversals, answered %d", i, charges[id], reversals[id], answer.Status)
		}
	}
	return confirmed
}

// batches gives how many orders went with others, by the metrics of the api.
func (f shopFront) batches(t *testing.T) (orders, workflows int) {
	t.Helper()
	for line := range strings.Lines(scrape(t, f.API+"/metrics")) {
		_, _ = fmt.Sscanf(line, "holdfast_admission_batch_size_sum %d", &orders)
		_, _ = fmt.Sscanf(line, "holdfast_admission_batch_size_count %d", &workflows)
	}
	return orders, workflows
}

// TestACrowdGoesTogether: every payment method in the same batches, where one that hangs, is pending or declined leaves its
// neighbours alone.
func TestACrowdGoesTogether(t *testing.T) {
	t.Parallel()
	const shoppers, units = 700, 400
	f := open(t)
	f.sell(t, "mug", units)
	f.sell(t, "hat", units)
	c := f.letCrowdIn(t, shoppers, []string{"mug", "hat"},
		"tok_ok", "tok_ok", "tok_ok", "tok_lost", "tok_declined", "tok_error", "tok_async", "tok_async_declined", "tok_slow")
	confirmed := c.check(t, f)
	orders, workflows := f.batches(t)
	if orders < shoppers || workflows > orders/2 {
		t.Errorf("%d orders went as %d workflows", orders, workflows)
	}
	t.Logf("%d orders went as %d workflows, %d are confirmed", orders, workflows, confirmed)
	mug, err := f.Stock(t.Context(), "mug")
	if err != nil {
		t.Fatal(err)
	}
	f.left(t, "hat", 2*units-confirmed-mug.OnHand)
}

// TestTheLastUnitsOfACrowdAreSoldOnce: more shoppers than units, in batches.
func TestTheLastUnitsOfACrowdAreSoldOnce(t *testing.T) {
	t.Parallel()
	const shoppers, units = 600, 100
	f := open(t)
	f.sell(t, "mug", units)
	if confirmed := f.letCrowdIn(t, shoppers, []string{"mug"}, "tok_ok").check(t, f); confirmed != units {
		t.Errorf("%d are confirmed, of %d units", confirmed, units)
	}
	f.left(t, "mug", 0)
}

// TestAWorkerKilledInTheMiddleOfBatchesLosesNothing: on real servers, with kill -9, three times under load.
func TestAWorkerKilledInTheMiddleOfBatchesLosesNothing(t *testing.T) {
	t.Parallel()
	const shoppers, units = 1500, 2000
	redisServer, database := testserver.Redis(t), testserver.MariaDB(t)
	f := openFloor(t, func(cfg *stack.Config) { cfg.Redis, cfg.MySQL = redisServer.Addr(), database.DSN })
	worker := f.hire(t)
	f.sell(t, "mug", units)
	c := f.letCrowdIn(t, shoppers, []string{"mug"}, "tok_ok", "tok_ok", "tok_ok", "tok_declined")
	for kill := range 3 {
		c.servedUntil(t, int64(kill+1)*150)
		worker.Kill()
		worker = f.hire(t)
	}
	confirmed := c.check(t, f.shopFront)
	orders, workflows := f.batches(t)
	t.Logf("%d orders went as %d workflows, %d are confirmed", orders, workflows, confirmed)
	f.left(t, "mug", units-confirmed)
}

// TestAnOutageOfTheProviderUnderLoad neither fills Temporal with workflows nor loses an order: beyond a bound, shoppers are
// told that nothing was started.
func TestAnOutageOfTheProviderUnderLoad(t *testing.T) {
	t.Parallel()
	const shoppers, units, patient = 2500, 3000, 200
	f := open(t, func(cfg *stack.Config) {
		cfg.Settings = map[string]string{"HOLDFAST_PATIENT_ORDERS": fmt.Sprint(patient)}
	})
	f.sell(t, "mug", units)
	if err := f.Ail(t.Context(), f.GatewayURL(), shop.Fault{Mode: "down", Seconds: 3600}); err != nil {
		t.Fatal(err)
	}
	c := f.letCrowdIn(t, shoppers, []string{"mug"}, "tok_ok")
	temporal := f.temporal(t)
	var most int64
	for end := time.Now().Add(outage); time.Now().Before(end); pause(t.Context(), 500*time.Millisecond) {
		count, err := temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: stack.Namespace, Query: "ExecutionStatus = 'Running'",
		})
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, count.GetCount())
	}
	if c.served.Load() != 0 {
		t.Errorf("%d orders ended without a provider", c.served.Load())
	}
	// The bound is looked at twice a second, and what is in flight by then is carried on.
	t.Logf("at most %d workflows ran", most)
	if most == 0 || most > shoppers-patient {
		t.Errorf("%d workflows ran at once for %d shoppers, with %d allowed to be patient", most, shoppers, patient)
	}
	f.recover(t)
	confirmed := c.check(t, f)
	if confirmed != shoppers {
		t.Errorf("%d of %d are confirmed", confirmed, shoppers)
	}
	f.left(t, "mug", units-shoppers)
}
