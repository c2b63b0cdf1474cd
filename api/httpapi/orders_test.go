package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/workflows"
)

// orderDoc is an order as a client reads it.
type orderDoc struct {
	ID         string       `json:"id"`
	Status     order.Status `json:"status"`
	Reason     *string      `json:"reason"`
	Detail     string       `json:"detail"`
	CustomerID string       `json:"customer_id"`
	Currency   string       `json:"currency"`
	Total      int64        `json:"total"`
	Lines      []order.Line `json:"lines"`
	Settled    bool         `json:"settled"`
	Attention  *struct {
		Since  string `json:"since"`
		Reason string `json:"reason"`
	} `json:"attention"`
	WorkflowID string `json:"workflow_id"`
	CreatedAt  string `json:"created_at"`
	UpdatedAt  string `json:"updated_at"`
}

// TestPlaced: how the row reads decides the answer, also where it was not this request that made it so.
func TestPlaced(t *testing.T) {
	handOff := func(s *shop) func(order.Order) {
		return func(o order.Order) {
			s.confirm(o)
			s.exec("UPDATE orders SET status = 'HANDED_OFF' WHERE id = ?", o.ID)
		}
	}
	closing := func(status order.Status, reason order.Reason, detail string) func(*shop) func(order.Order) {
		return func(s *shop) func(order.Order) { return s.closing(status, reason, detail) }
	}
	for name, test := range map[string]struct {
		run    func(*shop) func(order.Order)
		status int
		slug   slug // empty for an order
		skus   []string
	}{
		"confirmed":        {func(s *shop) func(order.Order) { return s.confirm }, 201, "", nil},
		"handed off":       {handOff, 201, "", nil},
		"pending":          {func(s *shop) func(order.Order) { return s.open }, 202, "", nil},
		"declined":         {closing(order.Rejected, order.ReasonPaymentDeclined, "card_declined"), 402, slugPaymentDeclined, nil},
		"declined, no why": {closing(order.Rejected, order.ReasonPaymentDeclined, ""), 402, slugPaymentDeclined, nil},
		"payment expired":  {closing(order.Rejected, order.ReasonPaymentExpired, "not decided"), 409, slugOrderClosed, nil},
		"sold out":         {closing(order.Rejected, order.ReasonSoldOut, "mug, pen"), 409, slugSoldOut, []string{"mug", "pen"}},
		"limit exceeded":   {closing(order.Rejected, order.ReasonLimitExceeded, "mug, pen"), 409, slugLimitExceeded, []string{"mug", "pen"}},
		"much sold out":    {closing(order.Rejected, order.ReasonSoldOut, "mug, pen and 3 more"), 409, slugSoldOut, []string{"mug", "pen"}},
		"unknown SKU":      {closing(order.Rejected, order.ReasonUnknownSKU, "mug"), 409, slugUnknownSKU, []string{"mug"}},
		"failed":           {closing(order.Rejected, order.ReasonFailed, "dial tcp 10.0.0.1"), 409, slugOrderClosed, nil},
		"record lost":      {closing(order.Rejected, order.ReasonRecordLost, "gone"), 409, slugOrderClosed, nil},
		"cancelled":        {closing(order.Cancelled, order.ReasonRequested, ""), 409, slugOrderClosed, nil},
		"no reason at all": {closing(order.Cancelled, "", ""), 409, slugOrderClosed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.temporal.run = test.run(s)
			id := string(goodOrder(t).ID)
			first := s.post(goodBody)
			if test.slug == "" {
				doc := document[orderDoc](t, first, test.status)
				if doc.ID != id || first.Header().Get("Location") != "/v1/orders/"+id {
					t.Errorf("answered order %s at %s, want %s", doc.ID, first.Header().Get("Location"), id)
				}
				if got := s.get("/v1/orders/" + id); got.Body.String() != first.Body.String() {
					t.Errorf("GET answers %s, POST %s", got.Body, first.Body)
				}
			} else {
				p := problem(t, first, test.status, test.slug)
				if string(p.OrderID) != id || !slices.Equal(p.SKUs, test.skus) {
					t.Errorf("the problem is of order %s and SKUs %q", p.OrderID, p.SKUs)
				}
			}
			if strings.Contains(first.Body.String(), "10.0.0.1") {
				t.Errorf("%s tells of the inside", first.Body)
			}
			s.unchanged(func() {
				if again := s.post(goodBody); again.Code != first.Code || again.Body.String() != first.Body.String() {
					t.Errorf("the repeat answers %d %s, the first %d %s", again.Code, again.Body, first.Code, first.Body)
				}
			})
		})
	}
}

