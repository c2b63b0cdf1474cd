package payment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"holdfast/order"
)

// maxAnswer bounds what is read of an answer, in bytes: five times the longest page of the ledger. A
// longer one is surprising, and its connection is dropped instead of drained.
const maxAnswer = 1 << 20

// request is one question to the provider.
type request struct {
	method, path string
	key          string // the Idempotency-Key; empty for none
	body         any    // nil for none
	hidden       string // must not show in an error; empty if there is nothing to hide

	missable  bool // a 404 in the provider's words is an answer: there is no such thing
	refusable bool // a 400 in the provider's words is final
}

// String says what to look at.
func (r request) String() string { return r.method + " " + r.path }

// reply is an answer that was read to its end.
type reply struct {
	request
	status int
	body   []byte
}

// call carries out one operation: it counts and times it, and gives its failure a class.
func call[T any](c *Client, op operation, what string, do func() (T, error)) (T, error) {
	started := time.Now()
	answer, err := do()
	var failure *order.Failure
	if err != nil {
		failure = order.AsFailure(fmt.Errorf("%s %s: %w", op.verb, what, err))
		if op.reads {
			failure.Class = order.Unknown
		}
	}
	c.metrics.observe(op, failure, time.Since(started))
	if failure != nil {
		var none T
		return none, failure
	}
	return answer, nil
}

// exchange sends a request and returns the answer if it is 200, or another one that the request allows
// for. An error that carries no class is Unknown.
func (c *Client) exchange(ctx context.Context, req request) (reply, error) {
	leave, err := c.guard.enter(ctx)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", req, err)
	}
	answered := false
	defer func() { leave(answered) }()
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connections int // that were given to the request, whose bytes may have left through each
	traced := httptrace.WithClientTrace(bounded, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connections++ }, // HTTP/1 calls it from within Do
	})
	answer, err := c.send(traced, req)
	answered = err == nil && answer.status < http.StatusInternalServerError
	switch {
	case err == nil:
		if err = answer.refusal(); err != nil && connections > 1 {
			// It answers a repeat by the transport. What the provider made of the request the first
			// time nobody knows.
			err = order.Failf(order.Unknown, "%w", err)
		}
	case connections == 0 && ctx.Err() == nil:
		err = order.Failf(order.Transient, "%s: nothing was sent: %w", req, err)
	default:
		err = fmt.Errorf("%s: %w", req, err)
	}
	if err != nil {
		return reply{}, err
	}
	return answer, nil
}

// cutError is an error of net/http, which quotes a malformed answer in full, in our length.
type cutError struct {
	text  string
	cause error
}

func (e *cutError) Error() string { return e.text }

func (e *cutError) Unwrap() error { return e.cause }

// send asks and reads the whole answer, whatever its status.
func (c *Client) send(ctx context.Context, req request) (reply, error) {
	var body io.Reader
	if req.body != nil {
		text, err := json.Marshal(req.body)
		if err != nil {
			return reply{}, err
		}
		body = bytes.NewReader(text)
	}
	wire, err := http.NewRequestWithContext(ctx, req.method, c.base+req.path, body)
	if err != nil {
		return reply{}, err
	}
	wire.Header.Set("Accept", "application/json")
	if req.body != nil {
		wire.Header.Set("Content-Type", "application/json")
	}
	if req.key != "" {
		wire.Header.Set("Idempotency-Key", req.key)
	}
	response, err := c.http.Do(wire)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // method and path stand in every error already
		}
		return reply{}, &cutError{text: req.quote(err.Error()), cause: err}
	}
	defer func() { _ = response.Body.Close() }() // it was read, or is given up
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return reply{}, fmt.Errorf("%d, and the answer broke off: %w", response.StatusCode, err)
	case len(text) > maxAnswer:
		return reply{}, fmt.Errorf("%d, and the answer is longer than %d bytes", response.StatusCode, maxAnswer)
	}
	return reply{request: req, status: response.StatusCode, body: text}, nil
}
