package cli

import (
	"net/http"
	"slices"
	"testing"
)

const (
	mugDoc     = `{"sku":"mug","on_hand":10,"reserved":3,"available":7}`
	limitedDoc = `{"sku":"mug","on_hand":10,"reserved":3,"available":7,"limit_per_customer":2}`
	mugSetDoc  = `{"sku":"mug","on_hand":50,"reserved":3,"available":47}`
	mugSoldDoc = `{"sku":"mug","on_hand":8,"reserved":1,"available":7}`
	staleDoc   = `{"type":"/problems/stale","title":"Stale version","status":412,"detail":"the stock has changed since that version"}`
	needsETag  = `{"type":"/problems/version-required","title":"Version required","status":428,"detail":"the SKU exists: send If-Match"}`
	belowDoc   = `{"type":"/problems/below-reserved","title":"Below reserved","status":409,"detail":"open orders hold 3 units"}`
)

func etag(status int, body, tag string) reply {
	return reply{status: status, body: body, header: map[string]string{"ETag": tag}}
}

func TestGetStock(t *testing.T) {
	t.Parallel()
	api := answers(etag(200, mugDoc, `"4"`))
	try{api: api}.run(t, "stock", "get", "mug").check(t, 0,
		"SKU  ON HAND  RESERVED  AVAILABLE  LIMIT  ETAG\nmug  10       3         7          -      \"4\"\n", "")
	try{api: api}.run(t, "stock", "get", "mug", "--output=json").check(t, 0, mugDoc+"\n", "")
	same(t, "request", api.lines()[0], "GET /v1/stock/mug")
	try{api: answers(reply{status: 404, body: notFoundDoc})}.run(t, "stock", "get", "mug").check(t, 2, "", "Not found\n")
	got := try{api: api}.run(t, "stock", "get", "../orders")
	contains(t, "stderr", got.err, "  sku: must be 1 to 64 characters")
	if got.code != 2 || len(api.lines()) != 2 {
		t.Errorf("exit code %d after %q", got.code, api.lines())
	}
}

func TestListStock(t *testing.T) {
	t.Parallel()
	doc := `{"stock":[{"sku":"hat","on_hand":1,"reserved":0,"available":1,"limit_per_customer":null},` + limitedDoc + `],"next_cursor":null}`
	api := answers(reply{status: 200, body: doc})
	try{api: api}.run(t, "stock", "list", "--limit", "5").check(t, 0,
		"SKU  ON HAND  RESERVED  AVAILABLE  LIMIT\nhat  1        0         1          -\nmug  10       3         7          2\n", "")
	same(t, "request", api.lines()[0], "GET /v1/stock?limit=5")
	try{api: api}.run(t, "stock", "list", "-o", "json").check(t, 0, doc+"\n", "")
	got := try{api: api}.run(t, "stock", "list", "--all", "--limit", "5")
	if got.code != 2 {
		t.Errorf("exit code %d for --all with --limit", got.code)
	}
}

func TestSetStockChangesWhatWasRead(t *testing.T) {
	t.Parallel()
	api := answers(etag(200, mugDoc, `"4"`), etag(200, mugSetDoc, `"5"`))
	try{api: api}.run(t, "stock", "set", "mug", "50").check(t, 0,
		"SKU  ON HAND  RESERVED  AVAILABLE  LIMIT  ETAG\nmug  50       3         47         -      \"5\"\n", "mug: on hand 10 → 50\n")
	if want := []string{"GET /v1/stock/mug", "PUT /v1/stock/mug"}; !slices.Equal(api.lines(), want) {
		t.Errorf("it asked %q, want %q", api.lines(), want)
	}
	same(t, "body", api.asked[1].body, `{"on_hand":50}`)
	same(t, "If-Match", api.asked[1].header.Get("If-Match"), `"4"`)
}

func TestSetStockCreates(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 404, body: notFoundDoc}, etag(201, mugDoc, `"1"`))
	try{api: api}.run(t, "stock", "set", "mug", "10", "--output", "json").
		check(t, 0, mugDoc+"\n", "mug: created with 10 on hand\n")
	if _, sent := api.asked[1].header["If-Match"]; sent {
		t.Error("it sent If-Match for a SKU that is not there")
	}
}

