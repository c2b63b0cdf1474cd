package cli

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
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

const (
	userAgent = "holdfast-starter"
	// maxAnswer bounds what is read of an answer. A page of 200 orders of 100 lines has some 2 MiB.
	maxAnswer = 8 << 20
	// defaultTimeout is twice what the API takes for its slowest ordinary answer.
	defaultTimeout = 10 * time.Second
)

// request is one call of the API.
type request struct {
	method string
	path   string // below the API's address; made of checked ids, so nothing in it needs escaping
	query  url.Values
	header map[string]string
	body   any           // sent as JSON; nil for none
	within time.Duration // for the whole exchange
	// visible: a request on a connection that turns out closed is a lost answer. Otherwise net/http sends one with
	// an Idempotency-Key again by itself, and nobody counts it.
	visible bool
}

// answer is what the API said: a JSON document, or a problem.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	problem *problem // nil if all is well
	// foreign: it is not in the API's form, so that something else must have answered. The problem
	// then says so.
	foreign bool
}

// lostError means that no answer came.
type lostError struct {
	url     string
	reached bool // a connection was there, so the API may have got the request
	cause   error
}

// Error says what was tried and why it failed.
func (e *lostError) Error() string {
	cause := e.cause
	if inner, ok := errors.AsType[*url.Error](cause); ok {
		cause = inner.Err // the address stands in the text already
	}
	if !e.reached {
		return fmt.Sprintf("cannot reach the API at %s: %v", e.url, cause)
	}
	return fmt.Sprintf("the API at %s gave no answer: %v", e.url, cause)
}

// Unwrap gives the cause.
func (e *lostError) Unwrap() error { return e.cause }

// timeoutFlag gives a command --timeout.
func timeoutFlag(cmd *cobra.Command, timeout *time.Duration, otherwise time.Duration, what string) {
	cmd.Flags().DurationVar(timeout, "timeout", otherwise, "how long "+what)
}

// ask sends a request and returns the API's document. Whatever else comes is a failure.
func (a *app) ask(ctx context.Context, r request) (answer, error) {
	return understood(a.send(ctx, r))
}

// understood makes failures of what is not the API's document.
func understood(ans answer, err error) (answer, error) {
	if err != nil {
		return answer{}, asFailure(err)
	}
	if ans.problem != nil {
		return ans, ans.failure()
	}
	return ans, nil
}

// asFailure makes the failure of a command from an error of send.
func asFailure(err error) error {
	lost, ok := errors.AsType[*lostError](err)
	switch {
	case !ok:
		return err
	case lost.reached:
		return errorf("no-answer", "No answer", "%v", lost)
	}
	return errorf("unreachable", "Not reachable", "%v", lost).
		advisef("Is it running? Its address comes from --api, else %s.", envAPI)
}

// failure is what a problem means for a command that knows no more of it.
func (ans answer) failure() *failure {
	code := exitUsage
	switch {
	case ans.foreign, ans.status >= 500, ans.status == http.StatusRequestTimeout, ans.status == http.StatusTooManyRequests:
		code = exitError
	}
	return &failure{code: code, problem: *ans.problem}
}

// send sends a request once. The error is a *lostError if there was no answer.
func (a *app) send(ctx context.Context, r request) (answer, error) {
	base, err := a.base()
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := r.build(ctx, base)
	if err != nil {
		return answer{}, err
	}
	lost := func(err error) error {
		return &lostError{url: base.Redacted(), reached: connected.Load(), cause: err}
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return answer{}, lost(err)
	}
	defer func() { _ = resp.Body.Close() }() // all of it that counts has been read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, lost(err)
	case len(body) > maxAnswer:
		return answer{}, lost(fmt.Errorf("it is longer than %d MiB", maxAnswer>>20))
	}
	return read(req, resp, body), nil
}

func (r request) build(ctx context.Context, base *url.URL) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	u := base.JoinPath(r.path)
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if r.visible {
		req.GetBody = nil // without it net/http cannot
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json, application/problem+json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	return req, nil
}

// read sorts an answer into document, problem and what the API never says.
func read(req *http.Request, resp *http.Response, body []byte) answer {
	ans := answer{status: resp.StatusCode, header: resp.Header, body: body}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 && isObject(body) {
		return ans
	}
	if p, ok := readProblem(body); ok && resp.StatusCode >= 400 {
		ans.problem = &p
		return ans
	}
	return ans.asForeign(req.URL.Redacted(), "it was not a document of the API")
}

// asForeign marks an answer that the API cannot have given.
func (ans answer) asForeign(url, why string) answer {
	p := madeHere("foreign-answer", "Not an answer of holdfast's API",
		fmt.Sprintf("%s answered %d %s, but %s", url, ans.status, http.StatusText(ans.status), why))
	ans.problem, ans.foreign = &p, true
	return ans
}

func isObject(doc []byte) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal(doc, &object) == nil && object != nil
}
