package warehouse_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/activities"
	"holdfast/internal/healthcheck"
	"holdfast/order"
	"holdfast/warehouse"
	"holdfast/warehouse/sandbox"
)

var _ activities.Warehouse = (*warehouse.Client)(nil)

// house is a sandbox with its client.
type house struct {
	*warehouse.Client

	server  *sandbox.Server
	journal string
}

func open(t *testing.T) *house {
	t.Helper()
	return openOn(t, filepath.Join(t.TempDir(), "arrivals.jsonl"))
}

func openOn(t *testing.T, journal string) *house {
	t.Helper()
	h := &house{server: sandbox.New(sandbox.Config{Addr: "127.0.0.1:0", Journal: journal}), journal: journal}
	if err := h.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.server.Stop(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
	})
	h.Client = clientOf(t, h.server.URL(), 10*time.Second)
	return h
}

func clientOf(t *testing.T, url string, timeout time.Duration) *warehouse.Client {
	t.Helper()
	c, err := warehouse.New(warehouse.Config{URL: url, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (h *house) ail(t *testing.T, f sandbox.Faults) {
	t.Helper()
	body := fmt.Sprintf(`{"mode":%q,"seconds":%d,"delay_ms":%d}`, f.Mode, f.Seconds, f.DelayMS)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, h.server.URL()+"/v1/admin/faults", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s was answered %d", body, res.StatusCode)
	}
}

// manifest is a page with an order of each SKU.
func manifest(page int, skus ...string) order.Manifest {
	m := order.Manifest{PageKey: order.PageKey{HandOff: "a", Page: page}, Cutoff: time.Unix(1_800_000_000, 0).UTC()}
	for i, sku := range skus {
		m.Orders = append(m.Orders, order.Parcel{
			ID: order.NewID("ada", fmt.Sprint(page, "-", i)), CustomerID: "ada", Lines: []order.ParcelLine{{SKU: sku, Quantity: 2}},
		})
	}
	return m
}

func (h *house) wantArrived(t *testing.T, want ...order.ID) {
	t.Helper()
	var got []order.ID
	for after := int64(0); ; {
		page, next, err := h.Arrivals(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			got = append(got, a.ID)
		}
		if after = next; next == 0 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q have arrived, want %q", got, want)
	}
}

func wantClass(t *testing.T, err error, class order.Class, word string) {
	t.Helper()
	if f, ok := errors.AsType[*order.Failure](err); !ok || f.Class != class || !strings.Contains(err.Error(), word) {
		t.Errorf("%v, want it %s with %q", err, class, word)
	}
}

func TestAManifestArrivesOnceHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	h := open(t)
	m := manifest(1, "mug", "unshippable-sofa", "pen")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			rejected, err := h.Deliver(t.Context(), m)
			if err != nil || len(rejected) != 1 || rejected[0].ID != m.Orders[1].ID || rejected[0].Reason == "" {
				t.Errorf("%+v, %v", rejected, err)
			}
		})
	}
	all.Wait()
	h.wantArrived(t, m.Orders[0].ID, m.Orders[2].ID)
	// A new process knows all of it.
	again := openOn(t, h.journal)
	if rejected, err := again.Deliver(t.Context(), m); err != nil || len(rejected) != 1 {
		t.Errorf("after a restart: %+v, %v", rejected, err)
	}
	again.wantArrived(t, m.Orders[0].ID, m.Orders[2].ID)
}

func TestWhatComesTwiceIsRefusedLoudly(t *testing.T) {
	t.Parallel()
	h := open(t)
	first := manifest(1, "mug", "pen")
	if _, err := h.Deliver(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	twice := manifest(2, "mug")
	twice.Orders[0].ID = first.Orders[1].ID
	_, err := h.Deliver(t.Context(), twice)
	wantClass(t, err, order.Final, "DUPLICATE")
	other := manifest(1, "mug")
	_, err = h.Deliver(t.Context(), other)
	wantClass(t, err, order.Final, "another manifest")
	h.wantArrived(t, first.Orders[0].ID, first.Orders[1].ID)
}

func TestAWarehouseThatIsIll(t *testing.T) {
	t.Parallel()
	for mode, c := range map[sandbox.Mode]struct {
		class   order.Class
		arrives bool
	}{
		sandbox.ModeDown:   {order.Unknown, false},
		sandbox.ModeLossy:  {order.Unknown, true},
		sandbox.ModeBroken: {order.Unknown, true},
		sandbox.ModeClosed: {order.Final, false},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			h := open(t)
			h.ail(t, sandbox.Faults{Mode: mode, Seconds: 60})
			if err := healthcheck.Ask(t.Context(), strings.TrimPrefix(h.server.URL(), "http://"), "/healthz"); err != nil {
				t.Errorf("it fails on purpose and is well all the same: %v", err)
			}
			m := manifest(1, "mug")
			_, err := h.Deliver(t.Context(), m)
			wantClass(t, err, c.class, "")
			h.ail(t, sandbox.Faults{Mode: sandbox.ModeNone})
			if c.arrives {
				h.wantArrived(t, m.Orders[0].ID)
			} else {
				h.wantArrived(t)
			}
			if rejected, err := h.Deliver(t.Context(), m); err != nil || len(rejected) != 0 {
				t.Errorf("the repeat: %+v, %v", rejected, err)
			}
			h.wantArrived(t, m.Orders[0].ID)
		})
	}
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		h.ail(t, sandbox.Faults{Mode: sandbox.ModeSlow, Seconds: 60, DelayMS: 60_000})
		m := manifest(1, "mug")
		_, err := clientOf(t, h.server.URL(), 50*time.Millisecond).Deliver(t.Context(), m)
		wantClass(t, err, order.Unknown, "")
		h.ail(t, sandbox.Faults{Mode: sandbox.ModeNone})
		h.wantArrived(t, m.Orders[0].ID)
	})
}

