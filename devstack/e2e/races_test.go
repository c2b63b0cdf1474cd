package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	sdk "go.temporal.io/sdk/temporal"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/order"
	"holdfast/workflows"
)

// cancelUntilSettled cancels an order, and again until nothing is owed for it any more.
func (f shopFront) cancelUntilSettled(t *testing.T, id order.ID) shop.Answer {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		answer, err := f.Cancel(t.Context(), id, 5*time.Second)
		if err == nil && answer.Status != http.StatusAccepted && answer.Status != http.StatusServiceUnavailable {
			return answer
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cancellation of %s was answered %d %+v, %v", id, answer.Status, answer.Problem, err)
		}
	}
}

// TestAWorkerThatWakesAfterTheCancellationChargesNothing: it is stopped with SIGSTOP after it has opened the order and before
// it has charged, and woken when another worker has cancelled and settled it.
func TestAWorkerThatWakesAfterTheCancellationChargesNothing(t *testing.T) {
	t.Parallel()
	f := openFloor(t)
	const units, most = 1000, 60
	f.sell(t, "mug", units)
	stopped := f.hire(t)
	var caught []order.ID
	for i := 0; i < most && len(caught) < 2; i++ {
		key := fmt.Sprintf("k-%d", i)
		id := order.NewID("ada", key)
		go func() { _, _ = f.Place(t.Context(), key, shop.Buy("ada", "tok_ok", "mug", 1), 0) }()
		for deadline := time.Now().Add(20 * time.Second); ; {
			if _, err := f.Get(t.Context(), id); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the order is never on record")
			}
		}
		if err := stopped.Pause(); err != nil {
			t.Fatal(err)
		}
		if o, err := f.Get(t.Context(), id); err != nil || o.Status != order.Pending {
			resume(t, stopped.Resume)
			continue // it was too fast
		}
		if charges, _ := f.charges(t, id); charges > 0 {
			resume(t, stopped.Resume)
			continue
		}
		caught = append(caught, id)
		other := f.hire(t)
		if answer := f.cancelUntilSettled(t, id); answer.Status != http.StatusOK {
			t.Errorf("the cancellation was answered %d %+v", answer.Status, answer.Problem)
		}
		resume(t, stopped.Resume)
		f.quiet(t)
		if err := other.Stop(); err != nil {
			t.Error(err)
		}
	}
	if len(caught) == 0 {
		t.Fatalf("the worker could not be stopped in the middle of any of %d orders", most)
	}
	// Until whatever it had begun has ended: its charge is answered, or its try is over.
	f.quietFor(t, 20*time.Second, caught)
	for _, id := range caught {
		o, err := f.Get(t.Context(), id)
		if err != nil || o.Status != order.Cancelled || !o.Settled {
			t.Errorf("ended as %+v, %v", o, err)
		}
		f.wantCharges(t, id, 0)
	}
	f.quiet(t)
}

// TestAWorkerThatSleepsWhileItChargesTakesNoMoney: it is stopped with SIGSTOP while its charge is on its way, or the answer to
// that, which arrive when another worker has cancelled and settled the order. Then it wakes.
func TestAWorkerThatSleepsWhileItChargesTakesNoMoney(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		acted   bool
		charges int // while it sleeps, and reversed in the end
	}{{"its charge arrives late", false, 0}, {"it hears late of its charge", true, 1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := openFloor(t)
			f.sell(t, "mug", 10)
			g := closeGate(t, f.GatewayURL(), c.acted)
			behind := "HOLDFAST_PAYMENT_URL=" + g.url // the other one too, which may have to carry the order as well
			sleeper := f.hire(t, behind)
			id := order.NewID("ada", "k")
			if err := f.placeOnce(t.Context(), "k", shop.Buy("ada", "tok_ok", "mug", 3)); err != nil {
				t.Fatal(err)
			}
			g.untilCharging(t)
			if err := sleeper.Pause(); err != nil {
				t.Fatal(err)
			}
			f.wantCharges(t, id, c.charges)
			f.hire(t, behind)
			if answer := f.cancelUntilSettled(t, id); answer.Status != http.StatusOK {
				t.Errorf("the cancellation was answered %d %+v", answer.Status, answer.Problem)
			}
			f.wantCharges(t, id, 0)
			g.open(t)
			f.wantCharges(t, id, 0)
			resume(t, sleeper.Resume)
			f.untilCarriedByNobody(t, id)
			if err := sleeper.Stop(); err != nil { // once it has done what it was at
				t.Error(err)
			}
			f.quiet(t)
			if o, err := f.Get(t.Context(), id); err != nil || o.Status != order.Cancelled || !o.Settled {
				t.Errorf("ended as %+v, %v", o, err)
			}
			if charges, reversals := f.charges(t, id); charges != c.charges || reversals != c.charges {
				t.Errorf("the ledger has %d charges and %d reversals, want %d of each", charges, reversals, c.charges)
			}
			f.left(t, "mug", 10)
		})
	}
}

