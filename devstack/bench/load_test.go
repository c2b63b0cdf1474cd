package bench

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoadEndsWithItsOperationsOrItsTime(t *testing.T) {
	t.Parallel()
	var done atomic.Int64
	do := func(context.Context, int) error {
		done.Add(1)
		time.Sleep(time.Millisecond)
		return nil
	}
	s, err := load{atOnce: 4, operations: 25}.run(t.Context(), do)
	if err != nil || s.operations() != 25 || done.Load() != 25 {
		t.Errorf("%d were measured and %d done, want 25; %v", s.operations(), done.Load(), err)
	}
	s, err = load{atOnce: 2, duration: 20 * time.Millisecond}.run(t.Context(), do)
	if err != nil || s.elapsed < 20*time.Millisecond || s.operations() == 0 {
		t.Errorf("%d in %s; %v", s.operations(), s.elapsed, err)
	}
}

func TestLoadEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	failure := errors.New("no")
	_, err := load{atOnce: 3, duration: time.Hour}.run(t.Context(), func(_ context.Context, who int) error {
		if who == 1 {
			return failure
		}
		return nil
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}

func TestCrowdSendsOrdersUnderKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	const shoppers, orders = 3, 20
	var mu sync.Mutex
	keys, bodies := map[string]bool{}, map[string]bool{}
	// Nobody is answered before all have asked once: otherwise two quick ones could leave nothing to the third.
	var all sync.WaitGroup
	all.Add(shoppers)
	var asked atomic.Int64
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		keys[r.Header.Get("Idempotency-Key")], bodies[string(body)] = true, true
		mu.Unlock()
		if asked.Add(1) <= shoppers {
			all.Done()
		}
		all.Wait()
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"status": "CONFIRMED"}`))
	}))
	defer shop.Close()
	c := enter(t, shop, shoppers, http.StatusCreated)
	if _, err := (load{atOnce: shoppers, operations: orders}).run(t.Context(), c.shop); err != nil {
		t.Fatal(err)
	}
	if len(keys) != orders || len(bodies) != shoppers {
		t.Errorf("%d keys and %d bodies, want %d and %d", len(keys), len(bodies), orders, shoppers)
	}
}

func TestAnUnexpectedAnswerEndsTheRun(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the queue is full", http.StatusServiceUnavailable)
	}))
	defer shop.Close()
	c := enter(t, shop, 1, http.StatusCreated)
	err := c.shop(t.Context(), 0)
	if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "the queue is full") {
		t.Errorf("got %v", err)
	}
}

func TestWhoWaitsForAnAnswerLeavesWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked, over := make(chan struct{}), make(chan struct{})
	shop := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-over
	}))
	defer shop.Close()
	defer close(over)
	bodies, err := hotOrders(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := gather(ctx, "test", shop.Listener.Addr().String(), 1, bodies, http.StatusCreated)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error)
	go func() { answered <- c.shop(ctx, 0) }()
	<-asked
	cancel()
	if err := <-answered; err == nil {
		t.Error("an answer came")
	}
	c.leave()
}

func enter(t *testing.T, shop *httptest.Server, shoppers, want int) *crowd {
	t.Helper()
	bodies, err := hotOrders(shoppers)
	if err != nil {
		t.Fatal(err)
	}
	c, err := gather(t.Context(), "test", shop.Listener.Addr().String(), shoppers, bodies, want)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.leave)
	return c
}
