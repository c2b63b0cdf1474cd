package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"holdfast/payment/sandbox"
)

// TestKeys: one charge for each key and for each reference, and a repeat changes nothing.
func TestKeys(t *testing.T) {
	t.Parallel()
	a := newAPI(t, sandbox.Config{})
	for range 2 {
		got := a.charge("k1", "r1", 500, sandbox.TokenOK)
		a.want(got, "approved", "")
		if got.Reference != "r1" || got.Amount != 500 || got.Currency != "EUR" {
			t.Errorf("got %+v", got)
		}
		a.want(a.charge("k2", "r2", 500, sandbox.TokenDeclined), "declined", sandbox.ReasonCardDeclined)
		a.want(a.charge("k3", "r3", 500, "tok_other"), "declined", sandbox.ReasonUnknownMethod)
	}
	for name, got := range map[string]answer{
		"another amount":    a.charge("k1", "r1", 501, sandbox.TokenOK),
		"another method":    a.charge("k1", "r1", 500, sandbox.TokenDeclined),
		"another reference": a.charge("k1", "r9", 500, sandbox.TokenOK),
		"another currency": a.ask(http.MethodPost, "/v1/charges", "k1",
			strings.Replace(chargeBody("r1", 500, sandbox.TokenOK), "EUR", "USD", 1)),
		"a declined one's amount": a.charge("k2", "r2", 501, sandbox.TokenDeclined),
	} {
		if got.code != http.StatusUnprocessableEntity || got.Error == "" {
			t.Errorf("%s under a used key gave %+v", name, got)
		}
	}
	for _, reference := range []string{"r1", "r2"} {
		if got := a.charge("k9", reference, 500, sandbox.TokenOK); got.code != http.StatusConflict || got.Error == "" {
			t.Errorf("another key for %s gave %+v", reference, got)
		}
	}
	if got := a.find("r9"); got.code != http.StatusNotFound || got.Error == "" {
		t.Errorf("an unknown reference gave %+v", got)
	}
	a.want(a.find("r2"), "declined", sandbox.ReasonCardDeclined)
	a.wantLedger("charge r1 500 EUR")
}

// TestReversals: exactly one entry where money had moved and none where it had not.
func TestReversals(t *testing.T) {
	t.Parallel()
	a := newAPI(t, sandbox.Config{})
	a.charge("charge:paid", "paid", 500, sandbox.TokenOK)
	a.charge("charge:refused", "refused", 500, sandbox.TokenDeclined)
	for range 2 {
		a.want(a.reverse("paid"), "reversed", sandbox.ReasonReversed)
		a.want(a.reverse("refused"), "declined", sandbox.ReasonCardDeclined)
		a.want(a.reverse("never"), "reversed", sandbox.ReasonReversed)
		a.want(a.charge("charge:paid", "paid", 500, sandbox.TokenOK), "declined", sandbox.ReasonReversed)
		a.want(a.charge("charge:never", "never", 500, sandbox.TokenOK), "declined", sandbox.ReasonReversed)
		a.want(a.charge("charge:other", "never", 501, sandbox.TokenOK), "declined", sandbox.ReasonReversed)
	}
	if got := a.find("paid"); got.Charged != 500 || got.Reversed != 500 || got.Currency != "EUR" {
		t.Errorf("got %+v", got)
	}
	if got := a.find("never"); got.Charged != 0 || got.Reversed != 0 {
		t.Errorf("got %+v", got)
	}
	a.wantLedger("charge paid 500 EUR", "reversal paid 500 EUR")
}

func TestLedgerPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t, sandbox.Config{})
	if got := a.ask(http.MethodGet, "/v1/ledger", "", ""); got.Entries == nil || got.Next != 0 {
		t.Errorf("an empty ledger gave %+v", got)
	}
	for n := range 5 {
		a.charge(fmt.Sprint("k", n), fmt.Sprint("r", n), 100, sandbox.TokenOK)
	}
	for _, test := range []struct {
		query       string
		first, next int64 // first is 0 for an empty page
		length      int
	}{
		{"", 1, 0, 5},
		{"?limit=5", 1, 0, 5},
		{"?limit=2", 1, 2, 2},
		{"?after=2&limit=2", 3, 4, 2},
		{"?after=4&limit=2", 5, 0, 1},
		{"?after=5", 0, 0, 0},
		{"?after=9223372036854775807", 0, 0, 0},
	} {
		got := a.ask(http.MethodGet, "/v1/ledger"+test.query, "", "")
		if len(got.Entries) != test.length || got.Next != test.next || (test.first > 0 && got.Entries[0].Number != test.first) {
			t.Errorf("%s gave %+v", test.query, got)
		}
	}
}

// TestBadInput is answered 400 with words, and decides nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	a := newAPI(t, sandbox.Config{})
	good := chargeBody("r", 5, sandbox.TokenOK)
	change := func(from, to string) string {
		changed := strings.Replace(good, from, to, 1)
		if changed == good {
			t.Fatalf("%s is not in %s", from, good)
		}
		return changed
	}
	const charges, reversals = "POST /v1/charges", "POST /v1/reversals"
	for name, test := range map[string]struct{ call, key, body string }{
		"no key":               {charges, "", good},
		"a key with a space":   {charges, "a b", good},
		"a long key":           {charges, strings.Repeat("k", 256), good},
		"no body":              {charges, "k", ""},
		"garbage":              {charges, "k", "!"},
		"two values":           {charges, "k", good + good},
		"an unknown field":     {charges, "k", change(`"amount"`, `"tip":1,"amount"`)},
		"a huge body":          {charges, "k", change("{", "{"+strings.Repeat(" ", 64<<10))},
		"no amount":            {charges, "k", change(`"amount":5,`, ``)},
		"amount 0":             {charges, "k", change(":5", ":0")},
		"a negative amount":    {charges, "k", change(":5", ":-5")},
		"a float":              {charges, "k", change(":5", ":5.5")},
		"a text":               {charges, "k", change(":5", `:"5"`)},
		"amount 2^53":          {charges, "k", change(":5", ":9007199254740992")},
		"amount 2^64":          {charges, "k", change(":5", ":18446744073709551616")},
		"a small currency":     {charges, "k", change("EUR", "eur")},
		"no currency":          {charges, "k", change("EUR", "")},
		"no payment method":    {charges, "k", change(sandbox.TokenOK, "")},
		"an odd method":        {charges, "k", change(sandbox.TokenOK, "tok ok")},
		"no reference":         {charges, "k", change(`"r"`, `""`)},
		"an odd reference":     {charges, "k", change(`"r"`, `"r/1"`)},
		"a long reference":     {charges, "k", change(`"r"`, `"`+strings.Repeat("r", 65)+`"`)},
		"reversal: no key":     {reversals, "", `{"reference":"r"}`},
		"reversal: no body":    {reversals, "k", ``},
		"reversal: odd":        {reversals, "k", `{"reference":"r 1"}`},
		"look-up: odd":         {"GET /v1/payments/r%201", "", ""},
		"ledger: odd after":    {"GET /v1/ledger?after=x", "", ""},
		"ledger: after < 0":    {"GET /v1/ledger?after=-1", "", ""},
		"ledger: limit 0":      {"GET /v1/ledger?limit=0", "", ""},
		"ledger: a long limit": {"GET /v1/ledger?limit=1001", "", ""},
	} {
		method, path, _ := strings.Cut(test.call, " ")
		if got := a.ask(method, path, test.key, test.body); got.code != http.StatusBadRequest || got.Error == "" {
			t.Errorf("%s gave %+v", name, got)
		}
	}
	if got := a.find("r"); got.code != http.StatusNotFound {
		t.Errorf("bad input decided %+v", got)
	}
	a.wantLedger()
	a.want(a.charge("k", strings.Repeat("r", 64), 1<<53-1, sandbox.TokenOK), "approved", "")
}
