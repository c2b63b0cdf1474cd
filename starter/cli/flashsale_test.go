package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/starter/flashsale"
)

// market is an API with stock, an audit, and answers to orders that a test makes.
type market struct {
	// post answers the n-th request for orders, from 1. Nil confirms as long as there are units.
	post  func(n int) reply
	audit reply
	sku   map[string]int64 // units on hand

	mu         sync.Mutex
	posts      int
	keys       map[string]int
	references map[string]bool
	changes    []string // method and path of what changed stock
}

func openMarket(stock map[string]int64) *market {
	return &market{sku: stock, audit: reply{status: 200, body: holdsDoc}, keys: map[string]int{}, references: map[string]bool{}}
}

// ServeHTTP implements http.Handler.
func (m *market) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	answer := m.answer(r, body)
	m.mu.Unlock()
	(&script{answers: []reply{answer}}).ServeHTTP(w, r)
}

func (m *market) answer(r *http.Request, body []byte) reply {
	sku := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v1/stock/"), "/receipts")
	switch {
	case r.URL.Path == "/v1/orders":
		m.posts++
		m.keys[r.Header.Get("Idempotency-Key")]++
		if m.post != nil {
			return m.post(m.posts)
		}
		return m.sell(body)
	case r.URL.Path == "/v1/audit":
		return m.audit
	case r.Method == http.MethodPut:
		m.changes = append(m.changes, r.Method+" "+r.URL.Path+" "+string(body))
		m.sku[sku] = 0
	case r.Method == http.MethodPost:
		var in receipt
		_ = json.Unmarshal(body, &in)
		m.changes = append(m.changes, r.Method+" "+r.URL.Path)
		if !m.references[sku+in.Reference] {
			m.references[sku+in.Reference] = true
			m.sku[sku] += in.Quantity
		}
	}
	if _, there := m.sku[sku]; !there {
		return reply{status: 404, body: notFoundDoc}
	}
	return reply{status: 200, body: fmt.Sprintf(`{"sku":%q,"on_hand":%d,"reserved":0,"available":%d}`, sku, m.sku[sku], m.sku[sku])}
}

func (m *market) sell(body []byte) reply {
	var o orderBody
	_ = json.Unmarshal(body, &o)
	for _, line := range o.Lines {
		if m.sku[line.SKU] < line.Quantity {
			return reply{status: 409, body: soldOutDoc}
		}
	}
	for _, line := range o.Lines {
		m.sku[line.SKU] -= line.Quantity
	}
	return reply{status: 201, body: confirmedDoc}
}

// sale runs a flash sale and reads its report.
func (m *market) sale(t *testing.T, args ...string) (result, saleDoc) {
	t.Helper()
	got := try{api: m}.run(t, append([]string{"flash-sale", "--output", "json"}, args...)...)
	var doc saleDoc
	if err := json.Unmarshal([]byte(got.out), &doc); err != nil {
		t.Fatalf("exit code %d, %v: %s%s", got.code, err, got.out, got.err)
	}
	return got, doc
}

