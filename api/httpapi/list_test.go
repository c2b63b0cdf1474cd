package httpapi

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"holdfast/order"
)

func itoa(n int) string { return strconv.Itoa(n) }

type orderPage struct {
	Orders     []orderDoc `json:"orders"`
	NextCursor *string    `json:"next_cursor"`
}

// walk reads all pages of a list and returns the ids.
func walk(t *testing.T, s *shop, query url.Values) (ids []string, pages int) {
	t.Helper()
	for {
		page := document[orderPage](t, s.get("/v1/orders?"+query.Encode()), http.StatusOK)
		pages++
		if page.Orders == nil {
			t.Error("orders is null")
		}
		for _, o := range page.Orders {
			ids = append(ids, o.ID)
		}
		if page.NextCursor == nil {
			return ids, pages
		}
		query.Set("cursor", *page.NextCursor)
	}
}

// TestListOverEqualTimes: pages neither repeat nor leave out an order, however many were made in one
// microsecond.
func TestListOverEqualTimes(t *testing.T) {
	s := newShop(t)
	const orders = 23
	var want []string
	for i := range orders {
		o := orderFor(t, itoa(i))
		s.open(o)
		want = append(want, string(o.ID))
	}
	s.exec("UPDATE orders SET created_at = '2026-11-27 08:00:00.123456+00:00'")
	s.exec("UPDATE orders SET created_at = '2026-11-27 08:00:00.123457+00:00' WHERE id > 'ord_m'")
	slices.Sort(want)
	slices.Reverse(want) // within one time by id, and the later time has the higher ids
	for limit := 1; limit <= orders+1; limit++ {
		got, pages := walk(t, s, url.Values{"limit": {itoa(limit)}})
		if !slices.Equal(got, want) {
			t.Errorf("limit %d gives %q, want %q", limit, got, want)
		}
		if wantPages := max(1, (orders+limit-1)/limit); pages != wantPages {
			t.Errorf("limit %d gives %d pages, want %d", limit, pages, wantPages)
		}
	}
}

// TestListDefault: newest first, 50 by default.
func TestListDefault(t *testing.T) {
	s := newShop(t)
	for i := range 51 {
		s.closing(order.Rejected, order.ReasonPaymentDeclined, "")(orderFor(t, itoa(i)))
	}
	page := document[orderPage](t, s.get("/v1/orders"), http.StatusOK)
	if len(page.Orders) != 50 || page.NextCursor == nil || page.Orders[0].ID != string(orderFor(t, "50").ID) {
		t.Errorf("the page has %d orders, next %v", len(page.Orders), page.NextCursor)
	}
}

// TestListFilters: each filter by itself and together, and the empty list.
func TestListFilters(t *testing.T) {
	s := newShop(t)
	confirmed, pending, needy := orderFor(t, "a"), orderFor(t, "b"), orderFor(t, "c")
	s.confirm(confirmed)
	s.open(pending)
	s.open(needy)
	if _, err := s.db.Attend(t.Context(), []order.Attention{{Key: needy.Key(), Reason: "look"}}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]order.ID{
		"":                               {needy.ID, pending.ID, confirmed.ID},
		"status=PENDING":                 {needy.ID, pending.ID},
		"status=CONFIRMED":               {confirmed.ID},
		"status=HANDED_OFF":              nil,
		"customer_id=c-1":                {needy.ID, pending.ID, confirmed.ID},
		"customer_id=c-2":                nil,
		"attention=true":                 {needy.ID},
		"attention=false":                {pending.ID, confirmed.ID},
		"attention=false&status=PENDING": {pending.ID},
		"status=PENDING&customer_id=c-1&limit=200": {needy.ID, pending.ID},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := walk(t, s, values)
		var ids []string
		for _, id := range want {
			ids = append(ids, string(id))
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%q gives %q, want %q", query, got, ids)
		}
	}
}

// TestForeignCursor: a cursor belongs to its list and its filter.
func TestForeignCursor(t *testing.T) {
	s := newShop(t)
	s.open(orderFor(t, "a"))
	s.open(orderFor(t, "b"))
	page := document[orderPage](t, s.get("/v1/orders?limit=1&status=PENDING"), http.StatusOK)
	cursor := *page.NextCursor
	document[orderPage](t, s.get("/v1/orders?limit=7&status=PENDING&cursor="+cursor), http.StatusOK)

	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	endless := slices.Clone(raw)
	for i := range 8 {
		endless[1+digestSize+i] = 0x7f
	}
	encode := base64.RawURLEncoding.EncodeToString
	for name, query := range map[string]string{
		"no filter":       "cursor=" + cursor,
		"another status":  "status=CONFIRMED&cursor=" + cursor,
		"another filter":  "status=PENDING&attention=false&cursor=" + cursor,
		"cut":             "status=PENDING&cursor=" + cursor[:len(cursor)-2],
		"prolonged":       "status=PENDING&cursor=" + cursor + "AA",
		"padded":          "status=PENDING&cursor=" + cursor + "%3D",
		"no year's date":  "status=PENDING&cursor=" + encode(endless),
		"without an id":   "status=PENDING&cursor=" + encode(raw[:1+digestSize+8]),
		"with a wrong id": "status=PENDING&cursor=" + encode(append(slices.Clone(raw[:1+digestSize+8]), "ord_x' OR 1=1 --"...)),
	} {
		if w := s.get("/v1/orders?" + query); w.Code != http.StatusBadRequest {
			t.Errorf("%s: answered %d %s", name, w.Code, w.Body)
		} else {
			problem(t, w, http.StatusBadRequest, slugMalformed)
		}
	}
}
