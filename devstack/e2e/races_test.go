package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

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
	const shoppers, units = 60, 200
	f := open(t)
	f.sell(t, "mug", units)
	methods := []string{"tok_ok", "tok_ok", "tok_lost", "tok_declined", "tok_async"}
	var sold, early atomic.Int64
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
					case answer.Status == http.StatusOK, answer.Status == http.StatusAccepted, answer.Status == http.StatusConflict:
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
		id := order.NewID("c-1", fmt.Sprintf("k-%d", i))
		o, err := f.Get(t.Context(), id)
		if err != nil || !o.Settled {
			t.Errorf("ended as %+v, %v", o, err)
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

// TestATerminatedCancellationIsCarriedOn by the reconciliation: the sale is cancelled and restocked, and its charge is not
// reversed yet when somebody presses Terminate.
func TestATerminatedCancellationIsCarriedOn(t *testing.T) {
	t.Parallel()
	f := impatient(t)
	f.sell(t, "mug", 10)
	sale := f.buy(t, "k", shop.Buy("c-1", "tok_ok", "mug", 4))
	f.goDown(t)
	if answer, err := f.Cancel(t.Context(), sale.ID(), 0); err != nil || answer.Status != http.StatusAccepted {
		t.Fatalf("answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	f.until(t, sale.ID(), "asking for a person", asksForAPerson)
	temporal := f.temporal(t)
	if err := temporal.TerminateWorkflow(t.Context(), workflows.CancelWorkflowID(sale.ID()), "", "pressed by mistake"); err != nil {
		t.Fatal(err)
	}
	f.left(t, "mug", 10)
	f.recover(t)
	if found := f.reconcile(t); found.Redriven != 1 {
		t.Errorf("re-driven are %d orders: %+v", found.Redriven, found)
	}
	end := f.until(t, sale.ID(), "settled", func(o shop.Order) bool { return o.Settled })
	if end.Status != order.Cancelled || end.Attention != nil {
		t.Errorf("ended as %+v", end)
	}
	f.quiet(t)
	f.left(t, "mug", 10)
	f.wantCharges(t, sale.ID(), 0)
	if answer := f.buy(t, "k2", shop.Buy("c-2", "tok_ok", "mug", 10)); answer.Status != http.StatusCreated {
		t.Errorf("the units that came back cannot be sold: %d %+v", answer.Status, answer.Problem)
	}
}

// TestACancellationIsNotCarriedTwice: while it waits for the provider, the reconciliation leaves it alone.
func TestACancellationIsNotCarriedTwice(t *testing.T) {
	t.Parallel()
	f := impatient(t)
	f.sell(t, "mug", 10)
	sale := f.buy(t, "k", shop.Buy("c-1", "tok_ok", "mug", 4))
	f.goDown(t)
	if answer, err := f.Cancel(t.Context(), sale.ID(), 0); err != nil || answer.Status != http.StatusAccepted {
		t.Fatalf("answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	f.until(t, sale.ID(), "asking for a person", asksForAPerson)
	if found := f.reconcile(t); found.Carried != 1 || found.Redriven != 0 {
		t.Errorf("found %+v", found)
	}
	if o, err := f.Get(t.Context(), sale.ID()); err != nil || o.Attention == nil {
		t.Errorf("the order does not ask for a person any more: %+v, %v", o, err)
	}
	description, err := f.temporal(t).DescribeWorkflowExecution(t.Context(), workflows.WorkflowID(sale.ID()), "")
	if err != nil || description.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("the order is carried a second time (%v)", err)
	}
	f.recover(t)
	f.cancelUntilSettled(t, sale.ID())
	f.quiet(t)
}