func TestSetStockIfMatch(t *testing.T) {
	t.Parallel()
	read := etag(200, mugDoc, `"4"`)
	api := answers(read, etag(200, mugSetDoc, `"5"`))
	got := try{api: api}.run(t, "stock", "set", "mug", "50", "--if-match", `"4"`)
	same(t, "stderr", got.err, "mug: on hand set to 50\n")
	same(t, "If-Match", api.asked[1].header.Get("If-Match"), `"4"`)

	api = answers(read, reply{status: 412, body: staleDoc}, etag(200, mugSoldDoc, `"9"`))
	try{api: api}.run(t, "stock", "set", "mug", "50", "--if-match", `"4"`).check(t, 2, "",
		`Stale version: the stock has changed since that version
mug is not what it was taken for; nothing was set.
It is now: on hand 8, reserved 1, available 7, ETag "9".
If 50 is still right, repeat the command.
`)
	api = answers(reply{status: 404, body: notFoundDoc}, reply{status: 412, body: staleDoc}, reply{status: 404, body: notFoundDoc})
	got = try{api: api}.run(t, "stock", "set", "mug", "50", "--if-match", `"4"`)
	contains(t, "stderr", got.err, "It does not exist: create it without --if-match.\n")
}

// TestSetStockLimit: a PUT replaces the limit too, so that one that is not to change is sent again.
func TestSetStockLimit(t *testing.T) {
	t.Parallel()
	limited, unlimited := etag(200, limitedDoc, `"4"`), etag(200, mugDoc, `"4"`)
	for name, test := range map[string]struct {
		read, answer reply
		args         []string
		body, said   string
	}{
		"kept":         {limited, limited, nil, `{"on_hand":50,"limit_per_customer":2}`, "mug: on hand 10 → 10\n"},
		"set":          {unlimited, limited, []string{"--limit-per-customer=2"}, `{"on_hand":50,"limit_per_customer":2}`, "mug: on hand 10 → 10, limit per customer - → 2\n"},
		"taken away":   {limited, unlimited, []string{"--limit-per-customer", "0"}, `{"on_hand":50}`, "mug: on hand 10 → 10, limit per customer 2 → -\n"},
		"of a version": {limited, limited, []string{"--if-match", `"4"`}, `{"on_hand":50,"limit_per_customer":2}`, "mug: on hand set to 10\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := answers(test.read, test.answer)
			got := try{api: api}.run(t, append([]string{"stock", "set", "mug", "50"}, test.args...)...)
			same(t, "stderr", got.err, test.said)
			same(t, "body", api.asked[1].body, test.body)
		})
	}
	api := answers(limited)
	try{api: api}.run(t, "stock", "set", "mug", "50", "--if-match", `"4"`, "--limit-per-customer=2")
	if want := []string{"PUT /v1/stock/mug"}; !slices.Equal(api.lines(), want) {
		t.Errorf("it asked %q, want %q", api.lines(), want)
	}
}

// TestSetStockChangedMeanwhile shows that a sale between reading and writing is not overwritten.
func TestSetStockChangedMeanwhile(t *testing.T) {
	t.Parallel()
	api := answers(etag(200, mugDoc, `"4"`), reply{status: 412, body: staleDoc}, etag(200, mugSoldDoc, `"9"`))
	args := []string{"stock", "set", "mug", "50"}
	try{api: api}.run(t, args...).check(t, 2, "",
		`Stale version: the stock has changed since that version
mug changed meanwhile; nothing was set. On hand was 10, reserved 3, available 7.
It is now: on hand 8, reserved 1, available 7, ETag "9".
If 50 is still right, repeat the command.
`)
	api = answers(reply{status: 404, body: notFoundDoc}, reply{status: 428, body: needsETag}, etag(200, mugDoc, `"1"`))
	got := try{api: api}.run(t, append(args, "-o", "json")...)
	same(t, "stdout", got.out, needsETag+"\n")
	contains(t, "stderr", got.err, "mug is not what it was taken for; nothing was set.\nIt is now: on hand 10")
}

