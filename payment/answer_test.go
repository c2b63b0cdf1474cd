package payment_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/order"
	"holdfast/payment"
)

// fill puts the order id into a scripted answer.
func fill(body string, id order.ID) string { return strings.ReplaceAll(body, "ID", string(id)) }

// TestChargeBelievesOnlyWhatFits: an answer that is not about this very charge says nothing about it,
// least of all that it was declined.
func TestChargeBelievesOnlyWhatFits(t *testing.T) {
	t.Parallel()
	surprises := map[string]string{
		"garbage":            `!` + secret,
		"nothing":            ``,
		"a page":             `<html>please log in, ` + secret + `</html>`,
		"null":               `null`,
		"two values":         `{"reference":"ID","status":"declined","amount":1999,"currency":"EUR"}{}`,
		"half":               `{"reference":"ID","status":"declined","amount":19`,
		"another reference":  `{"reference":"ord_other","status":"declined","amount":1999,"currency":"EUR"}`,
		"no reference":       `{"status":"declined","amount":1999,"currency":"EUR"}`,
		"another amount":     `{"reference":"ID","status":"approved","amount":1998,"currency":"EUR"}`,
		"decline of another": `{"reference":"ID","status":"declined","amount":1,"currency":"EUR"}`,
		"another currency":   `{"reference":"ID","status":"approved","amount":1999,"currency":"USD"}`,
		"a float":            `{"reference":"ID","status":"approved","amount":1999.5,"currency":"EUR"}`,
		"no status":          `{"reference":"ID","amount":1999,"currency":"EUR"}`,
		"an unknown status":  `{"reference":"ID","status":"processing","amount":1999,"currency":"EUR"}`,
		"a status's case":    `{"reference":"ID","status":"DECLINED","amount":1999,"currency":"EUR"}`,
		"too long":           `{"reference":"ID","status":"declined","amount":1999,"currency":"EUR"}` + strings.Repeat(" ", 2<<20),
	}
	for name, body := range surprises {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := newID(t, "")
			server := scripted(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(fill(body, id))) })
			got, err := newClient(t, server.URL, patience).Charge(t.Context(), id, price, secret)
			wantFailure(t, err, order.Unknown, "POST /v1/charges: ", "200")
			if got != (order.Payment{}) {
				t.Errorf("got %+v beside the error", got)
			}
		})
	}
}

// TestRecordsMustAgreeWithThemselves: status and money of a look-up or a reversal must tell the same.
func TestRecordsMustAgreeWithThemselves(t *testing.T) {
	t.Parallel()
	surprises := map[string]string{
		"garbage":                `!`,
		"another reference":      `{"reference":"ord_other","status":"reversed","charged":5,"reversed":5}`,
		"approved, no money":     `{"reference":"ID","status":"approved","charged":0,"reversed":0}`,
		"approved and reversed":  `{"reference":"ID","status":"approved","charged":5,"reversed":5}`,
		"declined with money":    `{"reference":"ID","status":"declined","charged":5,"reversed":0}`,
		"reversed in part":       `{"reference":"ID","status":"reversed","charged":5,"reversed":4}`,
		"reversed more than all": `{"reference":"ID","status":"reversed","charged":5,"reversed":6}`,
		"pending with money":     `{"reference":"ID","status":"pending","charged":5,"reversed":0}`,
		"pending and reversed":   `{"reference":"ID","status":"pending","charged":5,"reversed":5}`,
		"an unknown status":      `{"reference":"ID","status":"processing","charged":0,"reversed":0}`,
		"too long":               strings.Repeat(" ", 2<<20),
	}
	for name, body := range surprises {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := newID(t, "")
			server := scripted(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(fill(body, id))) })
			client := newClient(t, server.URL, patience)
			found, err := client.LookUp(t.Context(), id, price)
			wantFailure(t, err, order.Unknown, "200")
			if found != nil {
				t.Errorf("LookUp gave %+v beside the error", found)
			}
			_, err = client.Net(t.Context(), id)
			wantFailure(t, err, order.Unknown, "200")
			wantFailure(t, client.Reverse(t.Context(), id), order.Unknown, "200")
		})
	}
}