// TestATornLineWasNeverAnswered: it is cut off, and what was answered is all there.
func TestATornLineWasNeverAnswered(t *testing.T) {
	t.Parallel()
	h := open(t)
	first, second := manifest(1, "mug"), manifest(2, "pen")
	for _, m := range []order.Manifest{first, second} {
		if _, err := h.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(h.journal)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(t.TempDir(), "torn.jsonl")
	if err := os.WriteFile(torn, text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+20], 0o600); err != nil {
		t.Fatal(err)
	}
	again := openOn(t, torn)
	again.wantArrived(t, first.Orders[0].ID)
	if _, err := again.Deliver(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	openOn(t, torn).wantArrived(t, first.Orders[0].ID, second.Orders[0].ID)
}

// TestWhateverIsAnsweredIsNoReceiptUnlessItIsOne: only the warehouse's own 4xx is a word about the manifest.
func TestWhateverIsAnsweredIsNoReceiptUnlessItIsOne(t *testing.T) {
	t.Parallel()
	m := manifest(1, "mug")
	for name, c := range map[string]struct {
		status int
		body   string
		class  order.Class
	}{
		"a gateway's error":   {http.StatusBadGateway, "<html>", order.Unknown},
		"too many requests":   {http.StatusTooManyRequests, "", order.Unknown},
		"not allowed":         {http.StatusForbidden, "", order.Unknown},
		"nothing there":       {http.StatusNotFound, "", order.Unknown},
		"moved":               {http.StatusFound, "", order.Unknown},
		"created":             {http.StatusCreated, `{"rejected":[]}`, order.Unknown},
		"no JSON":             {http.StatusOK, "fine", order.Unknown},
		"nothing":             {http.StatusOK, "{}", order.Unknown},
		"no list":             {http.StatusOK, `{"rejected":null}`, order.Unknown},
		"something else":      {http.StatusOK, `{"status":"maintenance"}`, order.Unknown},
		"about another order": {http.StatusOK, `{"rejected":[{"order_id":"ord_x","reason":"r"}]}`, order.Unknown},
		"endless":             {http.StatusOK, strings.Repeat(" ", 2<<20), order.Unknown},
		"it is wrong":         {http.StatusUnprocessableEntity, `{"error":"no such SKU"}`, order.Final},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/base/v1/manifests" || r.Header.Get("Idempotency-Key") != "handoff:a:1" {
					t.Errorf("%s with key %q", r.URL.Path, r.Header.Get("Idempotency-Key"))
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			t.Cleanup(server.Close)
			_, err := clientOf(t, server.URL+"/base/", 10*time.Second).Deliver(t.Context(), m)
			wantClass(t, err, c.class, "")
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "warehouse:8080", "ftp://w", "http://", "http://w?x=1", "http://w#x", "http://w:x"} {
		if _, err := warehouse.New(warehouse.Config{URL: url, Timeout: time.Second}); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
	if _, err := warehouse.New(warehouse.Config{URL: "http://w"}); err == nil {
		t.Error("no time-out was taken")
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	h := open(t)
	const lines = `"customer_id":"ada","lines":[{"sku":"mug","quantity":1}]`
	for name, c := range map[string]struct{ path, key, body string }{
		"no key":           {"/v1/manifests", "", `{"hand_off":"a","page":1,"orders":[{"order_id":"o",` + lines + `}]}`},
		"no orders":        {"/v1/manifests", "k", `{"hand_off":"a","page":1,"orders":[]}`},
		"no page":          {"/v1/manifests", "k", `{"hand_off":"a","orders":[{"order_id":"o",` + lines + `}]}`},
		"an order twice":   {"/v1/manifests", "k", `{"hand_off":"a","page":1,"orders":[{"order_id":"o",` + lines + `},{"order_id":"o",` + lines + `}]}`},
		"no lines":         {"/v1/manifests", "k", `{"hand_off":"a","page":1,"orders":[{"order_id":"o","lines":[]}]}`},
		"an unknown field": {"/v1/manifests", "k", `{"hand_off":"a","page":1,"colour":"red","orders":[{"order_id":"o",` + lines + `}]}`},
		"no JSON":          {"/v1/manifests", "k", `hello`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Idempotency-Key", c.key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s was answered %d", name, res.StatusCode)
		}
	}
	h.wantArrived(t)
}
