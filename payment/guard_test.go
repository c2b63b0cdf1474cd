package payment_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"holdfast/order"
	"holdfast/payment"
	"holdfast/payment/sandbox"
)

// A provider that hangs takes as many hands as it may, and everyone else learns soon that it is slow.
func TestASlowProviderTakesNoMoreThanItsShare(t *testing.T) {
	t.Parallel()
	const share = 4
	arrived, goOn := make(chan struct{}, share+1), make(chan struct{})
	provider := sandbox.New(sandbox.Config{}).Handler()
	server := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-goOn
		provider.ServeHTTP(w, r)
	})
	client, err := payment.New(payment.Config{
		URL: server.URL, Timeout: patience, Concurrency: share, Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	charge := func(key string) error {
		_, err := client.Charge(t.Context(), newID(t, key), price, "tok_ok")
		return err
	}
	var slow sync.WaitGroup
	for i := range share {
		slow.Go(func() {
			if err := charge(fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	for range share {
		<-arrived
	}
	began := time.Now()
	wantFailure(t, charge("late"), order.Transient, "many requests are open", "nothing was sent")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("learned it after %s", took)
	}
	close(goOn)
	slow.Wait()
	if err := charge("late"); err != nil {
		t.Error(err)
	}
}

func TestAProviderThatIsDownIsHardlyAsked(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var well atomic.Bool
	provider := sandbox.New(sandbox.Config{}).Handler()
	server := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if !well.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		provider.ServeHTTP(w, r)
	})
	registry := prometheus.NewRegistry()
	client, err := payment.New(payment.Config{URL: server.URL, Timeout: patience, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	wantDown := func(want int) {
		t.Helper()
		text := fmt.Sprintf("# HELP holdfast_payment_provider_down 1 while the payment provider is taken to be down and hardly asked, otherwise 0.\n"+
			"# TYPE holdfast_payment_provider_down gauge\nholdfast_payment_provider_down %d\n", want)
		if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "holdfast_payment_provider_down"); err != nil {
			t.Error(err)
		}
	}
	wantDown(0)
	const orders = 500
	turnedAway := 0
	for i := range orders {
		_, err := client.Charge(t.Context(), newID(t, fmt.Sprint(i)), price, "tok_ok")
		if strings.Contains(fmt.Sprint(err), "is down") {
			wantFailure(t, err, order.Transient, "nothing was sent")
			turnedAway++
		}
	}
	if n := asked.Load(); n > 40 || turnedAway < orders-40 {
		t.Errorf("the provider was asked %d times, and %d of %d orders were turned away", n, turnedAway, orders)
	}
	wantDown(1)
	well.Store(true)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := client.Charge(t.Context(), newID(t, "after"), price, "tok_ok"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody notices that the provider is back")
		}
	}
	wantDown(0)
}

// Orders that fail among others that do not are no outage.
func TestAFailureNowAndThenIsNoOutage(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	provider := sandbox.New(sandbox.Config{}).Handler()
	server := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		provider.ServeHTTP(w, r)
	})
	client := newClient(t, server.URL, patience)
	const orders = 200
	for i := range orders {
		_, _ = client.Charge(t.Context(), newID(t, fmt.Sprint(i)), price, "tok_ok")
	}
	if n := asked.Load(); n != orders {
		t.Errorf("the provider was asked %d times, want %d", n, orders)
	}
}
