package cli

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"holdfast/order"
)

func placing(more ...string) []string {
	return append([]string{
		"order", "place", "--customer", "c-17", "--currency", "EUR", "--payment-method", "tok_ok", "--line", "mug:2:1999",
	}, more...)
}

// again is the command that repeats placing("--key", "k;1").
const again = "starter order place --currency EUR --customer c-17 --line mug:2:1999 --payment-method tok_ok --key 'k;1'"

// placedID is the id of that order.
var placedID = string(order.NewID("c-17", "k;1"))

func TestPlaceExitCodes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply reply
		code  int
		words []string // on stderr
	}{
		"confirmed":               {reply{status: 201, body: confirmedDoc}, 0, nil},
		"handed off":              {reply{status: 201, body: strings.Replace(confirmedDoc, "CONFIRMED", "HANDED_OFF", 1)}, 0, nil},
		"pending":                 {reply{status: 202, body: pendingDoc}, 4, []string{"no end yet", "starter order get " + orderID + "\n"}},
		"declined":                {reply{status: 402, body: declinedDoc}, 3, []string{"Payment declined: insufficient funds\n", "order: " + orderID, "another payment method", "See it: starter order get " + orderID + "\n"}},
		"sold out":                {reply{status: 409, body: soldOutDoc}, 3, []string{"Sold out\n  SKUs: hat, mug\n  order: " + orderID, "closed for good"}},
		"limit exceeded":          {reply{status: 409, body: limitExceededDoc}, 3, []string{"Limit per customer exceeded\n  SKUs: mug\n  order: " + orderID, "closed for good"}},
		"limit at the gate":       {reply{status: 409, body: limitAtTheGateDoc}, 3, []string{"SKUs: mug", "Nothing was started"}},
		"sold out at the gate":    {reply{status: 409, body: soldOutAtTheGateDoc}, 3, []string{"Nothing was started"}},
		"cancelled":               {reply{status: 409, body: closedDoc}, 3, []string{"it was cancelled"}},
		"unknown SKU":             {reply{status: 409, body: unknownSKUDoc}, 2, []string{"SKUs: mug", "stock set SKU ON_HAND"}},
		"key reused":              {reply{status: 422, body: keyReusedDoc}, 2, []string{"Use a new key"}},
		"invalid":                 {reply{status: 422, body: invalidDoc}, 2, []string{"  lines[0].quantity: must be 1 to 10000\n"}},
		"full":                    {reply{status: 503, body: fullDoc}, 1, []string{"This command started nothing", again}},
		"unavailable":             {reply{status: 503, body: unavailableDoc}, 1, []string{"OUTCOME IS NOT KNOWN: the order " + placedID, again}},
		"internal":                {reply{status: 500, body: internalDoc}, 1, []string{"OUTCOME IS NOT KNOWN: the order " + placedID, again}},
		"connection lost":         {reply{drop: true}, 1, []string{"OUTCOME IS NOT KNOWN: the order " + placedID, again}},
		"a proxy's bad gateway":   {reply{status: 502, body: "<html>"}, 1, []string{"OUTCOME IS NOT KNOWN: the order " + placedID, again}},
		"a proxy's page":          {reply{status: 200, body: "<html>"}, 1, []string{"Not an answer of holdfast's API", "OUTCOME IS NOT KNOWN"}},
		"a proxy's refusal":       {reply{status: 403, body: "<html>"}, 1, []string{"Not an answer of holdfast's API"}},
		"a redirect":              {reply{status: 302, header: map[string]string{"Location": "/"}}, 1, []string{"answered 302 Found"}},
		"a document of no order":  {reply{status: 201, body: `{}`}, 1, []string{"it was not an order", "OUTCOME IS NOT KNOWN"}},
		"a status from elsewhere": {reply{status: 201, body: strings.Replace(confirmedDoc, "CONFIRMED", "LIMBO", 1)}, 1, []string{`"LIMBO"`}},
		"too many requests":       {reply{status: 429, body: `{"type":"/problems/too-many","title":"Too many requests"}`}, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := try{api: answers(test.reply)}.run(t, placing("--key", "k;1")...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d", got.code, test.code)
			}
			contains(t, "stderr", got.err, test.words...)
			if test.code == exitUsage || test.code == exitRejected {
				same(t, "stdout", got.out, "")
			}
		})
	}
}

