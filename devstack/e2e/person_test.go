package e2e_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/order"
	"holdfast/workflows"
)

// impatient opens a stack on which orders soon ask for a person.
func impatient(t *testing.T) shopFront {
	t.Helper()
	return open(t, func(cfg *stack.Config) {
		cfg.Settings = map[string]string{
			"HOLDFAST_ATTENTION_AFTER": "1s", "HOLDFAST_PAYMENT_TIMEOUT": "1s",
			"HOLDFAST_RECONCILE_EVERY": "0", "HOLDFAST_RECONCILE_GRACE": "100ms",
		}
	})
}

// goDown takes the payment provider down, until recover.
func (f shopFront) goDown(t *testing.T) {
	t.Helper()
	if err := f.Ail(t.Context(), f.GatewayURL(), shop.Fault{Mode: "down", Seconds: 3600}); err != nil {
		t.Fatal(err)
	}
}

func (f shopFront) recover(t *testing.T) {
	t.Helper()
	if err := f.Ail(t.Context(), f.GatewayURL(), shop.Well()); err != nil {
		t.Fatal(err)
	}
}

// until waits until the order is as it should be.
func (f shopFront) until(t *testing.T, id order.ID, what string, is func(shop.Order) bool) shop.Order {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		o, err := f.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if is(o) {
			return o
		}
		if ctx.Err() != nil {
			t.Fatalf("the order is never %s: %+v", what, o)
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func asksForAPerson(o shop.Order) bool { return o.Attention != nil }

func (f shopFront) run(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, said, got := f.starter(t.Context(), args...)
	if got != code {
		t.Fatalf("starter %q: exit code %d, want %d: %s", args, got, code, said)
	}
	return out
}

// TestAnOrderThatNeedsAPersonIsSettledFromTheCLIAlone: found, understood and settled.
func TestAnOrderThatNeedsAPersonIsSettledFromTheCLIAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer, flag string
		status       order.Status
		left         int64
		charges      int // that the person saw to at the provider
	}{
		{"not_charged", "--not-charged", order.Rejected, 10, 0},
		{"charged", "--charged", order.Confirmed, 7, 1},
	} {
		t.Run(c.answer, func(t *testing.T) {
			t.Parallel()
			f := impatient(t)
			f.sell(t, "mug", 10)
			f.goDown(t)
			request := shop.Buy("ada", "tok_ok", "mug", 3)
			id := f.leavePending(t, request).ID()
			f.until(t, id, "asking for a person", asksForAPerson)

			if found := f.run(t, 0, "order", "list", "--attention"); !strings.Contains(found, string(id)) {
				t.Errorf("the list of orders that need a person does not have it:\n%s", found)
			}
			if text := f.run(t, 0, "order", "get", string(id)); !strings.Contains(text, "nobody knows whether the customer was charged") {
				t.Errorf("the order does not say why it needs a person:\n%s", text)
			}
			wantMetric(t, f, "holdfast_orders_needing_attention 1")
			if c.charges > 0 { // the money that the person saw
				f.chargeByHand(t, id, 3*1999)
			}
			f.run(t, 0, "order", "resolve", string(id), c.flag, "--note", "asked on the phone")
			end := f.until(t, id, "settled", func(o shop.Order) bool { return o.Settled })
			if end.Status != c.status || end.Attention != nil || end.ByHand == nil || string(end.ByHand.Answer) != c.answer || end.ByHand.Note != "asked on the phone" {
				t.Errorf("ended as %+v", end)
			}
			if text := f.run(t, 0, "order", "get", string(id)); !strings.Contains(text, "asked on the phone") {
				t.Errorf("the note is not shown:\n%s", text)
			}
			f.run(t, 2, "order", "resolve", string(id), "--retry")
			f.recover(t)
			f.quiet(t)
			f.left(t, "mug", c.left)
			f.wantCharges(t, id, c.charges)
			wantMetric(t, f, "holdfast_orders_needing_attention 0")
		})
	}
}