// TestFlashSaleOutcomes shows what each kind of answer is counted as, and which are sent again.
func TestFlashSaleOutcomes(t *testing.T) {
	t.Parallel()
	confirmed := reply{status: 201, body: confirmedDoc}
	full := reply{status: 503, body: fullDoc, header: map[string]string{"Retry-After": "1"}}
	for name, test := range map[string]struct {
		replies []reply
		outcome flashsale.Outcome
		wasFull int
		code    int
	}{
		"confirmed":                {[]reply{confirmed}, flashsale.Confirmed, 0, 0},
		"pending, then confirmed":  {[]reply{{status: 202, body: pendingDoc}, confirmed}, flashsale.Confirmed, 0, 0},
		"declined":                 {[]reply{{status: 402, body: declinedDoc}}, flashsale.Declined, 0, 0},
		"sold out":                 {[]reply{{status: 409, body: soldOutDoc}}, flashsale.SoldOut, 0, 0},
		"sold out at the gate":     {[]reply{{status: 409, body: soldOutAtTheGateDoc}}, flashsale.TurnedAway, 0, 0},
		"cancelled":                {[]reply{{status: 409, body: closedDoc}}, flashsale.Closed, 0, 0},
		"full, then confirmed":     {[]reply{full, full, confirmed}, flashsale.Confirmed, 1, 0},
		"unavailable, confirmed":   {[]reply{{status: 503, body: unavailableDoc}, confirmed}, flashsale.Confirmed, 0, 0},
		"dropped, then confirmed":  {[]reply{{drop: true}, confirmed}, flashsale.Confirmed, 0, 0},
		"a bad gateway, sold out":  {[]reply{{status: 502, body: "<html>"}, {status: 409, body: soldOutDoc}}, flashsale.SoldOut, 0, 0},
		"unknown SKU":              {[]reply{{status: 409, body: unknownSKUDoc}}, flashsale.Failed, 0, 1},
		"invalid":                  {[]reply{{status: 422, body: invalidDoc}}, flashsale.Failed, 0, 1},
		"internal":                 {[]reply{{status: 500, body: internalDoc}}, flashsale.Failed, 0, 1},
		"a proxy's page":           {[]reply{{status: 200, body: "<html>"}}, flashsale.Failed, 0, 1},
		"a document of no order":   {[]reply{{status: 201, body: `{}`}}, flashsale.Failed, 0, 1},
		"an order that is no news": {[]reply{{status: 200, body: confirmedDoc}}, flashsale.Failed, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := openMarket(map[string]int64{"flash": 5})
			m.post = func(n int) reply { return test.replies[min(n, len(test.replies))-1] }
			got, doc := m.sale(t, "--shoppers", "1")
			if o := doc.Outcomes[test.outcome.String()]; got.code != test.code || o.Orders != 1 || o.WasFull != test.wasFull || o.LatencyMS == nil {
				t.Errorf("exit code %d, %+v: %s", got.code, doc.Outcomes, got.err)
			}
			if want := int64(len(test.replies)); doc.Requests < want || doc.Repeats != doc.Requests-1 || len(m.keys) != 1 {
				t.Errorf("%d requests, %d repeats, keys %v", doc.Requests, doc.Repeats, m.keys)
			}
		})
	}
}

// TestFlashSaleCounts shows conservation: every shopper has one outcome, and units on sale are sold or left.
func TestFlashSaleCounts(t *testing.T) {
	t.Parallel()
	m := openMarket(map[string]int64{"drop-1": 4})
	got, doc := m.sale(t, "--shoppers", "300", "--units", "10", "--sku", "drop", "--skus", "3", "--lines", "1-3", "--seed", "7", "--concurrency", "20")
	orders := 0
	for _, o := range doc.Outcomes {
		orders += o.Orders
	}
	if got.code != 0 || orders != 300 || doc.Arrived != 300 || len(doc.Outcomes) != len(flashsale.Outcomes()) {
		t.Errorf("exit code %d, %d orders, %+v", got.code, orders, doc)
	}
	if u := doc.Units; u.OnSale != 34 || u.Left == nil || u.Confirmed+*u.Left != 34 {
		t.Errorf("units %+v", u)
	}
	if doc.Seed != 7 || doc.Holds == nil || !*doc.Holds || string(doc.Audit) != holdsDoc {
		t.Errorf("seed %d, audit %s", doc.Seed, doc.Audit)
	}
	if len(m.keys) != 300 {
		t.Errorf("%d keys", len(m.keys))
	}
	for _, change := range m.changes {
		if strings.HasPrefix(change, "PUT /v1/stock/drop-1 ") || strings.HasPrefix(change, "PUT") && !strings.HasSuffix(change, `{"on_hand":0}`) {
			t.Errorf("stock was set: %s", change)
		}
	}
}