// untilCarriedByNobody waits until the workflows that placed and cancelled the order have ended, by themselves or since they were
// asked to.
func (f shopFront) untilCarriedByNobody(t *testing.T, id order.ID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	temporal := f.temporal(t)
	for _, workflowID := range workflows.WorkflowIDs(id) {
		if err := temporal.GetWorkflow(ctx, workflowID, "").Get(ctx, nil); err != nil && !sdk.IsCanceledError(err) {
			t.Fatalf("%s: %v", workflowID, err)
		}
	}
}

func resume(t *testing.T, wake func() error) {
	t.Helper()
	if err := wake(); err != nil {
		t.Fatal(err)
	}
}

// quietFor watches for a while that no money is taken for the orders.
func (f shopFront) quietFor(t *testing.T, d time.Duration, ids []order.ID) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); pause(t.Context(), 500*time.Millisecond) {
		for _, id := range ids {
			if charges, reversals := f.charges(t, id); charges != reversals {
				t.Fatalf("%d charges and %d reversals for %s, which is cancelled and settled", charges, reversals, id)
			}
		}
	}
}

// TestCancellationsAtAnyMomentAndOrdersHaveOneEnd: each order is cancelled by two at once, at a random moment of its way.
func TestCancellationsAtAnyMomentAndOrdersHaveOneEnd(t *testing.T) {
	t.Parallel()
	const shoppers, units, declined = 60, 200, "tok_declined"
	f := open(t)
	f.sell(t, "mug", units)
	methods := []string{"tok_ok", "tok_ok", "tok_lost", declined, "tok_async"}
	var sold, early atomic.Int64
	heard := make([]atomic.Bool, shoppers) // whose cancellations were not too early, nor too late
	var group sync.WaitGroup
	for i := range shoppers {
		key, method := fmt.Sprintf("k-%d", i), methods[i%len(methods)]
		id := order.NewID("c-1", key)
		group.Go(func() {
			if _, err := f.PlaceUntilDefinite(t.Context(), key, shop.Buy("c-1", method, "mug", 2)); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			pause(t.Context(), rand.N(1500*time.Millisecond))
			var cancels sync.WaitGroup
			for range 2 {
				cancels.Go(func() {
					switch answer, err := f.Cancel(t.Context(), id, 5*time.Second); {
					case err != nil:
						t.Error(err)
					case answer.Status == http.StatusNotFound:
						early.Add(1)
					case answer.Status == http.StatusOK, answer.Status == http.StatusAccepted:
						heard[i].Store(true)
					case answer.Status == http.StatusConflict && method == declined:
					default:
						t.Errorf("a cancellation was answered %d %+v", answer.Status, answer.Problem)
					}
				})
			}
			cancels.Wait()
		})
	}
	group.Wait()
	f.quiet(t)
	for i := range shoppers {
		ends := []order.Status{order.Confirmed}
		switch refused := methods[i%len(methods)] == declined; {
		case refused && heard[i].Load():
			ends = []order.Status{order.Cancelled, order.Rejected}
		case refused:
			ends = []order.Status{order.Rejected}
		case heard[i].Load():
			ends = []order.Status{order.Cancelled}
		}
		id := order.NewID("c-1", fmt.Sprintf("k-%d", i))
		o, err := f.Get(t.Context(), id)
		if err != nil || !o.Settled || !slices.Contains(ends, o.Status) {
			t.Errorf("ended as %+v, %v, want one of %s, settled", o, err, ends)
		}
		if charges, _ := f.charges(t, id); charges > 1 {
			t.Errorf("%s was charged %d times", id, charges)
		}
		if o.Status == order.Confirmed {
			sold.Add(2)
		}
	}
	t.Logf("%d units sold; %d cancellations came before the order was on record", sold.Load(), early.Load())
	f.left(t, "mug", units-sold.Load())
}

// TestACancellationMeetsALateApproval: the provider approves pending payments just as their orders are cancelled.
func TestACancellationMeetsALateApproval(t *testing.T) {
	t.Parallel()
	const shoppers, units, delay = 20, 50, 3 * time.Second
	f := open(t, func(cfg *stack.Config) { cfg.AsyncDelay = delay })
	f.sell(t, "mug", units)
	var group sync.WaitGroup
	for i := range shoppers {
		group.Go(func() {
			answer := f.leavePendingUnder(t, fmt.Sprintf("k-%d", i), shop.Buy("c-1", "tok_async", "mug", 1))
			pause(t.Context(), delay-500*time.Millisecond+rand.N(600*time.Millisecond))
			if cancelled := f.cancelUntilSettled(t, answer.ID()); cancelled.Status != http.StatusOK || cancelled.Order.Status != order.Cancelled {
				t.Errorf("the cancellation was answered %d %+v", cancelled.Status, cancelled.Problem)
			}
			f.wantCharges(t, answer.ID(), 0)
		})
	}
	group.Wait()
	f.quiet(t)
	f.left(t, "mug", units)
}

