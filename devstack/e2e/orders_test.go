package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/order"
	"holdfast/workflows"
)

func TestEachPaymentEndsAsItShould(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, c := range []struct {
		paymentMethod string
		status        int
		end           order.Status
		reason        order.Reason
		charges       int
		left          int64
	}{
		{"tok_ok", http.StatusCreated, order.Confirmed, "", 1, 8},
		{"tok_declined", http.StatusPaymentRequired, order.Rejected, order.ReasonPaymentDeclined, 0, 10},
		{"tok_lost", http.StatusCreated, order.Confirmed, "", 1, 8},
		{"tok_error", http.StatusCreated, order.Confirmed, "", 1, 8},
		{"tok_slow", http.StatusCreated, order.Confirmed, "", 1, 8},
	} {
		t.Run(c.paymentMethod, func(t *testing.T) {
			sku := strings.ReplaceAll(c.paymentMethod, "_", "-")
			f.sell(t, sku, 10)
			answer := f.buy(t, "key-"+sku, shop.Buy("c-1", c.paymentMethod, sku, 2))
			if answer.Status != c.status {
				t.Errorf("answered %d %+v, want %d", answer.Status, answer.Problem, c.status)
			}
			end, err := f.Get(t.Context(), answer.ID())
			if err != nil {
				t.Fatal(err)
			}
			if end.Status != c.end || end.Reason != c.reason || end.Total != 2*1999 {
				t.Errorf("ended as %+v, want %s %s", end, c.end, c.reason)
			}
			f.wantCharges(t, end.ID, c.charges)
			f.left(t, sku, c.left)
			again := f.buy(t, "key-"+sku, shop.Buy("c-1", c.paymentMethod, sku, 2))
			if again.Status != answer.Status || again.ID() != answer.ID() {
				t.Errorf("a repeat answered %d %s, the first %d %s", again.Status, again.ID(), answer.Status, answer.ID())
			}
			f.left(t, sku, c.left)
		})
	}
	f.quiet(t)
}

func TestSoldOutNamesTheSKUAndIsFinal(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 5)
	f.sell(t, "print", 1)
	both := shop.Buy("c-1", "tok_ok", "mug", 1)
	both.Lines = append(both.Lines, order.Line{SKU: "print", Quantity: 2, UnitPrice: 5})
	answer := f.buy(t, "k", both)
	if answer.Status != http.StatusConflict || answer.Problem.Slug() != "sold-out" || !strings.Contains(answer.Problem.Detail, "print") {
		t.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	f.left(t, "mug", 5)
	f.left(t, "print", 1)
	if rest := f.buy(t, "k2", shop.Buy("c-2", "tok_ok", "mug", 5)); rest.Status != http.StatusCreated {
		t.Errorf("the units of the order that failed cannot be sold: %d %s", rest.Status, rest.Problem.Detail)
	}
	f.quiet(t)
}

func TestTheSameKeyWithAnotherBodyTouchesNothing(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 10)
	first := f.buy(t, "k", shop.Buy("c-1", "tok_ok", "mug", 1))
	other, err := f.Place(t.Context(), "k", shop.Buy("c-1", "tok_ok", "mug", 2), 5*time.Second)
	if err != nil || other.Status != http.StatusUnprocessableEntity || other.Problem.Slug() != "key-reused" {
		t.Errorf("answered %d %+v, %v", other.Status, other.Problem, err)
	}
	f.left(t, "mug", 9)
	f.wantCharges(t, first.ID(), 1)
	f.quiet(t)
}

func TestManyRepeatsOfOneRequestAreOneOrder(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 1)
	var group sync.WaitGroup
	for range 30 {
		group.Go(func() {
			answer, err := f.PlaceUntilDefinite(t.Context(), "the-last-unit", shop.Buy("c-1", "tok_lost", "mug", 1))
			if err != nil || answer.Status != http.StatusCreated {
				t.Errorf("answered %d %+v, %v", answer.Status, answer.Problem, err)
			}
		})
	}
	group.Wait()
	f.left(t, "mug", 0)
	f.quiet(t)
}

