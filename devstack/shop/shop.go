// Package shop is a shopper's side of holdfast: it places orders through the HTTP API as a shop's back
// end does, repeats under the same key until it knows how an order ended, and reads what the API and
// the sandbox payment provider have on record. The demo and the tests of devstack import it.
package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/order"
)

// Client talks to one API. It may be used from many goroutines.
type Client struct {
	API  string // base URL
	HTTP *http.Client
}

// New makes a client with room for many shoppers at once.
func New(api string) *Client {
	transport := &http.Transport{MaxIdleConns: 2000, MaxIdleConnsPerHost: 2000, DisableCompression: true}
	return &Client{API: api, HTTP: &http.Client{Transport: transport, Timeout: 45 * time.Second}}
}

// Request is what an order is placed with.
type Request struct {
	CustomerID    string       `json:"customer_id"`
	Currency      string       `json:"currency"`
	PaymentMethod string       `json:"payment_method"`
	Lines         []order.Line `json:"lines"`
}

// Buy is a request for units of one SKU, at 19.99 EUR each.
func Buy(customer, paymentMethod, sku string, units int64) Request {
	return Request{
		CustomerID: customer, Currency: "EUR", PaymentMethod: paymentMethod,
		Lines: []order.Line{{SKU: sku, Quantity: units, UnitPrice: 1999}},
	}
}

// Order is an order as the API answers it.
type Order struct {
	ID         order.ID     `json:"id"`
	Status     order.Status `json:"status"`
	Reason     order.Reason `json:"reason"`
	Detail     string       `json:"detail"`
	Total      int64        `json:"total"`
	Settled    bool         `json:"settled"`
	Attention  *Attention   `json:"attention"` // nil if no person is needed
	ByHand     *ByHand      `json:"by_hand"`   // nil if no person settled it
	WorkflowID string       `json:"workflow_id"`
}

// Attention is why an order needs a person.
type Attention struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// ByHand is what a person said of an order's charge.
type ByHand struct {
	Answer order.Answer `json:"answer"`
	Note   string       `json:"note"`
}

// Answer is what the API said to a POST of an order, or of its cancellation: the order, or a problem.
type Answer struct {
	Status     int // of HTTP
	RetryAfter time.Duration
	Order      Order // of 200, 201 and 202
	Problem    Problem
}

// Problem is an RFC 9457 problem document.
type Problem struct {
	Type    string   `json:"type"`
	Detail  string   `json:"detail"`
	OrderID order.ID `json:"order_id"`
}

// Slug is the end of the problem's type.
func (p Problem) Slug() string { return p.Type[strings.LastIndexByte(p.Type, '/')+1:] }

// ID is the order's, whichever kind of answer it was; "" if nothing was started.
func (a Answer) ID() order.ID {
	if a.Order.ID != "" {
		return a.Order.ID
	}
	return a.Problem.OrderID
}

// Definite tells whether the order has ended, so that a repeat would say the same.
func (a Answer) Definite() bool {
	return a.Status == http.StatusCreated || a.Status == http.StatusPaymentRequired ||
		a.Status == http.StatusConflict && a.Problem.OrderID != ""
}

// Place sends the order once and waits for its end up to wait. An error means that no answer came.
func (c *Client) Place(ctx context.Context, key string, r Request, wait time.Duration) (Answer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.API+"/v1/orders", bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Prefer", fmt.Sprintf("wait=%d", int(wait.Seconds())))
	return c.answer(req)
}

// answer sends a request that is answered with an order, or a problem.
func (c *Client) answer(req *http.Request) (Answer, error) {
	res, err := c.HTTP.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	answer := Answer{Status: res.StatusCode}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		answer.RetryAfter = time.Duration(seconds) * time.Second
	}
	if res.StatusCode < http.StatusMultipleChoices {
		return answer, json.NewDecoder(res.Body).Decode(&answer.Order)
	}
	return answer, json.NewDecoder(res.Body).Decode(&answer.Problem)
}

// PlaceUntilDefinite repeats the order under its key until it has ended, or has been refused without
// being started. The error is the context's, with the last thing that was seen.
func (c *Client) PlaceUntilDefinite(ctx context.Context, key string, r Request) (Answer, error) {
	const pause = 200 * time.Millisecond
	for {
		answer, err := c.Place(ctx, key, r, 5*time.Second)
		again := err != nil || answer.Status == http.StatusAccepted || answer.Status == http.StatusServiceUnavailable
		if !again {
			return answer, nil
		}
		select {
		case <-ctx.Done():
			return answer, errors.Join(fmt.Errorf("order under key %s has no end yet, last answer %d %s: %w",
				key, answer.Status, answer.Problem.Detail, ctx.Err()), err)
		case <-time.After(min(max(answer.RetryAfter, pause), time.Second)):
		}
	}
}

