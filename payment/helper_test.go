package payment_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/payment"
	"holdfast/payment/sandbox"
)

var _ activities.Payments = (*payment.Client)(nil)

// patience is a time-out that no test is meant to reach.
const patience = time.Minute

// secret is a payment method that must show in no error.
const secret = "tok_s3cret"

var price = order.Amount{Minor: 1999, Currency: "EUR"}

func newID(t *testing.T, key string) order.ID {
	t.Helper()
	return order.NewID("customer", t.Name()+key)
}

func newClient(tb testing.TB, url string, timeout time.Duration) *payment.Client {
	tb.Helper()
	client, err := payment.New(payment.Config{URL: url, Timeout: timeout, Registerer: prometheus.NewRegistry()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

// newProvider serves a provider of its own. Its cleanup runs after those of the clients made later.
func newProvider(tb testing.TB, cfg sandbox.Config) *httptest.Server {
	tb.Helper()
	server := httptest.NewServer(sandbox.New(cfg).Handler())
	tb.Cleanup(server.Close)
	return server
}

// startProvider is a provider that listens by itself, for what it does without being asked.
func startProvider(t *testing.T, cfg sandbox.Config) *sandbox.Server {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	server := sandbox.New(cfg)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(t.Context()) })
	return server
}

func scripted(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// wantFailure checks the class, and that the error names the request and hides the payment method.
func wantFailure(t *testing.T, err error, class order.Class, words ...string) {
	t.Helper()
	var failure *order.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want an *order.Failure", err)
	}
	if failure.Class != class {
		t.Errorf("got class %q of %q, want %q", failure.Class, failure.Message, class)
	}
	for _, word := range words {
		if !strings.Contains(failure.Message, word) {
			t.Errorf("the error does not say %q: %s", word, failure.Message)
		}
	}
	if strings.Contains(failure.Message, secret) {
		t.Errorf("the error shows the payment method: %s", failure.Message)
	}
	if len(failure.Message) > 500 {
		t.Errorf("the error has %d bytes", len(failure.Message))
	}
}

// account is what the ledger says of one reference.
type account struct {
	charges, reversals int
	net                int64
}

// readBooks reads the whole ledger in small pages and checks that it has no gap.
func readBooks(t *testing.T, client *payment.Client) map[string]account {
	t.Helper()
	books := make(map[string]account)
	last := int64(0)
	for {
		entries, next, err := client.Ledger(t.Context(), last, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			last++
			if e.Number != last {
				t.Fatalf("entry %d follows entry %d", e.Number, last-1)
			}
			a := books[e.Reference]
			if e.Kind == payment.KindCharge {
				a.charges, a.net = a.charges+1, a.net+e.Amount.Minor
			} else {
				a.reversals, a.net = a.reversals+1, a.net-e.Amount.Minor
			}
			books[e.Reference] = a
		}
		if next == 0 {
			return books
		}
	}
}

// wantAccount checks ledger, look-up and net of one order, which must all tell the same.
func wantAccount(t *testing.T, client *payment.Client, id order.ID, want account) {
	t.Helper()
	if got := readBooks(t, client)[string(id)]; got != want {
		t.Errorf("the ledger says %+v of %s, want %+v", got, id, want)
	}
	net, err := client.Net(t.Context(), id)
	if err != nil || net != want.net {
		t.Errorf("Net gave %d, %v, want %d", net, err, want.net)
	}
	found, err := client.LookUp(t.Context(), id, price)
	if err != nil {
		t.Fatal(err)
	}
	if approved := found != nil && found.Verdict == order.Approved; approved != (want.net > 0) {
		t.Errorf("LookUp gave %+v for a net of %d", found, want.net)
	}
}
