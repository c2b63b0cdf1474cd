package e2e_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

	"holdfast/devstack/histories"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/order"
	"holdfast/workflows"
)

// wantEvents counts hints, and timers that ran out, in the history of an order's workflow.
func (f shopFront) wantEvents(t *testing.T, id order.ID, hints, polls bool) {
	t.Helper()
	h, err := histories.History(t.Context(), f.temporal(t), workflows.WorkflowID(id))
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[enums.EventType]int)
	for _, e := range h.GetEvents() {
		count[e.GetEventType()]++
	}
	hinted, polled := count[enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED], count[enums.EVENT_TYPE_TIMER_FIRED]
	if (hinted > 0) != hints || (polled > 0) != polls {
		t.Errorf("%d hints and %d polls in the history", hinted, polled)
	}
	t.Logf("%d history events", len(h.GetEvents()))
}

// TestAPendingPaymentIsDecidedByItsWebhook, before the order looks by itself.
func TestAPendingPaymentIsDecidedByItsWebhook(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, c := range []struct {
		paymentMethod string
		status        int
		charges       int
		left          int64
	}{
		{"tok_async", http.StatusCreated, 1, 8},
		{"tok_async_declined", http.StatusPaymentRequired, 0, 10},
	} {
		t.Run(c.paymentMethod, func(t *testing.T) {
			f.sell(t, c.paymentMethod, 10)
			request := shop.Buy("c-1", c.paymentMethod, c.paymentMethod, 2)
			answer := f.buy(t, "k-"+c.paymentMethod, request)
			if answer.Status != c.status {
				t.Errorf("answered %d %+v, want %d", answer.Status, answer.Problem, c.status)
			}
			f.wantEvents(t, answer.ID(), true, false)
			f.wantCharges(t, answer.ID(), c.charges)
			f.left(t, c.paymentMethod, c.left)
		})
	}
	f.quiet(t)
}