func TestAnOrderIsFoundAndReadsWellInTemporal(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 10)
	answer := f.buy(t, "k", shop.Buy("ada", "tok_ok", "mug", 2))
	temporal := f.temporal(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for { // visibility is written a moment after the workflow
		list, err := temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: stack.Namespace, Query: `OrderID = "` + string(answer.ID()) + `" AND CustomerID = "ada" AND Attention = false`,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.GetExecutions()) == 1 {
			found := list.GetExecutions()[0].GetExecution().GetWorkflowId()
			if found != answer.Order.WorkflowID || found != workflows.WorkflowID(answer.ID()) {
				t.Errorf("found %s, the API says %s", found, answer.Order.WorkflowID)
			}
			break
		}
		pause(ctx, 20*time.Millisecond)
	}
	description, err := temporal.DescribeWorkflow(ctx, answer.Order.WorkflowID, "")
	if err != nil {
		t.Fatal(err)
	}
	summary, err := description.GetStaticSummary()
	if want := "2 x mug for ada, 3998 EUR"; err != nil || summary != want {
		t.Errorf("the summary is %q (%v), want %q", summary, err, want)
	}
}

func TestACancelRequestFromTheWebUIUndoesTheOrder(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 10)
	request := shop.Buy("c-1", "tok_slow", "mug", 4)
	pending := f.leavePending(t, request)
	temporal := f.temporal(t)
	if err := temporal.CancelWorkflow(t.Context(), pending.Order.WorkflowID, ""); err != nil {
		t.Fatal(err)
	}
	answer := f.buy(t, "k", request)
	if answer.Status != http.StatusConflict || answer.Problem.Slug() != "order-closed" {
		t.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	f.quiet(t)
	f.left(t, "mug", 10)
	f.wantCharges(t, answer.ID(), 0)
}

func TestATerminatedOrderIsCarriedOnByARepeat(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 10)
	request := shop.Buy("c-1", "tok_slow", "mug", 4)
	pending := f.leavePending(t, request)
	temporal := f.temporal(t)
	if err := temporal.TerminateWorkflow(t.Context(), pending.Order.WorkflowID, "", "pressed by mistake"); err != nil {
		t.Fatal(err)
	}
	if answer := f.buy(t, "k", request); answer.Status != http.StatusCreated || answer.ID() != pending.ID() {
		t.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	f.quiet(t)
	f.left(t, "mug", 6)
	f.wantCharges(t, pending.ID(), 1)
}

// TestAStraightOrderIsShort counts the events that an order costs the Temporal server.
func TestAStraightOrderIsShort(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 10)
	answer := f.buy(t, "k", shop.Buy("c-1", "tok_ok", "mug", 1))
	if n := events(t, f.temporal(t), answer.Order.WorkflowID); n > 11 {
		t.Errorf("%d history events, the design allows 11", n)
	} else {
		t.Logf("%d history events", n)
	}
}

func events(t *testing.T, temporal client.Client, workflowID string) (n int) {
	t.Helper()
	history := temporal.GetWorkflowHistory(t.Context(), workflowID, "", true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for ; history.HasNext(); n++ {
		if _, err := history.Next(); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestAKeyReusedForOtherGoodsWithholdsNothing: the key's own order is closed, and another body under its
// key gets units in Redis before the row says whose key it is.
func TestAKeyReusedForOtherGoodsWithholdsNothing(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 5)
	f.sell(t, "print", 5)
	request := shop.Buy("c-1", "tok_slow", "mug", 2)
	pending := f.leavePending(t, request)
	if err := f.temporal(t).CancelWorkflow(t.Context(), pending.Order.WorkflowID, ""); err != nil {
		t.Fatal(err)
	}
	f.buy(t, "k", request)
	other, err := f.Place(t.Context(), "k", shop.Buy("c-1", "tok_ok", "print", 3), 10*time.Second)
	if err != nil || other.Problem.Slug() != "key-reused" {
		t.Fatalf("answered %d %+v, %v", other.Status, other.Problem, err)
	}
	if all := f.buy(t, "k2", shop.Buy("c-2", "tok_ok", "print", 5)); all.Status != http.StatusCreated {
		t.Errorf("an honest shopper was answered %d %+v", all.Status, all.Problem)
	}
	f.quiet(t)
	f.left(t, "mug", 5)
}

// TestAReceiptInTheMiddleOfASaleLeavesRedisRight reloads the count while orders are on their way.
func TestAReceiptInTheMiddleOfASaleLeavesRedisRight(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "drop", 100)
	received := make(chan error, 1)
	go func() {
		for i := range 5 {
			if err := f.Receive(t.Context(), "drop", 10, fmt.Sprintf("delivery-%d", i)); err != nil {
				received <- err
				return
			}
			pause(t.Context(), pauseBetweenWipes)
		}
		received <- nil
	}()
	confirmed, _ := f.rush(t, 120, "drop")
	if err := <-received; err != nil {
		t.Fatal(err)
	}
	f.quiet(t)
	f.left(t, "drop", 150-confirmed)
}
