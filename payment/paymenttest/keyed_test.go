package paymenttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"holdfast/activities"
	"holdfast/order"
)

// keyHeader is where the keyed provider looks.
const keyHeader = "Request-Id"

// keyedProvider knows a charge by its key alone: with another key it charges an order again, and refunds
// it again. A refund stops no charge that is still on its way.
type keyedProvider struct {
	server *httptest.Server

	mu      sync.Mutex
	charges []*keyedCharge
	known   map[string]keyedAnswer // by key
}

type keyedCharge struct {
	ID       int      `json:"id"`
	Order    order.ID `json:"order"`
	Amount   int64    `json:"amount"` // minor units
	Currency string   `json:"currency"`
	Card     string   `json:"card,omitempty"`
	State    string   `json:"state"` // paid, refused, open
	Why      string   `json:"why,omitempty"`
	Refunded int64    `json:"refunded"` // minor units
}

type keyedAnswer struct{ asked, body []byte }

type keyedList struct {
	Order   order.ID      `json:"order"`
	Charges []keyedCharge `json:"charges"`
}

func newKeyedProvider(t *testing.T) *keyedProvider {
	t.Helper()
	p := &keyedProvider{known: make(map[string]keyedAnswer)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /charges", p.list)
	mux.HandleFunc("POST /charges", p.byKey(p.charge))
	mux.HandleFunc("POST /refunds", p.byKey(p.refund))
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	return p
}

// byKey answers what it answered before, or 409 if something else was asked.
func (p *keyedProvider) byKey(do func(asked []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked bytes.Buffer
		if _, err := asked.ReadFrom(r.Body); err != nil {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		key := r.URL.Path + r.Header.Get(keyHeader)
		before, used := p.known[key]
		if !used {
			answer, err := do(asked.Bytes())
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			before = keyedAnswer{asked: asked.Bytes(), body: answer}
			p.known[key] = before
		}
		if !bytes.Equal(before.asked, asked.Bytes()) {
			http.Error(w, "key reused", http.StatusConflict)
			return
		}
		_, _ = w.Write(before.body)
	}
}

func (p *keyedProvider) charge(asked []byte) ([]byte, error) {
	var c keyedCharge
	if err := json.Unmarshal(asked, &c); err != nil {
		return nil, err
	}
	c.ID = len(p.charges)
	switch c.Card {
	case "good":
		c.State = "paid"
	case "later good", "later bad":
		c.State = "open"
	default:
		c.State, c.Why = "refused", "no such card"
	}
	p.charges = append(p.charges, &c)
	return json.Marshal(c)
}

func (p *keyedProvider) refund(asked []byte) ([]byte, error) {
	var r struct {
		ID int `json:"id"`
	}
	if err := json.Unmarshal(asked, &r); err != nil || r.ID < 0 || r.ID >= len(p.charges) {
		return nil, errors.New("which charge?")
	}
	c := p.charges[r.ID]
	switch c.State {
	case "paid":
		c.Refunded += c.Amount
	case "open":
		c.State, c.Why = "refused", "cancelled"
	}
	return json.Marshal(c)
}

func (p *keyedProvider) list(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := keyedList{Order: order.ID(r.URL.Query().Get("order"))}
	for _, c := range p.charges {
		if c.Order == l.Order {
			l.Charges = append(l.Charges, *c)
		}
	}
	body, err := json.Marshal(l)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body)
}

func (p *keyedProvider) books(_ context.Context, id order.ID) (Account, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var a Account
	for _, c := range p.charges {
		if c.Order == id && c.State == "paid" {
			a.Charges++
			a.Net += c.Amount - c.Refunded
		}
	}
	return a, nil
}

func (p *keyedProvider) decide(_ context.Context, id order.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.charges {
		switch {
		case c.Order != id || c.State != "open":
		case c.Card == "later good":
			c.State = "paid"
		default:
			c.State, c.Why = "refused", "the bank said no"
		}
	}
	return nil
}

func (p *keyedProvider) forgetKeys(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.known)
	return nil
}

// provider describes it to the suite, with the adapter that wrap makes of the honest one.
func (p *keyedProvider) provider(wrap func(*keyedAdapter) activities.Payments) Provider {
	return Provider{
		URL:        p.server.URL,
		NewAdapter: func(url string) activities.Payments { return wrap(newKeyedAdapter(url)) },
		Books:      p.books,
		Methods:    Methods{Approved: "good", Declined: "bad", PendingApproved: "later good", PendingDeclined: "later bad"},
		Decide:     p.decide, ForgetKeys: p.forgetKeys, KeyHeader: keyHeader,
	}
}