func TestSetStockForce(t *testing.T) {
	t.Parallel()
	stale := reply{status: 412, body: staleDoc}
	api := answers(etag(200, mugDoc, `"4"`), stale, etag(200, mugSoldDoc, `"9"`), stale, etag(200, mugSoldDoc, `"10"`), etag(200, mugSetDoc, `"11"`))
	got := try{api: api}.run(t, "stock", "set", "mug", "50", "--force")
	if got.code != 0 {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	same(t, "stderr", got.err, "mug: on hand 8 → 50\n")
	same(t, "the last If-Match", api.asked[5].header.Get("If-Match"), `"10"`)
}

func TestSetStockFails(t *testing.T) {
	t.Parallel()
	read := etag(200, mugDoc, `"4"`)
	for name, test := range map[string]struct {
		api   *script
		args  []string
		code  int
		words []string
	}{
		"below reserved":    {answers(read, reply{status: 409, body: belowDoc}), []string{"mug", "1"}, 2, []string{"open orders hold 3 units", "Wait for their ends"}},
		"lost":              {answers(read, reply{drop: true}), []string{"mug", "50"}, 1, []string{"not known whether it took effect. Look with 'stock get mug'"}},
		"failed inside":     {answers(read, reply{status: 500, body: internalDoc}), []string{"mug", "50"}, 1, []string{"not known whether it took effect"}},
		"read fails":        {answers(reply{status: 500, body: internalDoc}), []string{"mug", "50"}, 1, []string{"Internal error\n"}},
		"no ETag":           {answers(reply{status: 200, body: mugDoc}), []string{"mug", "50"}, 1, []string{"without an ETag"}},
		"not the API":       {answers(reply{status: 404, body: "nginx"}), []string{"mug", "50"}, 1, []string{"Not an answer of holdfast's API"}},
		"no number":         {answers(read), []string{"mug", "many"}, 2, []string{`ON_HAND "many" is not a whole number`}},
		"one argument":      {answers(read), []string{"mug"}, 2, []string{"starter stock set takes SKU ON_HAND, and got 1 arguments"}},
		"both ways":         {answers(read), []string{"mug", "5", "--force", "--if-match", `"1"`}, 2, []string{"if-match force"}},
		"an empty ETag":     {answers(read), []string{"mug", "5", "--if-match", ""}, 2, []string{"--if-match must not be empty"}},
		"no shape of a SKU": {answers(read), []string{"a/b", "5"}, 2, []string{"  sku: must be"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := try{api: test.api}.run(t, append([]string{"stock", "set"}, test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d", got.code, test.code)
			}
			contains(t, "stderr", got.err, test.words...)
			same(t, "stdout", got.out, "")
		})
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	api := answers(etag(200, mugSetDoc, `"5"`))
	try{api: api}.run(t, "stock", "receive", "mug", "40", "--reference", "d 1", "--reason", "delivery").check(t, 0,
		"SKU  ON HAND  RESERVED  AVAILABLE  LIMIT  ETAG\nmug  50       3         47         -      \"5\"\n", "")
	same(t, "request", api.asked[0].line, "POST /v1/stock/mug/receipts")
	same(t, "body", api.asked[0].body, `{"quantity":40,"reference":"d 1","reason":"delivery"}`)

	got := try{api: api}.run(t, "stock", "receive", "mug", "--reference", "b-1", "-o", "json", "--", "-2")
	same(t, "stdout", got.out, mugSetDoc+"\n")
	same(t, "body", api.asked[1].body, `{"quantity":-2,"reference":"b-1"}`)
}

func TestReceiveFails(t *testing.T) {
	t.Parallel()
	got := try{api: answers(reply{drop: true})}.run(t, "stock", "receive", "mug", "1", "--reference", "r")
	contains(t, "stderr", got.err, "safe to repeat the same command")
	reused := answers(reply{status: 422, body: `{"type":"/problems/key-reused","title":"Key reused","status":422,` +
		`"detail":"reference counts already, for another quantity",` +
		`"errors":[{"field":"reference","message":"counts already, for another quantity"}]}`})
	try{api: reused}.run(t, "stock", "receive", "mug", "1", "--reference", "r").check(t, 2, "",
		`Key reused: reference counts already, for another quantity
Nothing was changed. Use a new reference for other units.
`)
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the API was asked") })
	for words, args := range map[string][]string{
		"a negative quantity needs -- before it":      {"mug", "-2", "--reference", "r"},
		`required flag(s) "reference" not set`:        {"mug", "2"},
		`the quantity "x" is not a whole number`:      {"mug", "x", "--reference", "r"},
		"starter stock receive takes SKU QUANTITY":    {"--reference", "r"},
		"unknown flag: --colour":                      {"--colour"},
		"  sku: must be 1 to 64 characters of A-Z, a": {"-", "2", "--reference", "r"},
	} {
		got := try{api: nothing}.run(t, append([]string{"stock", "receive"}, args...)...)
		if got.code != 2 {
			t.Errorf("%q: exit code %d", args, got.code)
		}
		contains(t, "stderr", got.err, words)
	}
}