// TestPlacedOrder: the whole document, and how the workflow was started.
func TestPlacedOrder(t *testing.T) {
	s := newShop(t)
	w := s.send(request{
		method: http.MethodPost, path: "/v1/orders", header: map[string]string{"Prefer": "wait=10"},
		body: body(line(`"pen"`, "1", "50"), line(`"mug"`, "2", "300")),
	})
	doc := document[orderDoc](t, w, http.StatusCreated)
	if doc.Reason == nil || *doc.Reason != "" || doc.Attention != nil || !doc.Settled || doc.Total != 650 || doc.Currency != "EUR" ||
		doc.CustomerID != "c-1" || doc.WorkflowID != "order/"+doc.ID || len(doc.Lines) != 2 || doc.Lines[0].SKU != "mug" {
		t.Errorf("the order is %s", w.Body)
	}
	for _, at := range []string{doc.CreatedAt, doc.UpdatedAt} {
		if _, err := time.Parse("2006-01-02T15:04:05.000000Z", at); err != nil {
			t.Error(err)
		}
	}
	if strings.Contains(w.Body.String(), "tok_ok") {
		t.Error("the payment method is answered")
	}
	if got := w.Header().Get("Preference-Applied"); got != "wait=10" {
		t.Errorf("Preference-Applied is %q", got)
	}
	o := s.temporal.started[0]
	if want := workflows.PlaceOrderOptions(o, "queue"); !reflect.DeepEqual(s.temporal.options, want) || s.temporal.name != workflows.PlaceOrderName {
		t.Errorf("started %v with %+v", s.temporal.name, s.temporal.options)
	}
}

// TestAttention: an order that needs a person says so.
func TestAttention(t *testing.T) {
	s := newShop(t)
	o := goodOrder(t)
	s.open(o)
	if _, err := s.db.Attend(t.Context(), []order.Attention{{Key: o.Key(), Reason: "Charge has had no answer for 15m0s"}}); err != nil {
		t.Fatal(err)
	}
	doc := document[orderDoc](t, s.get("/v1/orders/"+string(o.ID)), http.StatusOK)
	if doc.Attention == nil || doc.Attention.Reason != "Charge has had no answer for 15m0s" || !strings.HasSuffix(doc.Attention.Since, "Z") {
		t.Errorf("the attention is %+v", doc.Attention)
	}
}

// TestKeyReused: the same key with another body is refused, whether the first order has a row yet,
// exists, or has ended, and touches nothing.
func TestKeyReused(t *testing.T) {
	for name, other := range map[string]string{
		"quantity": with(`"quantity":2`, `"quantity":3`), "price": with("300", "301"), "currency": with("EUR", "USD"),
		"payment method": with("tok_ok", "tok_slow"), "an unknown SKU": with("mug", "cup"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			document[orderDoc](t, s.post(goodBody), http.StatusCreated)
			s.unchanged(func() {
				p := problem(t, s.post(other), http.StatusUnprocessableEntity, slugKeyReused)
				if !slices.Contains(fieldsOf(p), "Idempotency-Key") || p.OrderID != "" {
					t.Errorf("the problem is %+v", p)
				}
			})
			document[orderDoc](t, s.post(goodBody), http.StatusCreated)
		})
	}
	t.Run("another customer's key is another key", func(t *testing.T) {
		s := newShop(t)
		document[orderDoc](t, s.post(goodBody), http.StatusCreated)
		document[orderDoc](t, s.post(with("c-1", "c-2")), http.StatusCreated)
	})
}