// TestAPendingPaymentIsPolledIfItsWebhookIsLost: the API does not believe what the provider signs.
func TestAPendingPaymentIsPolledIfItsWebhookIsLost(t *testing.T) {
	t.Parallel()
	f := open(t, func(cfg *stack.Config) {
		cfg.Settings = map[string]string{"HOLDFAST_PAYMENT_WEBHOOK_SECRET": "whsec_bm90IHdoYXQgdGhlIHByb3ZpZGVyIHNpZ25zIHdpdGg="}
	})
	f.sell(t, "mug", 10)
	answer := f.buy(t, "k", shop.Buy("c-1", "tok_async", "mug", 2))
	if answer.Status != http.StatusCreated {
		t.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	f.wantEvents(t, answer.ID(), false, true)
	f.wantCharges(t, answer.ID(), 1)
	f.left(t, "mug", 8)
	f.quiet(t)
}

// TestAPendingPaymentExpires: the provider decides only after the order was given up.
func TestAPendingPaymentExpires(t *testing.T) {
	t.Parallel()
	const delay = 4 * time.Second
	f := open(t, func(cfg *stack.Config) {
		cfg.AsyncDelay = delay
		cfg.Settings = map[string]string{"HOLDFAST_PAYMENT_DEADLINE": "2s"}
	})
	f.sell(t, "mug", 10)
	began := time.Now()
	answer := f.buy(t, "k", shop.Buy("c-1", "tok_async", "mug", 4))
	if answer.Status != http.StatusConflict || answer.Problem.Slug() != "order-closed" {
		t.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	check := func() {
		t.Helper()
		end, err := f.Get(t.Context(), answer.ID())
		if err != nil || end.Status != order.Rejected || end.Reason != order.ReasonPaymentExpired || !end.Settled {
			t.Errorf("ended as %+v, %v", end, err)
		}
		f.wantCharges(t, answer.ID(), 0)
		f.left(t, "mug", 10)
		f.quiet(t)
	}
	check()
	pause(t.Context(), time.Until(began.Add(delay+time.Second)))
	check()
}

// TestAPendingPaymentIsGivenUpOnRequest cancels the workflow from the Web UI while it waits.
func TestAPendingPaymentIsGivenUpOnRequest(t *testing.T) {
	t.Parallel()
	f := open(t, func(cfg *stack.Config) { cfg.AsyncDelay = 3 * time.Second })
	f.sell(t, "mug", 10)
	request := shop.Buy("c-1", "tok_async", "mug", 4)
	pending := f.leavePending(t, request)
	if err := f.temporal(t).CancelWorkflow(t.Context(), pending.Order.WorkflowID, ""); err != nil {
		t.Fatal(err)
	}
	if answer := f.buy(t, "k", request); answer.Status != http.StatusConflict || answer.Problem.Slug() != "order-closed" {
		t.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	pause(t.Context(), 4*time.Second) // until the provider decides
	f.quiet(t)
	f.left(t, "mug", 10)
	f.wantCharges(t, pending.ID(), 0)
}

// TestAPendingPaymentIsCarriedOn by another workflow, and by another stack on the same data: it is charged once.
func TestAPendingPaymentIsCarriedOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	adapt := func(cfg *stack.Config) { cfg.Data, cfg.AsyncDelay = dir, 3*time.Second }
	first := open(t, adapt)
	first.sell(t, "mug", 10)
	request := shop.Buy("c-1", "tok_async", "mug", 3)
	pending := first.leavePending(t, request)
	if err := first.temporal(t).TerminateWorkflow(t.Context(), pending.Order.WorkflowID, "", "pressed by mistake"); err != nil {
		t.Fatal(err)
	}
	if again, err := first.Place(t.Context(), "k", request, 0); err != nil || again.Status != http.StatusAccepted {
		t.Errorf("answered %d %+v, %v", again.Status, again.Problem, err)
	}
	if err := first.Stack.Stop(); err != nil {
		t.Fatal(err)
	}
	second := open(t, adapt)
	if answer := second.buy(t, "k", request); answer.Status != http.StatusCreated || answer.ID() != pending.ID() {
		t.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	second.quiet(t)
	second.left(t, "mug", 7)
	second.wantCharges(t, pending.ID(), 1)
}

// webhook sends what the provider would, signed with its secret.
func (f shopFront) webhook(ctx context.Context, id order.ID, status string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(f.Env()["HOLDFAST_PAYMENT_WEBHOOK_SECRET"], "whsec_"))
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"type":"payment.%s","data":{"reference":%q,"status":%[1]q}}`, status, id)
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte("evt_1." + at + "." + body)) // a hash takes everything
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.APIURL()+"/v1/payments/webhook", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", "evt_1")
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	res, err := f.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the webhook was answered %s", res.Status)
	}
	return nil
}

// TestWebhooksAtAnyTimeDecideNothing sends wrong ones for each order before it exists, while it is carried and after
// it ended.
func TestWebhooksAtAnyTimeDecideNothing(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 100)
	ends := map[string]int{
		"tok_ok": http.StatusCreated, "tok_declined": http.StatusPaymentRequired,
		"tok_async": http.StatusCreated, "tok_async_declined": http.StatusPaymentRequired,
	}
	ctx, sold := context.WithCancel(t.Context())
	defer sold()
	var shoppers, liars sync.WaitGroup
	for method, status := range ends {
		wrong := map[int]string{http.StatusCreated: "declined", http.StatusPaymentRequired: "approved"}[status]
		for i := range 5 {
			key := fmt.Sprintf("%s-%d", method, i)
			id := order.NewID("c-1", key)
			liars.Go(func() {
				for ctx.Err() == nil {
					if err := f.webhook(ctx, id, wrong); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					pause(ctx, 20*time.Millisecond)
				}
			})
			shoppers.Go(func() {
				answer, err := f.PlaceUntilDefinite(t.Context(), key, shop.Buy("c-1", method, "mug", 1))
				if err != nil || answer.Status != status || answer.ID() != id {
					t.Errorf("%s: answered %d %+v, %v", key, answer.Status, answer.Problem, err)
				}
			})
		}
	}
	shoppers.Wait()
	pause(ctx, 100*time.Millisecond)
	sold()
	liars.Wait()
	f.quiet(t)
	f.left(t, "mug", 90)
}
