// Package warehouse is the client of the warehouse, which is given the day's orders in pages. It turns whatever comes back, or
// does not, into an answer or an order.Failure. Only app and the audit import it; activities know it as a port.
package warehouse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/order"
)

// Config says where the warehouse is. URL and Timeout are required.
type Config struct {
	// URL is the base of every path, such as https://warehouse.example/v1-of-theirs.
	URL string
	// Timeout bounds one request from the dial to the last byte of the answer.
	Timeout time.Duration
	// Wrap puts something around what sends the requests; nil for nothing.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Client talks to the warehouse. It may be used from many goroutines. Every error is an *order.Failure.
type Client struct {
	base    string // without a slash at its end
	timeout time.Duration
	http    *http.Client
	idle    *http.Transport // holds the connections
}

// New makes a client, without any connection yet. The error names what is wrong with the configuration.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("warehouse's URL: %w", err)
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "", base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("warehouse's URL: must be http:// or https://, a host and at most a path")
	case cfg.Timeout <= 0:
		return nil, errors.New("warehouse's time-out: must be positive")
	}
	idle := &http.Transport{IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10}
	transport := http.RoundTripper(idle)
	if cfg.Wrap != nil {
		transport = cfg.Wrap(transport)
	}
	return &Client{
		base: strings.TrimSuffix(base.String(), "/"), timeout: cfg.Timeout, idle: idle,
		http: &http.Client{
			Transport: transport,
			// Orders go to nobody who was not configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close drops the idle connections. Calls under way go on.
func (c *Client) Close() { c.idle.CloseIdleConnections() }

// receipt is the warehouse's answer to a manifest: it has all orders but those.
type receipt struct {
	Rejected *[]order.Refusal `json:"rejected"` // nil if it is something else
}

// Deliver implements the port of package activities: POST /v1/manifests with the page's name as Idempotency-Key. 200 is the
// receipt; a 4xx says that the warehouse will not take the manifest as it is, unless it is one that asks for patience (408, 425,
// 429) or speaks of ourselves (401, 403, 404, 407).
func (c *Client) Deliver(ctx context.Context, manifest order.Manifest) ([]order.Refusal, error) {
	const path = "/v1/manifests"
	body, err := json.Marshal(manifest)
	if err != nil {
		return nil, order.Failf(order.Final, "encode the manifest: %w", err)
	}
	status, text, err := c.exchange(ctx, http.MethodPost, path, body, "handoff:"+manifest.PageKey.String())
	if err != nil {
		return nil, order.AsFailure(err)
	}
	switch {
	case status == http.StatusOK:
	case status >= 400 && status < 500 && !slices.Contains(notAboutTheManifest, status):
		return nil, order.Failf(order.Final, "%d: %s", status, words(text))
	default:
		return nil, order.Failf(order.Unknown, "POST %s: %d: %s", path, status, words(text))
	}
	var got receipt
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, order.Failf(order.Unknown, "POST %s: the receipt is none: %w", path, err)
	}
	if got.Rejected == nil {
		return nil, order.Failf(order.Unknown, "POST %s: the receipt does not say what is rejected", path)
	}
	for _, r := range *got.Rejected {
		if !slices.ContainsFunc(manifest.Orders, func(p order.Parcel) bool { return p.ID == r.ID }) {
			return nil, order.Failf(order.Unknown, "POST %s: the receipt is about order %q, which was not sent", path, r.ID)
		}
	}
	return *got.Rejected, nil
}

var notAboutTheManifest = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired,
	http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
}

// MaxPage is the most arrivals that one call gives.
const MaxPage = 1000

// Arrival is an order that the warehouse has.
type Arrival struct {
	Number int64    `json:"number"` // rises from arrival to arrival
	ID     order.ID `json:"order_id"`
	order.PageKey
}

// Arrivals gives what the warehouse has, with a number above after, at most limit, which is 1 to MaxPage: GET /v1/arrivals. next is
// the after of the following page, or 0 if there was none when it was asked.
func (c *Client) Arrivals(ctx context.Context, after int64, limit int) (arrivals []Arrival, next int64, err error) {
	path := "/v1/arrivals?" + url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}.Encode()
	status, text, err := c.exchange(ctx, http.MethodGet, path, nil, "")
	if err != nil {
		return nil, 0, order.AsFailure(err)
	}
	var page struct {
		Arrivals []Arrival `json:"arrivals"`
		Next     int64     `json:"next"`
	}
	if status != http.StatusOK {
		return nil, 0, order.Failf(order.Unknown, "GET %s: %d: %s", path, status, words(text))
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return nil, 0, order.Failf(order.Unknown, "GET %s: %w", path, err)
	}
	last := after
	for _, a := range page.Arrivals {
		if a.Number <= last {
			return nil, 0, order.Failf(order.Unknown, "GET %s: arrival %d makes no sense after %d", path, a.Number, last)
		}
		last = a.Number
	}
	if len(page.Arrivals) > limit || page.Next != 0 && (page.Next != last || last == after) {
		return nil, 0, order.Failf(order.Unknown, "GET %s: more than asked for, or a next page that does not lead on", path)
	}
	return page.Arrivals, page.Next, nil
}

// maxAnswer bounds what is read of an answer, in bytes: five times the longest page of arrivals.
const maxAnswer = 1 << 20

// exchange sends a request and reads the whole answer, whatever its status. An error without a class is Unknown.
func (c *Client) exchange(ctx context.Context, method, path string, body []byte, key string) (status int, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Accept", "application/json")
	if key != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
	}
	response, err := c.http.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read, or is given up
	text, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("%s %s: %d, and the answer broke off: %w", method, path, response.StatusCode, err)
	case len(text) > maxAnswer:
		return 0, nil, fmt.Errorf("%s %s: the answer is longer than %d bytes", method, path, maxAnswer)
	}
	return response.StatusCode, text, nil
}

// words are what an answer says of a failure, in a length for people.
func words(text []byte) string {
	const most = 300
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) == nil && said.Error != "" {
		text = []byte(said.Error)
	}
	return strings.ToValidUTF8(string(text[:min(len(text), most)]), "\uFFFD")
}