// Cancel cancels an order and waits for the end of that up to wait. Sent again it does no harm.
func (c *Client) Cancel(ctx context.Context, id order.ID, wait time.Duration) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.API+"/v1/orders/"+string(id)+"/cancel", http.NoBody)
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Prefer", fmt.Sprintf("wait=%d", int(wait.Seconds())))
	return c.answer(req)
}

// SetStock creates a SKU.
func (c *Client) SetStock(ctx context.Context, sku string, onHand int64) error {
	return c.call(ctx, http.MethodPut, c.API+"/v1/stock/"+sku, map[string]int64{"on_hand": onHand}, nil)
}

// SetLimitedStock creates a SKU of which one customer may have so many units.
func (c *Client) SetLimitedStock(ctx context.Context, sku string, onHand, limit int64) error {
	return c.call(ctx, http.MethodPut, c.API+"/v1/stock/"+sku, map[string]int64{"on_hand": onHand, "limit_per_customer": limit}, nil)
}

// Receive adds units to a SKU. A reference counts once.
func (c *Client) Receive(ctx context.Context, sku string, units int64, reference string) error {
	return c.call(ctx, http.MethodPost, c.API+"/v1/stock/"+sku+"/receipts",
		map[string]any{"quantity": units, "reference": reference, "reason": ""}, nil)
}

// Stock is the units of a SKU.
type Stock struct {
	SKU       string `json:"sku"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
}

// Stock reads the units of a SKU.
func (c *Client) Stock(ctx context.Context, sku string) (s Stock, err error) {
	err = c.call(ctx, http.MethodGet, c.API+"/v1/stock/"+sku, nil, &s)
	return s, err
}

// Get reads an order.
func (c *Client) Get(ctx context.Context, id order.ID) (o Order, err error) {
	err = c.call(ctx, http.MethodGet, c.API+"/v1/orders/"+string(id), nil, &o)
	return o, err
}

// Audit is whether the promises hold, and where not.
type Audit struct {
	Holds      bool `json:"holds"`
	Violations []struct {
		Kind    string `json:"kind"`
		Subject string `json:"subject"`
		Message string `json:"message"`
	} `json:"violations"`
	InFlight int `json:"in_flight"`
}

// Audit has the API prove the promises.
func (c *Client) Audit(ctx context.Context) (a Audit, err error) {
	err = c.call(ctx, http.MethodGet, c.API+"/v1/audit", nil, &a)
	return a, err
}

// Entry is a line of the payment provider's ledger.
type Entry struct {
	Kind      string   `json:"kind"` // charge or reversal
	Reference order.ID `json:"reference"`
	Amount    int64    `json:"amount"`
}

// Ledger reads the whole ledger of the sandbox payment provider.
func (c *Client) Ledger(ctx context.Context, provider string) ([]Entry, error) {
	var all []Entry
	for after := int64(0); ; {
		var page struct {
			Entries []Entry `json:"entries"`
			Next    int64   `json:"next"`
		}
		if err := c.call(ctx, http.MethodGet, fmt.Sprintf("%s/v1/ledger?after=%d&limit=1000", provider, after), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Entries...)
		if page.Next == 0 {
			return all, nil
		}
		after = page.Next
	}
}

// Fault is how a whole sandbox is ill, as its PUT /v1/admin/faults takes it.
type Fault struct {
	Mode    string `json:"mode"`
	Seconds int    `json:"seconds"`
	DelayMS int    `json:"delay_ms"`
}

// Well is a sandbox without a fault.
func Well() Fault { return Fault{Mode: "none"} }

// Arrivals reads all that the warehouse has.
func (c *Client) Arrivals(ctx context.Context, warehouse string) (all []order.ID, err error) {
	for after := int64(0); ; {
		var page struct {
			Arrivals []struct {
				ID order.ID `json:"order_id"`
			} `json:"arrivals"`
			Next int64 `json:"next"`
		}
		if err := c.call(ctx, http.MethodGet, fmt.Sprintf("%s/v1/arrivals?after=%d", warehouse, after), nil, &page); err != nil {
			return nil, err
		}
		for _, a := range page.Arrivals {
			all = append(all, a.ID)
		}
		if after = page.Next; after == 0 {
			return all, nil
		}
	}
}

// Ail makes a sandbox, the payment provider or the warehouse, ill, or well again.
func (c *Client) Ail(ctx context.Context, sandbox string, f Fault) error {
	return c.call(ctx, http.MethodPut, sandbox+"/v1/admin/faults", f, nil)
}

// call sends in, unless it is nil, and reads the answer into out, unless that is nil.
func (c *Client) call(ctx context.Context, method, url string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= http.StatusMultipleChoices {
		var p Problem
		_ = json.NewDecoder(res.Body).Decode(&p) // the status alone says enough if it is no problem document
		return fmt.Errorf("%s %s: %s: %s", method, url, res.Status, p.Detail)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}
