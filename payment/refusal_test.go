package payment_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"holdfast/order"
)

// TestRefusalsHaveAClass goes through every status with a meaning, and asks each operation for it.
func TestRefusalsHaveAClass(t *testing.T) {
	t.Parallel()
	const inItsWords, page, nothing = `{"error":"simulated %s"}`, `<html>%s</html>`, `%.0s`
	tests := []struct {
		name            string
		status          int
		body            string
		charge, reverse order.Class
		unknownOrder    bool // LookUp answers that there is no charge; it fails Unknown otherwise
	}{
		{"parameters refused", http.StatusBadRequest, inItsWords, order.Final, order.Unknown, false},
		{"a proxy's bad request", http.StatusBadRequest, page, order.Unknown, order.Unknown, false},
		{"wrong API key", http.StatusUnauthorized, inItsWords, order.Transient, order.Transient, false},
		{"forbidden", http.StatusForbidden, inItsWords, order.Transient, order.Transient, false},
		{"a firewall's forbidden", http.StatusForbidden, page, order.Unknown, order.Unknown, false},
		{"no such payment", http.StatusNotFound, inItsWords, order.Unknown, order.Unknown, true},
		{"a proxy's page not found", http.StatusNotFound, page, order.Unknown, order.Unknown, false},
		{"a gateway's not found", http.StatusNotFound, `{"status":404,"error":"Not Found%s"}`, order.Unknown, order.Unknown, false},
		{"not found without a body", http.StatusNotFound, nothing, order.Unknown, order.Unknown, false},
		{"charged under another key", http.StatusConflict, inItsWords, order.Unknown, order.Unknown, false},
		{"key reused", http.StatusUnprocessableEntity, inItsWords, order.Unknown, order.Unknown, false},
		{"too many requests", http.StatusTooManyRequests, inItsWords, order.Unknown, order.Unknown, false},
		{"internal error", http.StatusInternalServerError, inItsWords, order.Unknown, order.Unknown, false},
		{"bad gateway", http.StatusBadGateway, page, order.Unknown, order.Unknown, false},
		{"unavailable", http.StatusServiceUnavailable, nothing, order.Unknown, order.Unknown, false},
		{"accepted", http.StatusAccepted, page, order.Unknown, order.Unknown, false},
		{"no content", http.StatusNoContent, nothing, order.Unknown, order.Unknown, false},
		{"teapot", http.StatusTeapot, inItsWords, order.Unknown, order.Unknown, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := scripted(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(test.status)
				sent, _ := io.ReadAll(r.Body)
				_, _ = fmt.Fprintf(w, test.body, echo(sent))
			})
			client, id, code := newClient(t, server.URL, patience), newID(t, ""), strconv.Itoa(test.status)

			_, err := client.Charge(t.Context(), id, price, secret)
			wantFailure(t, err, test.charge, "charge "+string(id)+": POST /v1/charges: ", code)
			err = client.Reverse(t.Context(), id)
			wantFailure(t, err, test.reverse, "reverse "+string(id)+": POST /v1/reversals: ", code)
			found, err := client.LookUp(t.Context(), id, price)
			if test.unknownOrder {
				if found != nil || err != nil {
					t.Errorf("LookUp gave %+v, %v, want nil, nil", found, err)
				}
			} else {
				wantFailure(t, err, order.Unknown, "look up "+string(id)+": GET /v1/payments/"+string(id)+": ", code)
			}
		})
	}
}

// echo is the payment method as a provider might quote it, if one was sent.
func echo(sent []byte) string {
	if bytes.Contains(sent, []byte(secret)) {
		return "of " + secret
	}
	return ""
}

// TestRedirectIsNotFollowed: the charge must not reach a host that nobody configured.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := scripted(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		server := scripted(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		})
		client, id := newClient(t, server.URL, patience), newID(t, "")
		_, err := client.Charge(t.Context(), id, price, secret)
		wantFailure(t, err, order.Unknown, strconv.Itoa(status))
		_, err = client.LookUp(t.Context(), id, price)
		wantFailure(t, err, order.Unknown, strconv.Itoa(status))
	}
}

// TestProxyOfTheEnvironmentIsIgnored cannot run beside others: it sets the environment.
func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	client, id := newClient(t, "http://holdfast.invalid", patience), newID(t, "")
	_, err := client.Charge(t.Context(), id, price, secret)
	wantFailure(t, err, order.Transient, "nothing was sent")
}
