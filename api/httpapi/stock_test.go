package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"holdfast/order"
	"holdfast/orderdb"
)

type stockDoc struct {
	SKU       string `json:"sku"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
	Limit     int64  `json:"limit_per_customer"` // 0 for null
}

func (s *shop) put(sku, body, ifMatch string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.send(request{method: http.MethodPut, path: "/v1/stock/" + sku, body: body, header: map[string]string{"If-Match": ifMatch}})
}

func (s *shop) receive(sku, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.send(request{method: http.MethodPost, path: "/v1/stock/" + sku + "/receipts", body: body})
}

// load reserves a unit and gives it back, which leaves the SKU's count in Redis.
func (s *shop) load(sku string) {
	s.t.Helper()
	s.loads++ // a reservation that is found loads nothing
	o, err := order.New("c-9", "load-"+itoa(s.loads), "EUR", "tok_ok", []order.Line{{SKU: sku, Quantity: 1}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.front.Reserve(s.t.Context(), []order.Order{o})
	if !s.loaded(sku) {
		s.t.Fatalf("%s is not loaded", sku)
	}
}

func (s *shop) loaded(sku string) bool {
	s.t.Helper()
	counts, err := s.front.Counts(s.t.Context(), []string{sku})
	if err != nil {
		s.t.Fatal(err)
	}
	_, loaded := counts[sku]
	return loaded
}

// TestStockLife: create, get, change with the ETag, and change again with the new one.
func TestStockLife(t *testing.T) {
	s := newShop(t)
	w := s.put("cup", `{"on_hand":10}`, "")
	if doc := document[stockDoc](t, w, http.StatusCreated); doc != (stockDoc{"cup", 10, 0, 10, 0}) {
		t.Errorf("created %+v", doc)
	}
	tag := w.Header().Get("ETag")
	if tag != `"1"` {
		t.Errorf("the ETag is %s", tag)
	}
	w = s.put("cup", `{"on_hand":7}`, tag)
	if doc := document[stockDoc](t, w, http.StatusOK); doc.OnHand != 7 {
		t.Errorf("changed to %+v", doc)
	}
	got := s.get("/v1/stock/cup")
	if got.Body.String() != w.Body.String() || got.Header().Get("ETag") != w.Header().Get("ETag") || got.Header().Get("ETag") == tag {
		t.Errorf("GET answers %s %s after PUT answered %s %s", got.Header().Get("ETag"), got.Body, w.Header().Get("ETag"), w.Body)
	}
	document[stockDoc](t, s.put("cup", `{"on_hand":0}`, got.Header().Get("ETag")), http.StatusOK)
	document[stockDoc](t, s.put("max", `{"on_hand":1000000000000}`, ""), http.StatusCreated)
}

// TestLimit: a limit is set, shown, changed and taken away, and no count that knows another one stays in Redis.
func TestLimit(t *testing.T) {
	s := newShop(t)
	w := s.put("cup", `{"on_hand":10,"limit_per_customer":2}`, "")
	if doc := document[stockDoc](t, w, http.StatusCreated); doc != (stockDoc{"cup", 10, 0, 10, 2}) {
		t.Errorf("created %+v", doc)
	}
	for body, want := range map[string]int64{
		`{"on_hand":10,"limit_per_customer":1}`: 1, `{"limit_per_customer":1000,"on_hand":10}`: 1000,
		`{"on_hand":10}`: 0, `{"on_hand":10,"limit_per_customer":3}`: 3, `{"on_hand":10,"limit_per_customer":null}`: 0,
	} {
		s.load("cup")
		w = s.put("cup", body, w.Header().Get("ETag"))
		if doc := document[stockDoc](t, w, http.StatusOK); doc != (stockDoc{"cup", 10, 0, 10, want}) || s.loaded("cup") {
			t.Errorf("%s made %+v; its count is loaded: %t", body, doc, s.loaded("cup"))
		}
		if got := s.get("/v1/stock/cup"); got.Body.String() != w.Body.String() {
			t.Errorf("GET answers %s after PUT answered %s", got.Body, w.Body)
		}
	}
	w = s.put("cup", `{"on_hand":10,"limit_per_customer":2}`, w.Header().Get("ETag"))
	if doc := document[stockDoc](t, s.receive("cup", `{"quantity":5,"reference":"r"}`), http.StatusCreated); doc.Limit != 2 {
		t.Errorf("a receipt left %+v of %s", doc, w.Body)
	}
	if text := s.get("/v1/stock/mug").Body.String(); !strings.Contains(text, `"limit_per_customer":null`) {
		t.Errorf("no limit is answered as %s", text)
	}
}

// TestReserved: units of PENDING orders are shown, and cannot be taken away.
func TestReserved(t *testing.T) {
	s := newShop(t)
	s.open(goodOrder(t))
	w := s.get("/v1/stock/mug")
	if doc := document[stockDoc](t, w, http.StatusOK); doc != (stockDoc{"mug", 100, 2, 98, 0}) {
		t.Errorf("the stock is %+v", doc)
	}
	s.unchanged(func() {
		problem(t, s.put("mug", `{"on_hand":1}`, w.Header().Get("ETag")), http.StatusConflict, slugBelowReserved)
		problem(t, s.receive("mug", `{"quantity":-99,"reference":"r"}`), http.StatusConflict, slugBelowReserved)
	})
	document[stockDoc](t, s.put("mug", `{"on_hand":2}`, w.Header().Get("ETag")), http.StatusOK)
}

// TestBadStock: every wrong change of stock is refused, and nothing changes.
func TestBadStock(t *testing.T) {
	shared := newShop(t)
	shared.load("mug")
	for name, test := range map[string]struct {
		do     func(*shop) *httptest.ResponseRecorder
		status int
		slug   slug
		field  string
	}{
		"no version":              {put("mug", `{"on_hand":5}`, ""), 428, slugVersionRequired, ""},
		"a stale ETag":            {put("mug", `{"on_hand":5}`, `"7"`), 412, slugStale, ""},
		"ETag 0":                  {put("mug", `{"on_hand":5}`, `"0"`), 412, slugStale, ""},
		"ETag 0 of a new SKU":     {put("cup", `{"on_hand":5}`, `"0"`), 412, slugStale, ""},
		"an ETag of a new SKU":    {put("cup", `{"on_hand":5}`, `"1"`), 412, slugStale, ""},
		"a weak ETag":             {put("mug", `{"on_hand":5}`, `W/"1"`), 412, slugStale, ""},
		"an ETag of others":       {put("mug", `{"on_hand":5}`, `"abc"`), 412, slugStale, ""},
		"an ETag spelt otherwise": {put("mug", `{"on_hand":5}`, `"01"`), 412, slugStale, ""},
		"an ETag beyond int64":    {put("mug", `{"on_hand":5}`, `"9223372036854775808"`), 412, slugStale, ""},
		"no ETag at all":          {put("mug", `{"on_hand":5}`, `1`), 422, slugInvalid, "If-Match"},
		"any ETag":                {put("mug", `{"on_hand":5}`, `*`), 422, slugInvalid, "If-Match"},
		"several ETags":           {put("mug", `{"on_hand":5}`, `"1", "2"`), 422, slugInvalid, "If-Match"},
		"SKU of wrong shape":      {put("a%20b", `{"on_hand":5}`, ""), 422, slugInvalid, "sku"},
		"SKU of 65":               {put(strings.Repeat("a", 65), `{"on_hand":5}`, ""), 422, slugInvalid, "sku"},
		"on hand negative":        {put("cup", `{"on_hand":-1}`, ""), 422, slugInvalid, "on_hand"},
		"on hand too many":        {put("cup", `{"on_hand":1000000000001}`, ""), 422, slugInvalid, "on_hand"},
		"on hand beyond int64":    {put("cup", `{"on_hand":9223372036854775808}`, ""), 422, slugInvalid, "on_hand"},
		"on hand a float":         {put("cup", `{"on_hand":5.0}`, ""), 422, slugInvalid, "on_hand"},
		"on hand a string":        {put("cup", `{"on_hand":"5"}`, ""), 422, slugInvalid, "on_hand"},
		"on hand null":            {put("cup", `{"on_hand":null}`, ""), 422, slugInvalid, "on_hand"},
		"on hand missing":         {put("mug", `{}`, `"1"`), 422, slugInvalid, "on_hand"},
		"limit 0":                 {put("cup", `{"on_hand":5,"limit_per_customer":0}`, ""), 422, slugInvalid, "limit_per_customer"},
		"limit negative":          {put("cup", `{"on_hand":5,"limit_per_customer":-1}`, ""), 422, slugInvalid, "limit_per_customer"},
		"limit too high":          {put("cup", `{"on_hand":5,"limit_per_customer":1001}`, ""), 422, slugInvalid, "limit_per_customer"},
		"limit a float":           {put("cup", `{"on_hand":5,"limit_per_customer":1.5}`, ""), 422, slugInvalid, "limit_per_customer"},
		"limit a string":          {put("cup", `{"on_hand":5,"limit_per_customer":"2"}`, ""), 422, slugInvalid, "limit_per_customer"},
		"limit a list":            {put("cup", `{"on_hand":5,"limit_per_customer":[2]}`, ""), 422, slugInvalid, "limit_per_customer"},
		"limit cut off":           {put("cup", `{"on_hand":5,"limit_per_customer":`, ""), 400, slugMalformed, ""},
		"limit alone":             {put("cup", `{"limit_per_customer":2}`, ""), 422, slugInvalid, "on_hand"},
		"limit at an old ETag":    {put("mug", `{"on_hand":100,"limit_per_customer":2}`, `"7"`), 412, slugStale, ""},
		"reserved given":          {put("cup", `{"on_hand":5,"reserved":2}`, ""), 422, slugInvalid, "reserved"},
		"malformed":               {put("cup", `{"on_hand":5`, ""), 400, slugMalformed, ""},
		"on hand twice":           {put("cup", `{"on_hand":5,"on_hand":6}`, ""), 400, slugMalformed, ""},
		"too long":                {put("cup", `{"on_hand":5}`+strings.Repeat(" ", maxBody), ""), 413, slugTooLarge, ""},

		"receipt of a wrong SKU":     {receive("a%20b", `{"quantity":1,"reference":"r"}`), 422, slugInvalid, "sku"},
		"receipt of an unknown SKU":  {receive("cup", `{"quantity":1,"reference":"r"}`), 404, slugNotFound, ""},
		"receipt of nothing":         {receive("mug", `{"quantity":0,"reference":"r"}`), 422, slugInvalid, "quantity"},
		"receipt of too much":        {receive("mug", `{"quantity":1000000000001,"reference":"r"}`), 422, slugInvalid, "quantity"},
		"receipt of too little":      {receive("mug", `{"quantity":-1000000000001,"reference":"r"}`), 422, slugInvalid, "quantity"},
		"receipt beyond the limit":   {receive("mug", `{"quantity":1000000000000,"reference":"r"}`), 409, slugTooMany, ""},
		"receipt below nothing":      {receive("mug", `{"quantity":-101,"reference":"r"}`), 409, slugBelowReserved, ""},
		"quantity missing":           {receive("mug", `{"reference":"r"}`), 422, slugInvalid, "quantity"},
		"reference missing":          {receive("mug", `{"quantity":1}`), 422, slugInvalid, "reference"},
		"reference empty":            {receive("mug", `{"quantity":1,"reference":""}`), 422, slugInvalid, "reference"},
		"reference with a blank":     {receive("mug", `{"quantity":1,"reference":"a b"}`), 422, slugInvalid, "reference"},
		"reference of 129":           {receive("mug", `{"quantity":1,"reference":"`+strings.Repeat("r", 129)+`"}`), 422, slugInvalid, "reference"},
		"reason of 256":              {receive("mug", `{"quantity":1,"reference":"r","reason":"`+strings.Repeat("ä", 256)+`"}`), 422, slugInvalid, "reason"},
		"reason with a control code": {receive("mug", `{"quantity":1,"reference":"r","reason":"a\u0007"}`), 422, slugInvalid, "reason"},
		"reason not UTF-8":           {receive("mug", "{\"quantity\":1,\"reference\":\"r\",\"reason\":\"\xff\"}"), 400, slugMalformed, ""},
		"receipt with more":          {receive("mug", `{"quantity":1,"reference":"r","sku":"mug"}`), 422, slugInvalid, "sku"},
	} {
		t.Run(name, func(t *testing.T) {
			s := shared.in(t)
			s.unchanged(func() {
				p := problem(t, test.do(s), test.status, test.slug)
				if test.field != "" && !slices.Contains(fieldsOf(p), test.field) {
					t.Errorf("%q is not named, but %q", test.field, fieldsOf(p))
				}
			})
			if !s.loaded("mug") {
				t.Error("the count in Redis is gone")
			}
		})
	}
}

func put(sku, body, ifMatch string) func(*shop) *httptest.ResponseRecorder {
	return func(s *shop) *httptest.ResponseRecorder { return s.put(sku, body, ifMatch) }
}

func receive(sku, body string) func(*shop) *httptest.ResponseRecorder {
	return func(s *shop) *httptest.ResponseRecorder { return s.receive(sku, body) }
}

// TestReceipts: a reference counts once, whatever is said with it, and once for each SKU.
func TestReceipts(t *testing.T) {
	s := newShop(t)
	w := s.receive("mug", `{"quantity":24,"reference":"delivery-8812","reason":"Lieferung für Müller"}`)
	if doc := document[stockDoc](t, w, http.StatusCreated); doc.OnHand != 124 || w.Header().Get("ETag") != `"2"` {
		t.Errorf("received %+v %s", doc, w.Header().Get("ETag"))
	}
	s.unchanged(func() {
		again := s.receive("mug", `{"quantity":24,"reference":"delivery-8812"}`)
		if document[stockDoc](t, again, http.StatusOK); again.Body.String() != w.Body.String() || again.Header().Get("ETag") != `"2"` {
			t.Errorf("the repeat answers %s", again.Body)
		}
		p := problem(t, s.receive("mug", `{"quantity":25,"reference":"delivery-8812"}`), http.StatusUnprocessableEntity, slugKeyReused)
		if !slices.Contains(fieldsOf(p), "reference") {
			t.Errorf("the problem is %+v", p)
		}
	})
	document[stockDoc](t, s.receive("pen", `{"quantity":24,"reference":"delivery-8812"}`), http.StatusCreated)
	if doc := document[stockDoc](t, s.receive("mug", `{"quantity":-124,"reference":"breakage"}`), http.StatusCreated); doc.OnHand != 0 {
		t.Errorf("left %+v", doc)
	}
}

// TestListStock: pages in SKU order.
func TestListStock(t *testing.T) {
	s := newShop(t)
	for i := range 9 {
		document[stockDoc](t, s.put("sku-"+itoa(i), `{"on_hand":1}`, ""), http.StatusCreated)
	}
	want := []string{"mug", "pen", "sku-0", "sku-1", "sku-2", "sku-3", "sku-4", "sku-5", "sku-6", "sku-7", "sku-8"}
	for _, limit := range []int{1, 3, 10, 11, 12} {
		var got []string
		for cursor := ""; ; {
			page := document[struct {
				Stock      []stockDoc `json:"stock"`
				NextCursor *string    `json:"next_cursor"`
			}](t, s.get("/v1/stock?limit="+itoa(limit)+"&cursor="+cursor), http.StatusOK)
			for _, doc := range page.Stock {
				got = append(got, doc.SKU)
			}
			if page.NextCursor == nil {
				break
			}
			cursor = *page.NextCursor
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d gives %q", limit, got)
		}
	}
}

type brokenStock struct {
	Stock
	err error
}

func (b brokenStock) KnownSKUs(context.Context, []string) ([]string, error) { return nil, b.err }

func (b brokenStock) GetStocks(context.Context, []string) ([]orderdb.Stock, error) { return nil, b.err }

func (b brokenStock) ListStock(context.Context, string, int) ([]orderdb.Stock, error) {
	return nil, b.err
}

func (b brokenStock) SetStock(context.Context, string, orderdb.Setting, int64) (orderdb.Stock, bool, error) {
	return orderdb.Stock{}, false, b.err
}

func (b brokenStock) Receive(context.Context, string, int64, string, string) (orderdb.Stock, bool, error) {
	return orderdb.Stock{}, false, b.err
}

// TestStockAway: the reason is logged once for each request, and told to nobody.
func TestStockAway(t *testing.T) {
	s := newShop(t, func(d *Deps) { d.Stock = brokenStock{d.Stock, errors.New("SELECT * FROM stock: bad connection")} })
	answers := []*httptest.ResponseRecorder{
		s.get("/v1/stock"), s.get("/v1/stock/mug"), s.put("mug", `{"on_hand":1}`, `"1"`),
		s.receive("mug", `{"quantity":1,"reference":"r"}`), s.post(goodBody),
	}
	for _, w := range answers {
		problem(t, w, http.StatusServiceUnavailable, slugUnavailable)
		if strings.Contains(w.Body.String(), "SELECT") || w.Header().Get("Retry-After") == "" {
			t.Errorf("answered %s with %v", w.Body, w.Header())
		}
	}
	if n := len(s.logs.errors()); n != len(answers) || s.temporal.count() != 0 {
		t.Errorf("%d errors were logged, %d workflows started", n, s.temporal.count())
	}
}