func TestFlashSaleFailsWhenAPromiseDoes(t *testing.T) {
	t.Parallel()
	broken := openMarket(map[string]int64{"flash": 5})
	broken.audit = reply{status: 200, body: brokenDoc}
	got, doc := broken.sale(t, "--shoppers", "1")
	if got.code != 1 || *doc.Holds {
		t.Errorf("exit code %d", got.code)
	}
	contains(t, "stderr", got.err, "The audit was made, and the promises DO NOT HOLD.\n")

	silent := openMarket(map[string]int64{"flash": 5})
	silent.audit = reply{status: 503, body: unavailableDoc}
	got, doc = silent.sale(t, "--shoppers", "1")
	if got.code != 1 || doc.Holds != nil || string(doc.Audit) != "null" {
		t.Errorf("exit code %d, audit %s", got.code, doc.Audit)
	}
	contains(t, "stderr", got.err, "THE AUDIT COULD NOT BE MADE.")

	generous := openMarket(map[string]int64{"flash": 5})
	generous.post = func(int) reply { return reply{status: 201, body: confirmedDoc} }
	got, doc = generous.sale(t, "--shoppers", "7")
	if got.code != 1 || len(doc.Oversold) != 1 || doc.Oversold[0] != (oversoldDoc{"flash", 5, 7}) {
		t.Errorf("exit code %d, oversold %+v", got.code, doc.Oversold)
	}
	contains(t, "stderr", got.err, "OVERSOLD: 7 units of flash were confirmed, and 5 were on sale.\n")
}

func TestFlashSaleTable(t *testing.T) {
	t.Parallel()
	m := openMarket(map[string]int64{})
	got := try{api: m}.run(t, "flash-sale", "--shoppers", "3", "--units", "2", "--seed", "1", "--rate", "1000")
	if got.code != 0 {
		t.Errorf("exit code %d", got.code)
	}
	contains(t, "stdout", got.out, "Shoppers  3\n", "Pace      1000 shoppers a second, at most 10000 under way; ",
		"Units     2 on sale, 2 confirmed, 0 left\n", "\nconfirmed  2       0 ", "\nsold_out   1       0 ", "\nPromises hold     yes\n")
	contains(t, "stderr", got.err, "On sale: 2 units of 1 SKUs, 1 of which are new; 2 of each were received as flash-sale-")
}

// TestFlashSaleTimesOut shows that orders without an end are reported as what is known of them, and with --repeat=false
// too.
func TestFlashSaleTimesOut(t *testing.T) {
	t.Parallel()
	pending := func(int) reply { return reply{status: 202, body: pendingDoc} }
	m := openMarket(map[string]int64{"flash": 5})
	m.post = pending
	got, doc := m.sale(t, "--shoppers", "2", "--timeout", "200ms")
	if o := doc.Outcomes["pending"]; got.code != 0 || !doc.TimedOut || o.Orders != 2 || o.LatencyMS != nil {
		t.Errorf("exit code %d, timed out: %v, %+v", got.code, doc.TimedOut, o)
	}
	contains(t, "stderr", got.err, "Orders without an end: 2 pending.\n")

	m = openMarket(map[string]int64{"flash": 5})
	m.post = pending
	_, doc = m.sale(t, "--shoppers", "2", "--repeat=false")
	if doc.Requests != 2 || doc.TimedOut || doc.Outcomes["pending"].Orders != 2 {
		t.Errorf("%+v", doc)
	}
}

// TestFlashSaleInterrupted shows that the report is printed all the same.
func TestFlashSaleInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	m := openMarket(map[string]int64{"flash": 100_000})
	m.post = func(n int) reply {
		if n == 20 {
			interrupt()
		}
		time.Sleep(time.Millisecond)
		return reply{status: 201, body: confirmedDoc}
	}
	got := try{api: m}.runIn(ctx, t, "flash-sale", "--shoppers", "100000", "--concurrency", "5", "--output", "json")
	var doc saleDoc
	if err := json.Unmarshal([]byte(got.out), &doc); err != nil {
		t.Fatal(err)
	}
	if got.code != 0 || !doc.Interrupted || doc.Arrived >= 100_000 || int64(doc.Outcomes["confirmed"].Orders) != doc.Arrived || doc.Holds == nil {
		t.Errorf("exit code %d, %+v", got.code, doc)
	}
}