// keyedAdapter keeps the port's promises with a provider that will not stop a late charge: Reverse is
// Unknown until look-ups have found nothing for as long as a charge may be on its way.
type keyedAdapter struct {
	url     string
	http    *http.Client
	longest time.Duration // a request's
	key     func(what string) string
	trusts  bool // that every answer is about what was asked

	mu    sync.Mutex
	quiet map[order.ID]time.Time // since when nothing was found
}

func newKeyedAdapter(url string) *keyedAdapter {
	return &keyedAdapter{
		// A connection for each request, so that a refused dial means that nothing was sent.
		url: url, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		longest: 20 * time.Millisecond,
		key:     func(what string) string { return what },
		quiet:   make(map[order.ID]time.Time),
	}
}

func (a *keyedAdapter) ask(ctx context.Context, method, path, key string, asked, into any) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set(keyHeader, key)
	response, err := a.http.Do(request)
	if err != nil {
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" && ctx.Err() == nil {
			return order.Failf(order.Transient, "nothing was sent")
		}
		return order.Failf(order.Unknown, "the request broke off")
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return order.Failf(order.Unknown, "answered %s", response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return order.Failf(order.Unknown, "the answer cannot be read")
	}
	return nil
}

func (c keyedCharge) answer() order.Payment {
	switch {
	case c.State == "open":
		return order.Payment{Verdict: order.PaymentPending}
	case c.State == "refused":
		return order.Payment{Verdict: order.Declined, Reason: c.Why}
	case c.Refunded > 0:
		return order.Payment{Verdict: order.Declined, Reason: "refunded"}
	}
	return order.Payment{Verdict: order.Approved}
}

func (c keyedCharge) is(id order.ID, amount order.Amount) bool {
	return c.Order == id && c.Amount == amount.Minor && c.Currency == string(amount.Currency)
}

func (a *keyedAdapter) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	var made keyedCharge
	asked := keyedCharge{Order: id, Amount: amount.Minor, Currency: string(amount.Currency), Card: method}
	if err := a.ask(ctx, http.MethodPost, "/charges", a.key(string(id)), asked, &made); err != nil {
		return order.Payment{}, err
	}
	if !a.trusts && !made.is(id, amount) {
		return order.Payment{}, order.Failf(order.Unknown, "an answer about another charge")
	}
	return made.answer(), nil
}

func (a *keyedAdapter) list(ctx context.Context, id order.ID) ([]keyedCharge, error) {
	var found keyedList
	if err := a.ask(ctx, http.MethodGet, "/charges?order="+url.QueryEscape(string(id)), "", nil, &found); err != nil {
		return nil, err
	}
	if !a.trusts && found.Order != id {
		return nil, order.Failf(order.Unknown, "an answer about another order")
	}
	return found.Charges, nil
}

func (a *keyedAdapter) LookUp(ctx context.Context, id order.ID, amount order.Amount) (*order.Payment, error) {
	found, err := a.list(ctx, id)
	switch {
	case err != nil:
		return nil, order.Failf(order.Unknown, "%w", err)
	case len(found) == 0:
		return none, nil
	case len(found) > 1 || (!a.trusts && !found[0].is(id, amount)):
		return nil, order.Failf(order.Unknown, "%d charges, or one of another amount", len(found))
	}
	answer := found[0].answer()
	return &answer, nil
}

func (a *keyedAdapter) Reverse(ctx context.Context, id order.ID) error {
	found, err := a.list(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range found {
		if v := c.answer().Verdict; v == order.Declined {
			continue
		}
		a.restless(id)
		var refunded keyedCharge
		if err := a.ask(ctx, http.MethodPost, "/refunds", a.key(strconv.Itoa(c.ID)), c, &refunded); err != nil {
			return order.Failf(order.Unknown, "%w", err) // the look-up before it was answered
		}
		if !a.trusts && (refunded.ID != c.ID || refunded.Order != id) {
			return order.Failf(order.Unknown, "an answer about another refund")
		}
	}
	if left := a.longest - a.quietFor(id); left > 0 {
		return order.Failf(order.Unknown, "a charge may be on its way for %s more", left)
	}
	return nil
}

func (a *keyedAdapter) restless(id order.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.quiet, id)
}

func (a *keyedAdapter) quietFor(id order.ID) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	since, known := a.quiet[id]
	if !known {
		a.quiet[id] = time.Now()
		return 0
	}
	return time.Since(since)
}