func TestPlaceSendsTheOrder(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 201, body: confirmedDoc})
	got := try{api: api, environ: []string{"HOLDFAST_UI_URL=http://ui:8233/", "TEMPORAL_NAMESPACE=shop one"}}.
		run(t, placing("--line", "hat:1:2450", "--key", "k-1", "--wait", "1500ms")...)
	got.check(t, 0, `Order                ord_aaaaaaaaaaaaaaaaaaaaaaaaaa
Status               CONFIRMED
Customer             c-17
Total (minor units)  6448 EUR
Settled              yes
Workflow             order/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa
Web UI               http://ui:8233/namespaces/shop%20one/workflows/order%2Ford_aaaaaaaaaaaaaaaaaaaaaaaaaa
Created              2026-11-20T10:00:00Z
Updated              2026-11-20T10:00:01Z

SKU  QUANTITY  UNIT PRICE (MINOR UNITS)
hat  1         2450
mug  2         1999
`, "")
	asked := api.asked[0]
	same(t, "request", asked.line, "POST /v1/orders")
	same(t, "body", asked.body, `{"customer_id":"c-17","currency":"EUR","payment_method":"tok_ok",`+
		`"lines":[{"sku":"mug","quantity":2,"unit_price":1999},{"sku":"hat","quantity":1,"unit_price":2450}]}`)
	for name, want := range map[string]string{
		"Idempotency-Key": "k-1", "Prefer": "wait=2", "User-Agent": "holdfast-starter", "Content-Type": "application/json",
	} {
		same(t, name, asked.header.Get(name), want)
	}
}

func TestPlaceMakesAndPrintsARandomKey(t *testing.T) {
	t.Parallel()
	var keys []string
	for range 2 {
		api := answers(reply{status: 503, body: unavailableDoc}, reply{status: 201, body: confirmedDoc})
		got := try{api: api}.run(t, placing()...)
		key := api.asked[0].header.Get("Idempotency-Key")
		if !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(key) {
			t.Errorf("the key is %q", key)
		}
		contains(t, "stderr", got.err, "key: "+key+"\n", "repeated with the same key")
		same(t, "the repeat's key", api.asked[1].header.Get("Idempotency-Key"), key)
		keys = append(keys, key)
	}
	if keys[0] == keys[1] {
		t.Error("two orders got the same random key")
	}
}

// TestPlaceJSON shows that stdout has the API's document, byte by byte, also when it is a problem.
func TestPlaceJSON(t *testing.T) {
	t.Parallel()
	for _, r := range []reply{
		{status: 201, body: confirmedDoc},
		{status: 202, body: pendingDoc},
		{status: 402, body: declinedDoc},
		{status: 409, body: soldOutDoc},
		{status: 422, body: invalidDoc},
		{status: 503, body: unavailableDoc},
		{status: 500, body: internalDoc + "\n"},
		{status: 201, body: strings.Replace(confirmedDoc, "CONFIRMED", "LIMBO", 1)},
	} {
		got := try{api: answers(r)}.run(t, placing("--key", "k", "--output", "json")...)
		same(t, "stdout", got.out, strings.TrimSuffix(r.body, "\n")+"\n")
	}
}

func TestPlaceRefusesWrongFlags(t *testing.T) {
	t.Parallel()
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the API was asked") })
	for words, args := range map[string][]string{
		`required flag(s) "currency", "customer", "line", "payment-method" not set`:                                {"order", "place"},
		`--line "mug" must be SKU:QUANTITY:PRICE, such as mug:2:1999`:                                              placing("--line", "mug"),
		`--line "mug:x:1": the quantity "x" is not a whole number`:                                                 placing("--line", "mug:x:1"),
		`--line "mug:1:19.99": the price "19.99" is not a whole number of minor units, such as 1999 for 19.99 EUR`: placing("--line", "mug:1:19.99"),
		`--wait must be at most 30s`:                                            placing("--wait", "31s"),
		`--wait must not be negative`:                                           placing("--wait", "-1s"),
		`--key must not be empty`:                                               placing("--key", ""),
		`--task-queue is for --direct alone`:                                    placing("--task-queue", "q"),
		`--direct does not use the API`:                                         placing("--direct", "--api", "http://x"),
		`the API's URL "x" (--api or HOLDFAST_API_URL)`:                         placing("--api", "x"),
		`starter order place takes no arguments`:                                placing("mug"),
		`unknown flag: --colour`:                                                placing("--colour"),
		`invalid argument "xml" for "-o, --output" flag: must be table or json`: placing("--output", "xml"),
	} {
		got := try{api: nothing}.run(t, args...)
		if got.code != 2 {
			t.Errorf("%q: exit code %d", args, got.code)
		}
		contains(t, "stderr", got.err, words, "See 'starter order place --help'.\n")
		same(t, "stdout", got.out, "")
	}
}
