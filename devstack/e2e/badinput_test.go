package e2e_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/order"
)

// parts are request line, headers and body.
type parts [3]string

// goodRequests are what the bad ones are made of. Each of them is in order.
func goodRequests() []parts {
	id := string(order.NewID("ada", "k-1"))
	const (
		json  = "Content-Type: application/json\r\n"
		lines = `"currency":"EUR","payment_method":"tok_ok","lines":[{"sku":"mug","quantity":2,"unit_price":300}]}`
	)
	return []parts{
		{"POST /v1/orders", "Idempotency-Key: k-1\r\nPrefer: wait=1\r\n" + json, `{"customer_id":"ada",` + lines},
		{"POST /v1/orders", "Idempotency-Key: k-2\r\nPrefer: wait=0\r\n" + json, `{"customer_id":"bob",` + lines},
		{"GET /v1/orders/" + id, "", ""},
		{"GET /v1/orders?status=CONFIRMED&customer_id=ada&attention=false&limit=3", "", ""},
		{"POST /v1/orders/" + id + "/cancel", "", ""},
		{"PUT /v1/stock/pen", "If-Match: \"1\"\r\n" + json, `{"on_hand":10,"limit_per_customer":3}`},
		{"POST /v1/stock/mug/receipts", json, `{"quantity":2,"reference":"delivery-1","reason":"delivery"}`},
		{"GET /v1/stock?limit=2&cursor=", "", ""},
		{
			"POST /v1/payments/webhook", "Webhook-Id: 1\r\nWebhook-Timestamp: 1800000000\r\nWebhook-Signature: v1,AAAA\r\n" + json,
			`{"data":{"reference":"` + id + `"}}`,
		},
	}
}

func (p parts) String() string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s", p[0], p[1], len(p[2]), p[2])
}

// spoilt are pieces that parsers trip over.
var spoilt = []string{
	"\x00", "\r\n", "\r\n\r\n", "\xff\xfe", "\ufeff", "\u202e", "null", "-1", "0", "1e309", "9223372036854775808", `"`, "{", "[", "}", ",", ":", "%00", "%2F", "../", "?", "&", "=",
	"ord_", "' OR 1=1 --", "{{.}}", "\r\nTransfer-Encoding: chunked\r\n", "\r\nExpect: 100-continue\r\n", strings.Repeat("[", 200), strings.Repeat("9", 100),
	strings.Repeat("a", 70_000), "OPTIONS", "PUT", "HTTP/1.0", "HTTP/9.9",
}

// spoil changes a request in some places: one part of it, or the whole as it is sent.
func spoil(draw *rand.Rand, request parts) string {
	for range draw.IntN(4) {
		part := draw.IntN(len(request))
		request[part] = string(mangle(draw, []byte(request[part])))
	}
	if draw.IntN(4) == 0 {
		return string(mangle(draw, []byte(request.String())))
	}
	return request.String()
}

func mangle(draw *rand.Rand, text []byte) []byte {
	at := draw.IntN(len(text) + 1)
	to := at + draw.IntN(min(len(text)-at, 20)+1)
	piece := []byte(spoilt[draw.IntN(len(spoilt))])
	switch draw.IntN(5) {
	case 0:
		piece = []byte{byte(draw.IntN(256))} //nolint:gosec // it fits
	case 1:
		piece = nil
	case 2:
		piece = bytes.Repeat(text[at:to], 2)
	case 3:
		to = at
	}
	return slices.Concat(text[:at], piece, text[to:])
}

// TestAFloodOfBadRequestsNeitherBreaksTheAPINorLosesAUnit sends spoilt requests over bare connections to an api that
// is a process of its own.
func TestAFloodOfBadRequestsNeitherBreaksTheAPINorLosesAUnit(t *testing.T) {
	t.Parallel()
	const clients, requestsEach = 8, 500
	f := openFloor(t)
	f.hire(t)
	f.sell(t, "mug", 50)
	f.sell(t, "pen", 10)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	answers := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for client := range uint64(clients) {
		all.Go(func() {
			draw := rand.New(rand.NewPCG(seed, client))
			good := goodRequests()
			for range requestsEach {
				request := spoil(draw, good[draw.IntN(len(good))])
				statuses, err := exchange(t, f.apiAddr, request)
				if err != nil {
					t.Errorf("%q: %v", request, err)
				}
				mu.Lock()
				for _, status := range statuses {
					answers[status]++
					if status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable && status != http.StatusNotImplemented &&
						status != http.StatusHTTPVersionNotSupported {
						t.Errorf("%q was answered %d", request, status)
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t.Logf("answers by status: %v", answers)
	for _, status := range []int{200, 201, 400, 404, 415, 422} {
		if answers[status] == 0 {
			t.Errorf("none was answered %d", status)
		}
	}
	select {
	case <-f.api.Done():
		t.Fatal("the api has ended")
	default:
	}
	f.quiet(t)
	log, err := os.ReadFile(filepath.Join(f.dir, "api.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"panic", `"level":"ERROR"`} {
		if bytes.Contains(log, []byte(word)) {
			t.Errorf("the api logged %s: %s", word, log)
		}
	}
	scrape(t, f.api.URL()+"/readyz")
}

// exchange sends the text on a connection of its own, and gives the statuses that come back. A server that closes the connection,
// because it was told to or could not read the request, may do so before all of the text is sent.
func exchange(t *testing.T, addr, text string) (statuses []int, err error) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, text); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}
	answers := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(answers, nil)
		if isTimeout(err) {
			return statuses, err
		}
		if err != nil {
			return statuses, nil
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if isTimeout(err) {
			return statuses, err
		}
		if response.StatusCode >= http.StatusOK {
			statuses = append(statuses, response.StatusCode)
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
