package payment_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/payment/sandbox"
)

// nobody is an address on which nothing listens: port 1 needs privileges and has no service.
const nobody = "http://127.0.0.1:1"

// TestRefusedReadsAreUnknown, as a look-up is: an audit concludes nothing.
func TestRefusedReadsAreUnknown(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, nobody, patience), newID(t, "")
	_, err := client.Net(t.Context(), id)
	wantFailure(t, err, order.Unknown, "connection refused")
	_, _, err = client.Ledger(t.Context(), 0, 1)
	wantFailure(t, err, order.Unknown, "connection refused")
}

// hanging is a provider that takes the request and never answers. It tells of each that arrived.
func hanging(t *testing.T) (server *httptest.Server, arrived chan struct{}) {
	t.Helper()
	arrived = make(chan struct{}, 1)
	return scripted(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the client leave
		arrived <- struct{}{}
		<-r.Context().Done()
	}), arrived
}

// TestTimeOutIsUnknown gives ever more time, until the request got away before its time was over: on a
// busy machine the first ones may not.
func TestTimeOutIsUnknown(t *testing.T) {
	t.Parallel()
	server, arrived := hanging(t)
	for timeout := 50 * time.Millisecond; timeout < patience; timeout *= 2 {
		_, err := newClient(t, server.URL, timeout).Charge(t.Context(), newID(t, ""), price, secret)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want one that wraps context.DeadlineExceeded", err)
		}
		select {
		case <-arrived:
			wantFailure(t, err, order.Unknown, "POST /v1/charges: ")
			return
		default:
		}
	}
	t.Fatal("no request arrived")
}

// hijack takes the connection from the server, to end it as no HTTP server would.
func hijack(t *testing.T, w http.ResponseWriter) *net.TCPConn {
	t.Helper()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		panic(http.ErrAbortHandler)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		t.Errorf("got a %T", conn)
		panic(http.ErrAbortHandler)
	}
	return tcp
}

// TestRefusedRepeatOfTheTransportIsUnknown: the request that was refused is the second one. The first
// took the money before its connection died.
func TestRefusedRepeatOfTheTransportIsUnknown(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized} {
		provider := sandbox.New(sandbox.Config{}).Handler()
		var charges atomic.Int64
		server := scripted(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodGet:
				provider.ServeHTTP(w, r)
			case charges.Add(1) == 1:
				provider.ServeHTTP(httptest.NewRecorder(), r)
				_ = hijack(t, w).Close()
			default:
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"error":"simulated"}`)
			}
		})
		client, id := newClient(t, server.URL, patience), newID(t, strconv.Itoa(status))
		wantAccount(t, client, id, account{})
		_, err := client.Charge(t.Context(), id, price, sandbox.TokenOK)
		wantFailure(t, err, order.Unknown, strconv.Itoa(status))
		wantAccount(t, client, id, account{charges: 1, net: price.Minor})
	}
}

// TestRepeatOfTheTransportIsHarmless: the reused connection dies after the charge, and the repeat
// that the transport sends by itself moves no more money.
func TestRepeatOfTheTransportIsHarmless(t *testing.T) {
	t.Parallel()
	provider := sandbox.New(sandbox.Config{}).Handler()
	var charges atomic.Int64
	server := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && charges.Add(1) == 1 {
			provider.ServeHTTP(httptest.NewRecorder(), r)
			_ = hijack(t, w).Close()
			return
		}
		provider.ServeHTTP(w, r)
	})
	client, id := newClient(t, server.URL, patience), newID(t, "")
	wantAccount(t, client, id, account{})
	got, err := client.Charge(t.Context(), id, price, sandbox.TokenOK)
	if err != nil || got.Verdict != order.Approved {
		t.Fatalf("got %+v, %v", got, err)
	}
	if n := charges.Load(); n != 2 {
		t.Errorf("the charge arrived %d times, want twice", n)
	}
	wantAccount(t, client, id, account{charges: 1, net: price.Minor})
}
