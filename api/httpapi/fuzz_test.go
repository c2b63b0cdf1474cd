package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

// FuzzCursor: no text makes a cursor panic. What is taken for a place is one that a page could have given, and no cursor fits
// another filter or another list.
func FuzzCursor(f *testing.F) {
	filter := (&ordersRequest{CustomerID: "ada"}).digest()
	other := (&ordersRequest{CustomerID: "bob"}).digest()
	for _, seed := range []string{
		orderCursor(orderdb.Position{CreatedAt: time.Unix(1_800_000_000, 0), ID: order.NewID("ada", "k")}, filter),
		stockCursor("mug"), "", "bw", "!!", strings.Repeat("A", 1000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if place, ok := parseOrderCursor(cursor, filter); ok {
			if again, ok := parseOrderCursor(orderCursor(place, filter), filter); !ok || again != place {
				t.Errorf("%q is %+v, and then %+v", cursor, place, again)
			}
			if _, ok := parseOrderCursor(cursor, other); ok {
				t.Errorf("%q fits two filters", cursor)
			}
			if _, ok := parseStockCursor(cursor); ok {
				t.Errorf("%q fits two lists", cursor)
			}
		}
		if sku, ok := parseStockCursor(cursor); ok {
			if again, ok := parseStockCursor(stockCursor(sku)); !ok || again != sku || order.CheckSKU(sku) != nil {
				t.Errorf("%q is %q, and then %q", cursor, sku, again)
			}
		}
	})
}

// FuzzRequest: whatever is sent to whichever route gets one of the answers that the API document has, neither breaks a handler
// nor is called our fault, and changes nothing if it is called bad.
func FuzzRequest(f *testing.F) {
	s := newShop(f)
	const orders = "/v1/orders"
	for _, seed := range [][6]string{
		{http.MethodPost, orders, "key-1", "", "application/json", goodBody},
		{http.MethodPost, orders, "key-1", "wait=0", "application/json; charset=utf-8", with("mug", "cup")},
		{http.MethodPost, orders, "", "respond-async, wait=31", "text/json", with(`"quantity":2`, `"quantity":2e3`)},
		{http.MethodGet, orders + "?status=CONFIRMED&limit=3&attention=true&cursor=bw", "", "", "", ""},
		{http.MethodGet, orders + "/" + string(order.NewID("c-1", "key-1")), "", "", "", ""},
		{http.MethodPost, orders + "/" + string(order.NewID("c-1", "key-1")) + "/cancel", "", "", "", ""},
		{http.MethodPut, "/v1/stock/pen", "", "", "application/json", `{"on_hand":3,"limit_per_customer":null}`},
		{http.MethodPost, "/v1/stock/pen/receipts", "", "", "application/json", `{"quantity":-1,"reference":"r","reason":"broken"}`},
		{http.MethodGet, "/v1/stock?limit=200&cursor=", "", "", "", ""},
		{http.MethodPost, "/v1/payments/webhook", "", "", "application/json", `{"data":{"reference":"ord_a"}}`},
		{"BREW", "/v1/../v1//orders%00", "k\xff", "wait=-1", "multipart/form-data", "[[[["},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	f.Fuzz(func(t *testing.T, method, target, key, prefer, contentType, body string) {
		place, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return // net/http refuses it
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.URL = method, place
		for name, value := range map[string]string{"Idempotency-Key": key, "Prefer": prefer, "Content-Type": contentType} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		before := s.in(t).tally()
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, r)
		said := w.Body.Bytes()
		switch {
		case w.Code >= http.StatusInternalServerError && strings.HasPrefix(place.Path, "/v1/payments/webhook"):
			// No secret is set here.
		case w.Code >= http.StatusInternalServerError:
			t.Fatalf("answered %d %s", w.Code, said)
		case w.Code >= http.StatusBadRequest:
			if p := document[Problem](t, w, w.Code); p.Status != w.Code || p.Type == "" || p.Title == "" || p.Detail == "" {
				t.Fatalf("%d with %s", w.Code, said)
			}
		case strings.HasPrefix(place.Path, "/v1/") && method != http.MethodHead && !json.Valid(said):
			t.Fatalf("%d with %q", w.Code, said)
		}
		bad := []int{400, 404, 405, 411, 412, 413, 415, 422, 428, 431}
		if after := s.in(t).tally(); slices.Contains(bad, w.Code) && after != before {
			t.Errorf("answered %d %s, and the order database went from %q to %q", w.Code, said, before, after)
		}
		if broken := s.logs.errors(); len(broken) > 0 {
			t.Fatal(broken)
		}
	})
}

// tally is what no bad request may change, in few bytes: orders are written once and changed as one writes stock.
func (s *shop) tally() (all string) {
	s.t.Helper()
	const query = "SELECT (SELECT COUNT(*) FROM orders) || ' ' || (SELECT COUNT(*) FROM stock_movements) || ' ' || SUM(version) FROM stock"
	if err := s.db.Pool().QueryRowContext(s.t.Context(), query).Scan(&all); err != nil {
		s.t.Fatal(err)
	}
	return all
}