// TestReverseNeedsTheNetToBeZero: a 200 with the money still taken is no reversal.
func TestReverseNeedsTheNetToBeZero(t *testing.T) {
	t.Parallel()
	id := newID(t, "")
	server := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(fill(`{"reference":"ID","status":"approved","charged":5,"reversed":0}`, id)))
	})
	wantFailure(t, newClient(t, server.URL, patience).Reverse(t.Context(), id), order.Unknown, "net charge")
}

// TestReverseNeedsTheNetToStayZero: a pending charge that is left may still be approved.
func TestReverseNeedsTheNetToStayZero(t *testing.T) {
	t.Parallel()
	id := newID(t, "")
	server := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(fill(`{"reference":"ID","status":"pending","charged":0,"reversed":0}`, id)))
	})
	wantFailure(t, newClient(t, server.URL, patience).Reverse(t.Context(), id), order.Unknown, "may still be approved")
}

// TestReasonsAreBounded: the provider's words reach rows and screens.
func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	id := newID(t, "")
	long := `line one\nline two \u001b[31m` + strings.Repeat("é", 5000)
	server := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(fill(`{"reference":"ID","status":"declined","amount":1999,"currency":"EUR","reason":"`+long+`"}`, id)))
	})
	got, err := newClient(t, server.URL, patience).Charge(t.Context(), id, price, secret)
	if err != nil || got.Verdict != order.Declined {
		t.Fatalf("got %+v, %v", got, err)
	}
	if len(got.Reason) > 100 || !utf8.ValidString(got.Reason) || strings.ContainsAny(got.Reason, "\n\x1b") {
		t.Errorf("got the reason %q", got.Reason)
	}
}

// TestLedgerPagesMustLeadOn: an audit that loops for ever, or counts nonsense, proves nothing.
func TestLedgerPagesMustLeadOn(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"leads back":      `{"entries":[{"number":6,"kind":"charge","reference":"a","amount":1}],"next":5}`,
		"leads nowhere":   `{"entries":[],"next":5}`,
		"starts too low":  `{"entries":[{"number":5,"kind":"charge","reference":"a","amount":1}],"next":0}`,
		"is not in order": `{"entries":[{"number":7,"kind":"charge","reference":"a","amount":1},{"number":6,"kind":"charge","reference":"a","amount":1}],"next":0}`,
		"unknown kind":    `{"entries":[{"number":6,"kind":"fee","reference":"a","amount":1}],"next":0}`,
		"negative amount": `{"entries":[{"number":6,"kind":"charge","reference":"a","amount":-1}],"next":0}`,
		"too many":        `{"entries":[{"number":6,"kind":"charge","reference":"a","amount":1},{"number":7,"kind":"charge","reference":"a","amount":1},{"number":8,"kind":"charge","reference":"a","amount":1}],"next":0}`,
	}
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := scripted(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(page)) })
			_, _, err := newClient(t, server.URL, patience).Ledger(t.Context(), 5, 2)
			wantFailure(t, err, order.Unknown, "GET /v1/ledger?after=5&limit=2: ")
		})
	}
}

// TestConfigIsChecked names what is wrong before a single order is taken.
func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:8090", "ftp://host", "http://", "http://host?a=b", "http://host/\x00"} {
		if _, err := payment.New(payment.Config{URL: url, Timeout: patience}); err == nil || !strings.Contains(err.Error(), "URL") {
			t.Errorf("the URL %q gave %v", url, err)
		}
	}
	if _, err := payment.New(payment.Config{URL: "http://host"}); err == nil || !strings.Contains(err.Error(), "time-out") {
		t.Errorf("no time-out gave %v", err)
	}
	if _, err := payment.New(payment.Config{URL: "http://host", Timeout: patience}); err == nil || !strings.Contains(err.Error(), "Registerer") {
		t.Errorf("no registerer gave %v", err)
	}
}
