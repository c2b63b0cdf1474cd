package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestGetOrder(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 200, body: pendingDoc})
	try{api: api}.run(t, "order", "get", orderID).check(t, 0, `Order                ord_aaaaaaaaaaaaaaaaaaaaaaaaaa
Status               PENDING
Customer             c-17
Total (minor units)  3998 EUR
Settled              no
Needs a person       since 2026-11-20T10:15:00Z: Charge has had no answer for 15m0s
Workflow             order/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa
Created              2026-11-20T10:00:00Z
Updated              2026-11-20T10:15:00Z

SKU  QUANTITY  UNIT PRICE (MINOR UNITS)
mug  2         1999
`, "")
	try{api: api}.run(t, "order", "get", orderID, "--output", "json").check(t, 0, pendingDoc+"\n", "")
	same(t, "request", api.lines()[0], "GET /v1/orders/"+orderID)
}

// TestGetOrderCannotSteerTheTerminal shows that text from outside stays text.
func TestGetOrderCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	doc := strings.Replace(pendingDoc, "Charge has", `\u001b[2J\nCharge\thas`, 1)
	got := try{api: answers(reply{status: 200, body: doc})}.run(t, "order", "get", orderID)
	contains(t, "stdout", got.out, ":  [2J Charge has had")
}

func TestGetOrderFails(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 404, body: notFoundDoc})
	try{api: api}.run(t, "order", "get", orderID).check(t, 2, "", "Not found\n")
	try{api: api}.run(t, "order", "get", orderID, "-o=json").check(t, 2, notFoundDoc+"\n", "Not found\n")
	try{api: api}.run(t, "order", "get", "../stock").check(t, 2, "",
		"Invalid input\n  id: must be ord_ and 26 characters of a-z and 2-7\nCorrect it and try again.\n")
	if n := len(api.lines()); n != 2 {
		t.Errorf("the API was asked %d times", n)
	}
	api = answers(reply{status: 404, body: "404 page not found"})
	got := try{api: api}.run(t, "order", "get", orderID)
	if got.code != 1 {
		t.Errorf("exit code %d for an answer that is not the API's", got.code)
	}
	contains(t, "stderr", got.err, "Not an answer of holdfast's API: http://", "answered 404 Not Found, but it was not a document of the API")
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 200, body: `{"id":"` + strings.Repeat("x", maxAnswer) + `"}`})
	got := try{api: api}.run(t, "order", "get", orderID)
	contains(t, "stderr", got.err, "it is longer than 8 MiB")
	if got.code != 1 {
		t.Errorf("exit code %d", got.code)
	}
}

func TestListOrders(t *testing.T) {
	t.Parallel()
	doc := `{"orders":[` + confirmedDoc + `,` + pendingDoc + `],"next_cursor":"abc=="}`
	api := answers(reply{status: 200, body: doc})
	args := []string{"order", "list", "--status", "pending", "--customer", "c-17", "--attention=false", "--limit", "2", "--cursor", "xyz"}
	try{api: api}.run(t, args...).check(t, 0,
		`ORDER                           STATUS     REASON  CUSTOMER  TOTAL (MINOR UNITS)  SETTLED  NEEDS A PERSON                      CREATED
ord_aaaaaaaaaaaaaaaaaaaaaaaaaa  CONFIRMED  -       c-17      6448 EUR             yes      no                                  2026-11-20T10:00:00Z
ord_aaaaaaaaaaaaaaaaaaaaaaaaaa  PENDING    -       c-17      3998 EUR             no       Charge has had no answer for 15m0s  2026-11-20T10:00:00Z
`, "There are more: starter order list --attention=false --customer c-17 --limit 2 --status pending --cursor abc==\n")
	same(t, "request", api.lines()[0], "GET /v1/orders?attention=false&cursor=xyz&customer_id=c-17&limit=2&status=PENDING")
	try{api: api}.run(t, append(args, "-o", "json")...).check(t, 0, doc+"\n", "")
}

func TestListAllOrders(t *testing.T) {
	t.Parallel()
	pages := func() *script {
		return answers(
			reply{status: 200, body: `{"orders":[` + confirmedDoc + `],"next_cursor":"2"}`},
			reply{status: 200, body: `{"orders":[` + pendingDoc + `],"next_cursor":null}`})
	}
	api := pages()
	try{api: api}.run(t, "order", "list", "--all", "--output", "json").
		check(t, 0, `{"next_cursor":null,"orders":[`+confirmedDoc+`,`+pendingDoc+`]}`+"\n", "")
	if want := []string{"GET /v1/orders?limit=200", "GET /v1/orders?cursor=2&limit=200"}; !slices.Equal(api.lines(), want) {
		t.Errorf("it asked %q, want %q", api.lines(), want)
	}
	got := try{api: pages()}.run(t, "order", "list", "--all")
	if n := strings.Count(got.out, "\n"); n != 3 || got.err != "" {
		t.Errorf("%d lines:\n%s%s", n, got.out, got.err)
	}
}

// TestListAllFailsWhole shows that a list that could not be read to its end is no list.
func TestListAllFailsWhole(t *testing.T) {
	t.Parallel()
	api := answers(
		reply{status: 200, body: `{"orders":[` + confirmedDoc + `],"next_cursor":"2"}`},
		reply{status: 500, body: internalDoc})
	try{api: api}.run(t, "order", "list", "--all", "-o", "json").check(t, 1, internalDoc+"\n", "Internal error\n")
	api = answers(reply{status: 200, body: `{"orders":[],"next_cursor":"2"}`})
	got := try{api: api}.run(t, "order", "list", "--all")
	if got.code != 1 {
		t.Errorf("exit code %d for a list without end", got.code)
	}
	contains(t, "stderr", got.err, `/v1/orders does not get beyond the cursor "2"`)
}

func TestListFailsOnAnotherDocument(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"orders":{}}`, `[]`, `{"orders":[1]}`} {
		if got := (try{api: answers(reply{status: 200, body: body})}).run(t, "order", "list"); got.code != 1 {
			t.Errorf("%s: exit code %d", body, got.code)
		}
	}
}
