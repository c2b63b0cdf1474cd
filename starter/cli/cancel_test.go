package cli

import (
	"strings"
	"testing"
)

const (
	cancelledDoc = `{"id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa","status":"CANCELLED","reason":"requested","customer_id":"c-17","currency":"EUR",` +
		`"total":3998,"lines":[{"sku":"mug","quantity":2,"unit_price":1999}],"settled":true,"attention":null,` +
		`"workflow_id":"order/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa","created_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:15:00Z"}`
	handedOffDoc = `{"type":"/problems/handed-off","title":"Handed off","status":409,"detail":"the warehouse has the order",` +
		`"order_id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa"}`
)

func TestCancel(t *testing.T) {
	t.Parallel()
	unsettledDoc := strings.Replace(cancelledDoc, `"settled":true`, `"settled":false`, 1)
	for name, c := range map[string]struct {
		answer reply
		code   int
		stderr string
	}{
		"cancelled":             {reply{status: 200, body: cancelledDoc}, 0, ""},
		"its charge is owed":    {reply{status: 202, body: unsettledDoc}, 4, "The cancellation goes on. See it: starter order get " + orderID + "\n"},
		"it has not begun":      {reply{status: 202, body: pendingDoc}, 4, "The cancellation goes on. See it: starter order get " + orderID + "\n"},
		"the warehouse has it":  {reply{status: 409, body: handedOffDoc}, 3, "Handed off: the warehouse has the order\n  order: " + orderID + "\n"},
		"it was rejected":       {reply{status: 409, body: closedDoc}, 3, "The order is closed: it was cancelled\n  order: " + orderID + "\nThe order is closed for good. To order again, use a new key.\n"},
		"there is no such":      {reply{status: 404, body: notFoundDoc}, 2, "Not found\n"},
		"nobody knows":          {reply{status: 503, body: unavailableDoc}, 1, "Unavailable: the outcome is not known\n"},
		"somebody else answers": {reply{status: 200, body: `{"id":""}`}, 1, "Not an answer of holdfast's API"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := answers(c.answer)
			got := try{api: api}.run(t, "order", "cancel", orderID, "--wait", "1500ms", "-o", "json")
			if got.code != c.code || !strings.Contains(got.err, c.stderr) {
				t.Errorf("exit code %d, stderr %q, want %d, %q", got.code, got.err, c.code, c.stderr)
			}
			if c.answer.status < 300 && c.code != 1 {
				same(t, "stdout", got.out, c.answer.body+"\n")
			}
			same(t, "request", api.lines()[0], "POST /v1/orders/"+orderID+"/cancel")
			same(t, "Prefer", api.asked[0].header.Get("Prefer"), "wait=2")
		})
	}
}

func TestCancelAsksOnlyForWhatCanBe(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 200, body: cancelledDoc})
	for _, args := range [][]string{
		{"order", "cancel"},
		{"order", "cancel", "ord_1"},
		{"order", "cancel", orderID, "--wait", "31s"},
		{"order", "cancel", orderID, "--wait", "-1s"},
	} {
		if got := (try{api: api}).run(t, args...); got.code != 2 {
			t.Errorf("%q: exit code %d", args, got.code)
		}
	}
	if n := len(api.lines()); n != 0 {
		t.Errorf("the API was asked %d times", n)
	}
}