// TestUnknownSKU: nothing is started and the same key may be sent again, unless the order is on record.
func TestUnknownSKU(t *testing.T) {
	s := newShop(t)
	cups := with("mug", "cup")
	p := problem(t, s.post(cups), http.StatusConflict, slugUnknownSKU)
	if !slices.Equal(p.SKUs, []string{"cup"}) || p.OrderID != "" || s.temporal.count() != 0 {
		t.Errorf("the problem is %+v, and %d workflows were started", p, s.temporal.count())
	}
	if _, _, err := s.db.SetStock(t.Context(), "cup", orderdb.Setting{OnHand: 10}, 0); err != nil {
		t.Fatal(err)
	}
	doc := document[orderDoc](t, s.post(cups), http.StatusCreated)

	// Only by hand does a SKU vanish. Its orders must not seem open again.
	s.exec("DELETE FROM stock WHERE sku = 'cup'")
	s.api.known.Purge()
	if again := document[orderDoc](t, s.post(cups), http.StatusCreated); again.ID != doc.ID {
		t.Errorf("the repeat answers %s, want %s", again.ID, doc.ID)
	}
}

// TestKnownSKUs: a SKU that exists is looked up once.
func TestKnownSKUs(t *testing.T) {
	counting := &countingStock{}
	s := newShop(t, func(d *Deps) { counting.Stock, d.Stock = d.Stock, counting })
	for _, key := range []string{"a", "b", "c"} {
		document[orderDoc](t, s.send(request{method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Idempotency-Key": key}}), http.StatusCreated)
	}
	if counting.lookups != 1 {
		t.Errorf("looked up %d times", counting.lookups)
	}
}

type countingStock struct {
	Stock
	lookups int
}

func (c *countingStock) KnownSKUs(ctx context.Context, skus []string) ([]string, error) {
	c.lookups++
	return c.Stock.KnownSKUs(ctx, skus)
}

// TestWait: the answer comes when the workflow ends, or when the wait is over.
func TestWait(t *testing.T) {
	t.Run("no wait", func(t *testing.T) {
		s := newShop(t)
		s.temporal.run, s.temporal.forever = s.open, true
		began := time.Now()
		w := s.send(request{method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Prefer": "wait=0"}})
		document[orderDoc](t, w, http.StatusAccepted)
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
		if got := w.Header().Get("Preference-Applied"); got != "wait=0" {
			t.Errorf("Preference-Applied is %q", got)
		}
	})
	t.Run("a wait", func(t *testing.T) {
		s := newShop(t)
		s.temporal.run, s.temporal.forever = s.open, true
		began := time.Now()
		document[orderDoc](t, s.send(request{method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Prefer": "wait=1"}}), http.StatusAccepted)
		if took := time.Since(began); took < time.Second || took > 3*time.Second {
			t.Errorf("it took %s, want 1s", took)
		}
	})
	t.Run("the row comes after the wait", func(t *testing.T) {
		s := newShop(t)
		s.temporal.run, s.temporal.forever = nil, true
		go func() {
			time.Sleep(100 * time.Millisecond)
			s.confirm(goodOrder(t))
		}()
		document[orderDoc](t, s.send(request{method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Prefer": "wait=0"}}), http.StatusCreated)
	})
}

// TestConcurrentRepeats: whoever asks at the same time gets the same order.
func TestConcurrentRepeats(t *testing.T) {
	s := newShop(t)
	const repeats = 16
	answers := make(chan *httptest.ResponseRecorder, repeats)
	for range repeats {
		go func() { answers <- s.post(goodBody) }()
	}
	for range repeats {
		if w := <-answers; w.Code != http.StatusCreated {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	}
	if n := s.temporal.count(); n != 1 {
		t.Errorf("%d workflows were started", n)
	}
}

var _ client.WorkflowRun = workflowRun{}
