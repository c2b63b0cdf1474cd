package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/payment"
	"holdfast/workflows"
)

var webhookKey = []byte("thirty-two bytes, none is secret")

const webhookPath = "/v1/payments/webhook"

// newHintedShop is a shop that takes webhooks.
func newHintedShop(t *testing.T) *shop {
	t.Helper()
	webhook, err := payment.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(webhookKey))
	if err != nil {
		t.Fatal(err)
	}
	s := newShop(t, func(d *Deps) { d.Webhook = webhook })
	s.temporal.running = make(map[string]bool)
	return s
}

// signed is a webhook with the signature of Standard Webhooks, at a time so long ago.
func signed(key []byte, age time.Duration, body string) request {
	at := strconv.FormatInt(time.Now().Add(-age).Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("evt_1." + at + "." + body))
	return request{method: http.MethodPost, path: webhookPath, body: body, header: map[string]string{
		"Webhook-Id": "evt_1", "Webhook-Timestamp": at,
		"Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}}
}

func eventOf(reference, status string) string {
	return fmt.Sprintf(`{"type":"payment.%[2]s","timestamp":"2026-11-22T12:00:00Z","data":{"reference":%[1]q,"status":%[2]q}}`, reference, status)
}

func (s *shop) hint(id order.ID, status string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.send(signed(webhookKey, 0, eventOf(string(id), status)))
}

func taken(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("answered %d %s, want 204", w.Code, w.Body)
	}
}

// hinted compares the hints that workflows were given.
func (s *shop) hinted(want ...order.ID) {
	s.t.Helper()
	var signals []string
	for _, id := range want {
		signals = append(signals, workflows.WorkflowID(id)+" payment-decided")
	}
	s.temporal.mu.Lock()
	defer s.temporal.mu.Unlock()
	if !slices.Equal(s.temporal.signalled, signals) {
		s.t.Errorf("signalled %q, want %q", s.temporal.signalled, signals)
	}
}

// carried is an order whose workflow runs.
func (s *shop) carried(t *testing.T) order.Order {
	t.Helper()
	o := goodOrder(t)
	s.open(o)
	s.temporal.running[workflows.WorkflowID(o.ID)] = true
	return o
}

// TestWebhookTwiceAndOutOfOrder: each is a hint, whatever it says.
func TestWebhookTwiceAndOutOfOrder(t *testing.T) {
	s := newHintedShop(t)
	o := s.carried(t)
	s.unchanged(func() {
		for _, status := range []string{"reversed", "approved", "approved", "declined", "whatever"} {
			taken(t, s.hint(o.ID, status))
		}
	})
	s.hinted(slices.Repeat([]order.ID{o.ID}, 5)...)
}

// TestWebhookBeforeTheOrdersAnswer reaches the workflow while the shopper's request waits for it.
func TestWebhookBeforeTheOrdersAnswer(t *testing.T) {
	s := newHintedShop(t)
	o := goodOrder(t)
	s.temporal.run, s.temporal.forever = s.open, true
	s.temporal.running[workflows.WorkflowID(o.ID)] = true
	answered := make(chan *httptest.ResponseRecorder)
	go func() { answered <- s.post(goodBody) }()
	for s.temporal.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	taken(t, s.hint(o.ID, "approved"))
	s.hinted(o.ID)
	s.api.Drain()
	document[orderDoc](t, <-answered, http.StatusAccepted)
}

// TestWebhookWithoutAWorkflow changes nothing, and starts nothing, whatever the order is.
func TestWebhookWithoutAWorkflow(t *testing.T) {
	for name, run := range map[string]func(*shop, order.Order){
		"before there is an order":    func(*shop, order.Order) {},
		"of an order that is carried": (*shop).open, // by another workflow, or by none
		"after it was confirmed":      (*shop).confirm,
		"after it was closed":         func(s *shop, o order.Order) { s.closing(order.Rejected, order.ReasonPaymentExpired, "")(o) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newHintedShop(t)
			o := goodOrder(t)
			run(s, o)
			s.unchanged(func() {
				taken(t, s.hint(o.ID, "approved"))
				taken(t, s.hint(o.ID, "approved"))
			})
			s.hinted()
			if log := s.logs.String(); log != "" {
				t.Errorf("logged %s", log)
			}
		})
	}
}