// chargeByHand is a charge that the provider takes from somebody else than holdfast, to whom it is down.
func (f shopFront) chargeByHand(t *testing.T, id order.ID, amount int64) {
	t.Helper()
	f.recover(t)
	defer f.goDown(t)
	body := `{"reference":"` + string(id) + `","amount":` + strconv.FormatInt(amount, 10) + `,"currency":"EUR","payment_method":"tok_ok"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.GatewayURL()+"/v1/charges", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", "charge:"+string(id))
	res, err := f.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the provider answered %s", res.Status)
	}
}

// wantMetric waits until an api says so: what it reads of the order database it believes for a second.
func wantMetric(t *testing.T, f shopFront, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for ; !strings.Contains(scrape(t, f.APIURL()+"/metrics"), "\n"+line+"\n"); pause(ctx, 50*time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("the metrics do not say %q", line)
		}
	}
}

// TestAnOrderThatNeedsAPersonIsSettledFromTheWebUIAlone does what the Web UI does: it lists by search attribute, shows the
// current details, and sends the update.
func TestAnOrderThatNeedsAPersonIsSettledFromTheWebUIAlone(t *testing.T) {
	t.Parallel()
	f := impatient(t)
	f.sell(t, "mug", 10)
	id := f.cancelledSale(t)
	temporal := f.temporal(t)
	workflowID := f.needsAPerson(t, temporal)
	if workflowID != workflows.CancelWorkflowID(id) {
		t.Errorf("%s needs a person", workflowID)
	}
	value, err := temporal.QueryWorkflow(t.Context(), workflowID, "", "__temporal_workflow_metadata")
	if err != nil {
		t.Fatal(err)
	}
	var metadata sdk.WorkflowMetadata
	if err := value.Get(&metadata); err != nil || !strings.Contains(metadata.GetCurrentDetails(), "is not reversed yet") {
		t.Errorf("the details are %q, %v", metadata.GetCurrentDetails(), err)
	}
	update := func(answer order.Answer) error {
		return resolve(t, temporal, workflowID, order.Resolution{Answer: answer, Note: "refunded at the provider"})
	}
	if err := update(order.Charged); err == nil || !strings.Contains(err.Error(), "has to be reversed") {
		t.Errorf("an order that is cancelled was settled as charged: %v", err)
	}
	f.recover(t)
	if err := update(order.Retry); err != nil {
		t.Fatal(err)
	}
	end := f.until(t, id, "settled", func(o shop.Order) bool { return o.Settled })
	if end.Status != order.Cancelled || end.Attention != nil || end.ByHand != nil {
		t.Errorf("ended as %+v", end)
	}
	f.quiet(t)
	f.left(t, "mug", 10)
	f.wantCharges(t, id, 0)
}

// resolve answers a workflow, as the Web UI does.
func resolve(t *testing.T, temporal client.Client, workflowID string, r order.Resolution) error {
	t.Helper()
	handle, err := temporal.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: workflows.Resolve, Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return handle.Get(t.Context(), nil)
}

// TestNothingIsChargedAfterAPersonSettledTheCancellation: the order was waiting for the provider when it was cancelled, and
// that comes back when everything is settled.
func TestNothingIsChargedAfterAPersonSettledTheCancellation(t *testing.T) {
	t.Parallel()
	f := impatient(t)
	f.sell(t, "mug", 10)
	f.goDown(t)
	id := f.leavePending(t, shop.Buy("ada", "tok_ok", "mug", 3)).ID()
	f.until(t, id, "asking for a person", asksForAPerson)
	if answer, err := f.Cancel(t.Context(), id, 0); err != nil || answer.Status != http.StatusAccepted {
		t.Fatalf("answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	f.until(t, id, "asking for its reversal", func(o shop.Order) bool {
		return o.Attention != nil && strings.HasPrefix(o.Attention.Reason, "Reverse")
	})
	temporal := f.temporal(t)
	noSuchPayment := order.Resolution{Answer: order.NotCharged, Note: "no such payment"}
	settle := func() error { return resolve(t, temporal, workflows.CancelWorkflowID(id), noSuchPayment) }
	for err := settle(); err != nil; err = settle() { // until it is the cancellation that asks
		if t.Context().Err() != nil || !strings.Contains(err.Error(), "does not need a person yet") && !strings.Contains(err.Error(), "no step") {
			t.Fatal(err)
		}
		pause(t.Context(), 100*time.Millisecond)
	}
	if end := f.until(t, id, "settled", func(o shop.Order) bool { return o.Settled }); end.Status != order.Cancelled || end.ByHand == nil {
		t.Errorf("ended as %+v", end)
	}
	f.recover(t)
	_ = temporal.GetWorkflow(t.Context(), workflows.WorkflowID(id), "").Get(t.Context(), nil) // which ends as cancelled
	f.quiet(t)
	f.left(t, "mug", 10)
	if charges, _ := f.charges(t, id); charges != 0 {
		t.Errorf("%d charges were taken", charges)
	}
}

// needsAPerson waits until visibility lists a workflow that does.
func (f shopFront) needsAPerson(t *testing.T, temporal client.Client) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		list, err := temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: stack.Namespace, Query: "Attention = true"})
		if err != nil {
			t.Fatal(err)
		}
		if found := list.GetExecutions(); len(found) > 0 {
			return found[0].GetExecution().GetWorkflowId()
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// TestASettledChargeIsNotAskedForAgain, also not by a repeat of the request.
func TestASettledChargeIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	f := impatient(t)
	f.sell(t, "mug", 10)
	f.goDown(t)
	id := f.leavePending(t, shop.Buy("ada", "tok_ok", "mug", 3)).ID()
	f.until(t, id, "asking for a person", asksForAPerson)
	f.run(t, 0, "order", "resolve", string(id), "--not-charged", "--note", "n")
	end := f.until(t, id, "settled", func(o shop.Order) bool { return o.Settled })
	f.recover(t)
	if answer := f.buy(t, "k", shop.Buy("ada", "tok_ok", "mug", 3)); answer.Status != http.StatusConflict || answer.Problem.Slug() != "order-closed" {
		t.Errorf("a repeat was answered %d %+v, the order is %+v", answer.Status, answer.Problem, end)
	}
	f.quiet(t)
	f.left(t, "mug", 10)
	f.wantCharges(t, id, 0)
}