// TestFlashSaleUsage shows that every wrong flag is named, and that nothing is changed.
func TestFlashSaleUsage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  []string
		words []string
	}{
		"no shoppers":     {nil, []string{`required flag(s) "shoppers" not set`}},
		"too many":        {[]string{"--shoppers", "1000001"}, []string{"--shoppers: must be 1 to 1000000"}},
		"both loops":      {[]string{"--shoppers", "1", "--rate", "5", "--concurrency", "5"}, []string{"--rate: does not go with --concurrency"}},
		"no rate":         {[]string{"--shoppers", "1", "--rate", "0"}, []string{"--rate: must be 0.01 to 100000"}},
		"not a number":    {[]string{"--shoppers", "1", "--rate", "NaN"}, []string{"--rate: must be 0.01 to 100000"}},
		"outstanding":     {[]string{"--shoppers", "1", "--outstanding", "5"}, []string{"--outstanding: goes with --rate"}},
		"lines and SKUs":  {[]string{"--shoppers", "1", "--lines", "1-2"}, []string{"--lines: must not be more than --skus"}},
		"lines":           {[]string{"--shoppers", "1", "--lines", "4", "--skus", "9"}, []string{"--lines: must be at most 3"}},
		"half a second":   {[]string{"--shoppers", "1", "--wait", "500ms"}, []string{"--wait: must be whole seconds from 0s to 30s"}},
		"a SKU":           {[]string{"--shoppers", "1", "--sku", "a b"}, []string{`--sku: "a b" must be 1 to 64`}},
		"a long SKU":      {[]string{"--shoppers", "1", "--sku", strings.Repeat("a", 63), "--skus", "10"}, []string{"--sku: "}},
		"a token":         {[]string{"--shoppers", "1", "--tokens", "tok ok=1"}, []string{`--tokens: "tok ok" must be 1 to 128`}},
		"everything":      {[]string{"--shoppers", "0", "--units", "-1", "--skus", "0", "--timeout", "0s", "--tokens", "a=x"}, []string{"--shoppers: ", "--units: ", "--skus: ", "--timeout: ", "--tokens: "}},
		"a SKU not there": {[]string{"--shoppers", "1", "--skus", "5"}, []string{"there is no SKU flash-1, flash-2, flash-3 and 2 more: --units makes them"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := openMarket(map[string]int64{})
			got := try{api: m}.run(t, append([]string{"flash-sale"}, test.args...)...)
			if got.code != 2 || m.posts > 0 || len(m.changes) > 0 {
				t.Errorf("exit code %d, %d orders, changes %v", got.code, m.posts, m.changes)
			}
			contains(t, "stderr", got.err, append(test.words, "See 'starter flash-sale --help'.\n")...)
			same(t, "stdout", got.out, "")
		})
	}
}

// TestFlashSaleStockCountsOnce shows that a receipt whose answer was lost is repeated, and counted once.
func TestFlashSaleStockCountsOnce(t *testing.T) {
	t.Parallel()
	m := openMarket(map[string]int64{"flash": 3})
	lost := false
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/receipts") && !lost {
			lost = true
			body, _ := io.ReadAll(r.Body)
			m.mu.Lock()
			m.answer(r, body)
			m.mu.Unlock()
			panic(http.ErrAbortHandler)
		}
		m.ServeHTTP(w, r)
	})
	got := try{api: api}.run(t, "flash-sale", "--shoppers", "1", "--units", "10", "--output", "json")
	contains(t, "stdout", got.out, `"units":{"on_sale":13,"confirmed":1,"left":12}`)
}
