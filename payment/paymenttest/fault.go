package paymenttest

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"holdfast/order"
)

// A mishap is a fault by name. None of them tells the adapter whether the provider acted.
type mishap struct {
	name  string
	acted bool // the provider carried out what it was asked
	fault fault
}

func mishaps() []mishap {
	return []mishap{
		{"cut before the provider", false, exchange.cut},
		{"connection reset before the provider", false, func(x exchange) { x.raw("", true) }},
		{"answer lost", true, func(x exchange) { x.reach(); x.cut() }},
		{"answer cut in its head", true, func(x exchange) { x.reach(); x.raw("HTTP/1.1 200 OK\r\nContent-", false) }},
		{"answer cut half way", true, func(x exchange) { cutHalfWay(x, x.reach()) }},
		{"500 before it acted", false, failing(http.StatusInternalServerError)},
		{"500 after it acted", true, acting(failing(http.StatusInternalServerError))},
		{"503 before it acted", false, failing(http.StatusServiceUnavailable)},
		{"503 after it acted", true, acting(failing(http.StatusServiceUnavailable))},
		{"429 before it acted", false, failing(http.StatusTooManyRequests)},
		{"429 after it acted", true, acting(failing(http.StatusTooManyRequests))},
		{"a load balancer's 404", false, showing(http.StatusNotFound)},
		{"a load balancer's 502", true, acting(showing(http.StatusBadGateway))},
		{"a gateway's 404 in JSON", false, springing},
		{"a firewall's 403 after it acted", true, acting(showing(http.StatusForbidden))},
		{"a log-in page", false, showing(http.StatusOK)},
		{"garbage", true, acting(saying(http.StatusOK, "application/json", "!{"))},
		{"an empty answer", true, acting(saying(http.StatusOK, "application/json", ""))},
		{"an empty object", true, acting(saying(http.StatusOK, "application/json", "{}"))},
		{"no HTTP at all", true, func(x exchange) { x.reach(); x.raw("no status line\r\n\r\n", false) }},
	}
}

func pass(x exchange) { x.give(x.reach()) }

// saying answers without the provider.
func saying(status int, contentType, body string) fault {
	return func(x exchange) {
		x.give(reply{status: status, header: http.Header{"Content-Type": {contentType}}, body: []byte(body)})
	}
}

// failing is an error as an API words it.
func failing(status int) fault {
	return saying(status, "application/json", fmt.Sprintf(`{"error":%q}`, http.StatusText(status)))
}

// showing is the page of a machine that stands before the provider.
func showing(status int) fault {
	return saying(status, "text/html", "<html><body><h1>"+http.StatusText(status)+"</h1></body></html>")
}

// springing is what a widespread framework says of a path that it does not serve.
func springing(x exchange) {
	body := fmt.Sprintf(`{"timestamp":"2026-11-27T00:00:00Z","status":404,"error":"Not Found","path":%q}`, x.uri)
	saying(http.StatusNotFound, "application/json", body)(x)
}

// acting lets the provider act first, and keeps its answer.
func acting(f fault) fault {
	return func(x exchange) {
		x.reach()
		f(x)
	}
}

func cutHalfWay(x exchange, a reply) {
	x.w.Header().Set("Content-Type", a.header.Get("Content-Type"))
	x.w.Header().Set("Content-Length", strconv.Itoa(max(len(a.body), 2)))
	x.w.WriteHeader(a.status)
	_, _ = x.w.Write(a.body[:len(a.body)/2]) // the adapter may be gone
	_ = http.NewResponseController(x.w).Flush()
	x.cut()
}

// dying lets the provider act, and is gone with its address: connections break, dials are refused.
func dying(x exchange) {
	x.reach()
	_ = x.server.Listener.Close() // the case's end closes it again
	x.cut()
}

// silent lets the provider act and never answers. It tells of each request that it swallowed.
func silent(swallowed chan<- struct{}) fault {
	return func(x exchange) {
		x.reach()
		select {
		case swallowed <- struct{}{}:
		default:
		}
		select {
		case <-x.ctx.Done():
		case <-x.closing:
		}
		x.cut()
	}
}

// replaying answers 500 and, as some providers do, the same for ever to the same key. The first time it
// lets the provider act, if it is to.
func replaying(acts bool) fault {
	var mu sync.Mutex
	known := make(map[string]bool)
	return func(x exchange) {
		mu.Lock()
		key := x.header.Get(x.keyHeader)
		first := !known[key]
		known[key] = true
		mu.Unlock()
		if acts && first {
			x.reach()
		}
		failing(http.StatusInternalServerError)(x)
	}
}

// twice brings every request to the provider two times.
func twice(x exchange) {
	x.reach()
	pass(x)
}

// mixingUp gives the answers that others got, in their order and the last one for ever.
func mixingUp(others []reply, acts bool) fault {
	var mu sync.Mutex
	next := 0
	return func(x exchange) {
		if acts && x.moves() {
			x.reach()
		}
		mu.Lock()
		a := others[min(next, len(others)-1)]
		next++
		mu.Unlock()
		x.give(a)
	}
}

// misquoting gives the provider's answer with another amount in it, in minor or in major units, and tells
// whether it found one.
func misquoting(amount order.Amount, found *atomic.Bool) fault {
	minor := strconv.FormatInt(amount.Minor, 10)
	major := minor[:len(minor)-2] + "." + minor[len(minor)-2:]
	return func(x exchange) {
		a := x.reach()
		body := bytes.ReplaceAll(a.body, []byte(minor), []byte("1"+minor))
		body = bytes.ReplaceAll(body, []byte(major), []byte("1"+major))
		if !bytes.Equal(body, a.body) {
			found.Store(true)
		}
		x.give(reply{status: a.status, header: a.header, body: body})
	}
}

// echoes are the ways in which an answer may quote the request.
func echoes() []mishap {
	quote := func(m message) string { return m.uri + " " + string(m.body) }
	return []mishap{
		{"an error", false, func(x exchange) {
			saying(http.StatusInternalServerError, "application/json", fmt.Sprintf(`{"error":%q}`, quote(x.message)))(x)
		}},
		{"a refusal", false, func(x exchange) { saying(http.StatusBadRequest, "application/json", quote(x.message))(x) }},
		{"a page", false, func(x exchange) { saying(http.StatusBadGateway, "text/html", "<p>"+quote(x.message))(x) }},
		{"a 200", false, func(x exchange) { saying(http.StatusOK, "application/json", quote(x.message))(x) }},
		{"no HTTP", false, func(x exchange) { x.raw(strings.ReplaceAll(quote(x.message), "\n", " ")+"\r\n\r\n", false) }},
	}
}