// TestWebhookOfNoOrder: the provider's account may have other uses.
func TestWebhookOfNoOrder(t *testing.T) {
	s := newHintedShop(t)
	for _, reference := range []string{"invoice 7", "order/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa", "ord_AAAAAAAAAAAAAAAAAAAAAAAAAA", "reconcile-stock"} {
		s.temporal.running["order/"+reference] = true
		s.unchanged(func() { taken(t, s.send(signed(webhookKey, 0, eventOf(reference, "approved")))) })
	}
	s.hinted()
}

// TestBadWebhooks reach no workflow, and are told nothing of the reason that helps a forger.
func TestBadWebhooks(t *testing.T) {
	s := newHintedShop(t)
	o := s.carried(t)
	good := eventOf(string(o.ID), "approved")
	large := good[:len(good)-1] + strings.Repeat(" ", maxBody) + "}"
	change := func(r request, name, value string) request {
		r.header[name] = value
		return r
	}
	tampered := signed(webhookKey, 0, good)
	tampered.body = strings.Replace(good, "approved", "declined", 1)
	plain := signed(webhookKey, 0, good)
	for name, test := range map[string]struct {
		request request
		status  int
		slug    slug
	}{
		"another key":       {signed([]byte("not the key"), 0, good), 400, slugBadSignature},
		"an empty key":      {signed(nil, 0, good), 400, slugBadSignature},
		"another body":      {tampered, 400, slugBadSignature},
		"too old":           {signed(webhookKey, 6*time.Minute, good), 400, slugBadSignature},
		"from the future":   {signed(webhookKey, -6*time.Minute, good), 400, slugBadSignature},
		"no signature":      {change(signed(webhookKey, 0, good), "Webhook-Signature", ""), 400, slugBadSignature},
		"no id":             {change(signed(webhookKey, 0, good), "Webhook-Id", ""), 400, slugBadSignature},
		"no time":           {change(signed(webhookKey, 0, good), "Webhook-Timestamp", ""), 400, slugBadSignature},
		"no time of day":    {change(signed(webhookKey, 0, good), "Webhook-Timestamp", "today"), 400, slugBadSignature},
		"unsigned nonsense": {request{method: http.MethodPost, path: webhookPath, body: "{"}, 400, slugBadSignature},
		"not JSON":          {signed(webhookKey, 0, "reference="+string(o.ID)), 400, slugMalformed},
		"empty":             {signed(webhookKey, 0, ""), 400, slugMalformed},
		"no reference":      {signed(webhookKey, 0, `{"type":"payment.approved"}`), 422, slugInvalid},
		"a number":          {signed(webhookKey, 0, `{"data":{"reference":7}}`), 422, slugInvalid},
		"too large":         {signed(webhookKey, 0, large), 413, slugTooLarge},
		"not of JSON":       {change(plain, "Content-Type", "text/plain"), 415, slugWrongType},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			s.unchanged(func() {
				w := s.send(test.request)
				problem(t, w, test.status, test.slug)
				if body := w.Body.String(); strings.Contains(body, string(o.ID)) || strings.Contains(body, "whsec_") || strings.Contains(body, "matching") {
					t.Errorf("told %s", body)
				}
			})
		})
	}
	s.hinted()
}

// TestWebhookWithoutASecret: an API that cannot tell who sent it takes none.
func TestWebhookWithoutASecret(t *testing.T) {
	s := newShop(t)
	o := goodOrder(t)
	s.temporal.running = map[string]bool{workflows.WorkflowID(o.ID): true}
	problem(t, s.hint(o.ID, "approved"), http.StatusNotFound, slugNotFound)
	s.hinted()
}

// TestWebhookWhileTemporalIsAway: the provider sends it again.
func TestWebhookWhileTemporalIsAway(t *testing.T) {
	s := newHintedShop(t)
	o := s.carried(t)
	s.temporal.err = errors.New("dial tcp 10.0.0.7:7233: connection refused")
	w := s.hint(o.ID, "approved")
	problem(t, w, http.StatusServiceUnavailable, slugUnavailable)
	if strings.Contains(w.Body.String(), "10.0.0.7") || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %s with %v", w.Body, w.Header())
	}
	if errs := s.logs.errors(); len(errs) != 1 || !strings.Contains(errs[0], "10.0.0.7") {
		t.Errorf("logged %q", errs)
	}
	s.temporal.err = nil
	taken(t, s.hint(o.ID, "approved"))
	s.hinted(o.ID)
}