// cancelledSale sells four mugs, and cancels that while the provider is down: the charge is owed back.
func (f shopFront) cancelledSale(t *testing.T) order.ID {
	t.Helper()
	id := f.buy(t, "k", shop.Buy("c-1", "tok_ok", "mug", 4)).ID()
	f.goDown(t)
	if answer, err := f.Cancel(t.Context(), id, 0); err != nil || answer.Status != http.StatusAccepted {
		t.Fatalf("answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	return id
}

// TestATerminatedCancellationIsCarriedOn by the reconciliation: the sale is cancelled and restocked, and its charge is not
// reversed yet when somebody presses Terminate.
func TestATerminatedCancellationIsCarriedOn(t *testing.T) {
	t.Parallel()
	f := impatient(t)
	f.sell(t, "mug", 10)
	id := f.cancelledSale(t)
	f.until(t, id, "asking for a person", asksForAPerson)
	f.terminate(t, workflows.CancelWorkflowID(id))
	f.cancelledByReconciliation(t, id)
	if answer := f.buy(t, "k2", shop.Buy("c-2", "tok_ok", "mug", 10)); answer.Status != http.StatusCreated {
		t.Errorf("the units that came back cannot be sold: %d %+v", answer.Status, answer.Problem)
	}
}

// TestACancelledOrderWithoutAnyWorkflowIsCarriedOn: it was charged, which neither the workflow that carried it nor the one
// that cancelled it ever learned.
func TestACancelledOrderWithoutAnyWorkflowIsCarriedOn(t *testing.T) {
	t.Parallel()
	f := impatient(t)
	f.sell(t, "mug", 10)
	if err := f.Ail(t.Context(), f.GatewayURL(), shop.Fault{Mode: "slow", Seconds: 3600, DelayMS: 60_000}); err != nil {
		t.Fatal(err)
	}
	id := order.NewID("c-1", "k")
	if err := f.placeOnce(t.Context(), "k", shop.Buy("c-1", "tok_ok", "mug", 4)); err != nil {
		t.Fatal(err)
	}
	f.untilDecided(t, id)
	f.goDown(t)
	if answer, err := f.Cancel(t.Context(), id, 0); err != nil || answer.Status != http.StatusAccepted {
		t.Fatalf("answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	f.until(t, id, "cancelled", func(o shop.Order) bool { return o.Status == order.Cancelled })
	f.terminate(t, workflows.WorkflowIDs(id)...)
	pause(t.Context(), 200*time.Millisecond) // beyond the grace
	f.cancelledByReconciliation(t, id)
}

func (f shopFront) terminate(t *testing.T, workflowIDs ...string) {
	t.Helper()
	temporal := f.temporal(t)
	for _, id := range workflowIDs {
		if err := temporal.TerminateWorkflow(t.Context(), id, "", "pressed by mistake"); err != nil {
			t.Fatal(err)
		}
	}
}

// cancelledByReconciliation has the provider come back, and the order's charge reversed by the reconciliation alone. It is
// the only order of all ten mugs.
func (f shopFront) cancelledByReconciliation(t *testing.T, id order.ID) {
	t.Helper()
	f.recover(t)
	f.left(t, "mug", 10)
	f.wantCharges(t, id, 1)
	if found := f.reconcile(t); found.Redriven != 1 {
		t.Errorf("re-driven are %d orders: %+v", found.Redriven, found)
	}
	end := f.until(t, id, "settled", func(o shop.Order) bool { return o.Settled })
	if end.Status != order.Cancelled || end.Attention != nil {
		t.Errorf("ended as %+v", end)
	}
	f.quiet(t)
	f.left(t, "mug", 10)
	f.wantCharges(t, id, 0)
}

// TestACancellationIsNotCarriedTwice: while it waits for the provider, the reconciliation leaves it alone.
func TestACancellationIsNotCarriedTwice(t *testing.T) {
	t.Parallel()
	f := impatient(t)
	f.sell(t, "mug", 10)
	id := f.cancelledSale(t)
	f.until(t, id, "asking for a person", asksForAPerson)
	if found := f.reconcile(t); found.Carried != 1 || found.Redriven != 0 {
		t.Errorf("found %+v", found)
	}
	if o, err := f.Get(t.Context(), id); err != nil || o.Attention == nil {
		t.Errorf("the order does not ask for a person any more: %+v, %v", o, err)
	}
	description, err := f.temporal(t).DescribeWorkflowExecution(t.Context(), workflows.WorkflowID(id), "")
	if err != nil || description.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("the order is carried a second time (%v)", err)
	}
	f.recover(t)
	f.cancelUntilSettled(t, id)
	f.quiet(t)
}
