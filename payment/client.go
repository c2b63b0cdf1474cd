// Package payment is the client of the payment provider. It turns whatever comes back, or does not,
// into an answer or an order.Failure, and it holds to one rule: only the provider's own word "declined"
// is a decline, and whatever may have moved money is unknown. Only app, the audit and programs import
// it; activities know it as a port, and the API's handlers read webhooks with it. It imports nothing of ours but order.
package payment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/order"
)

// Config says where the provider is. All fields but Concurrency and Wrap are required.
type Config struct {
	// URL is the base of every path, such as https://payments.example/sandbox.
	URL string
	// Timeout bounds one request from the dial to the last byte of the answer. The caller's context
	// may bound it further.
	Timeout time.Duration
	// Concurrency bounds the requests that are open at once; 0 means DefaultConcurrency.
	Concurrency int
	// Registerer takes the client's series.
	Registerer prometheus.Registerer
	// Wrap puts something around what sends the requests; nil for nothing.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Client talks to the provider. It may be used from many goroutines. Every error is an *order.Failure.
type Client struct {
	base    string // without a slash at its end
	timeout time.Duration
	http    *http.Client
	idle    *http.Transport // holds the connections
	guard   *guard
	metrics *metrics
}

// New makes a client, without any connection yet. The error names what is wrong with the configuration.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("payment provider's URL: %w", err)
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "", base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("payment provider's URL: must be http:// or https://, a host and at most a path")
	case cfg.Timeout <= 0:
		return nil, errors.New("payment provider's time-out: must be positive")
	case cfg.Concurrency < 0:
		return nil, errors.New("payment provider's concurrency: must not be negative")
	case cfg.Registerer == nil:
		return nil, errors.New("payment client: needs a prometheus.Registerer")
	}
	g := newGuard(cmp.Or(cfg.Concurrency, DefaultConcurrency))
	idle := newTransport(cfg.Timeout)
	transport := http.RoundTripper(idle)
	if cfg.Wrap != nil {
		transport = cfg.Wrap(transport)
	}
	return &Client{
		base:    strings.TrimSuffix(base.String(), "/"),
		timeout: cfg.Timeout,
		http: &http.Client{
			Transport: transport,
			// A redirected charge would go to a host that nobody configured. The 3xx itself is the
			// answer, and a surprising one.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		idle:    idle,
		guard:   g,
		metrics: newMetrics(cfg.Registerer, g.down),
	}, nil
}

// Close drops the idle connections. Calls under way go on.
func (c *Client) Close() { c.idle.CloseIdleConnections() }

// idleConnections is kept open towards the one host: as many as may be busy. With Go's default of 2, nearly every charge of
// a batch would pay for a new connection.
const idleConnections = DefaultConcurrency

// newTransport talks HTTP/1.1 to one host.
//
// When a reused connection turns out dead, the transport sends a request again by itself if it is a GET
// or has an Idempotency-Key. That is welcome: the key makes it harmless, and an idle connection that
// the provider has closed costs no order its fast path. exchange counts such repeats, since what fails
// after one may have been carried out the first time.
func newTransport(timeout time.Duration) *http.Transport {
	// Dials outlive the request that asked for them, so they need a bound of their own.
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // money does not take a way that some HTTP_PROXY happens to name
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    timeout,
		Protocols:              protocols,
		MaxIdleConns:           idleConnections,
		MaxIdleConnsPerHost:    idleConnections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // answers are short, and a bound on bytes must be one on memory
	}
}

// Charge takes the amount under the order id as reference. It may be repeated: the key is made from the
// order id, so the provider decides once and answers the same again. Only pending turns into another
// answer.
//
// A failure is Transient if nothing was sent or the provider turned the client itself away, Final if
// the provider refuses these very parameters, and otherwise Unknown.
func (c *Client) Charge(ctx context.Context, id order.ID, amount order.Amount, paymentMethod string) (order.Payment, error) {
	return call(c, opCharge, string(id), func() (order.Payment, error) {
		reply, err := c.exchange(ctx, request{
			method: http.MethodPost, path: "/v1/charges", key: "charge:" + string(id),
			body:   chargeBody{Reference: id, Amount: amount.Minor, Currency: amount.Currency, PaymentMethod: paymentMethod},
			hidden: paymentMethod, refusable: true,
		})
		if err != nil {
			return order.Payment{}, err
		}
		return readCharge(reply, id, amount)
	})
}

// LookUp asks what became of a charge of that amount. It returns nil if the provider knows none. A charge
// that was reversed counts as declined, with the reason ReasonReversed. A charge of another amount is
// somebody's mistake, which a person must look at: it is Unknown.
//
// Every failure is Unknown, even a refused dial: it stands for the charge that was asked about, of
// which nothing was learned.
func (c *Client) LookUp(ctx context.Context, id order.ID, amount order.Amount) (*order.Payment, error) {
	return call(c, opLookUp, string(id), func() (*order.Payment, error) {
		found, err := c.find(ctx, id)
		if err != nil || found == nil {
			return nil, err
		}
		payment, err := found.payment(amount)
		if err != nil {
			return nil, err
		}
		return &payment, nil
	})
}

// Reverse makes the order's net charge zero and keeps it zero. It may be repeated, and it is sent
// without a look-up before it: the provider reverses once for each reference whatever it was, and
// only the reversal itself blocks a charge that is still on its way.
//
// A failure is Transient if nothing was sent or the provider turned the client itself away, and
// otherwise Unknown. None is Final, since an undo must not be given up.
func (c *Client) Reverse(ctx context.Context, id order.ID) error {
	_, err := call(c, opReverse, string(id), func() (struct{}, error) {
		reply, err := c.exchange(ctx, request{
			method: http.MethodPost, path: "/v1/reversals", key: "reverse:" + string(id),
			body: reversalBody{Reference: id},
		})
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, readReversal(reply, id)
	})
	return err
}

// find gives the provider's record of an order, nil if it has none.
func (c *Client) find(ctx context.Context, id order.ID) (*paymentAnswer, error) {
	reply, err := c.exchange(ctx, request{
		method: http.MethodGet, path: "/v1/payments/" + url.PathEscape(string(id)), missable: true,
	})
	if err != nil || reply.status == http.StatusNotFound {
		return nil, err
	}
	return readPayment(reply, id)
}
