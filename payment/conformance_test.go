package payment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/payment/paymenttest"
	"holdfast/payment/sandbox"
)

// TestConformance holds the client, with the sandbox behind it, to what every adapter promises.
func TestConformance(t *testing.T) {
	t.Parallel()
	paymenttest.Run(t, func(t *testing.T) paymenttest.Provider {
		t.Helper()
		decided := newDecisions(t)
		provider := startProvider(t, sandbox.Config{
			AsyncDelay: 100 * time.Millisecond, WebhookURL: decided.url, WebhookSecret: webhookSecret,
			Logger: slog.New(slog.DiscardHandler),
		})
		return paymenttest.Provider{
			URL:        provider.URL(),
			NewAdapter: func(url string) activities.Payments { return newClient(t, url, patience) },
			Books: func(ctx context.Context, id order.ID) (paymenttest.Account, error) {
				return readAccount(ctx, provider.URL(), id)
			},
			Methods: paymenttest.Methods{
				Approved: sandbox.TokenOK, Declined: sandbox.TokenDeclined,
				PendingApproved: sandbox.TokenAsync, PendingDeclined: sandbox.TokenAsyncDeclined,
			},
			Decide: decided.wait,
			ForgetKeys: func(ctx context.Context) error {
				return ask(ctx, http.MethodPut, provider.URL()+"/v1/admin/faults", `{"mode":"forgetful","seconds":3600}`, nil)
			},
			BlocksLateCharges: true,
		}
	})
}

// readAccount adds up the ledger, which a fresh provider fits on one page.
func readAccount(ctx context.Context, url string, id order.ID) (paymenttest.Account, error) {
	var page struct {
		Entries []sandbox.Entry `json:"entries"`
	}
	var a paymenttest.Account
	err := ask(ctx, http.MethodGet, url+"/v1/ledger", "", &page)
	for _, e := range page.Entries {
		switch {
		case e.Reference != string(id):
		case e.Kind == sandbox.KindCharge:
			a.Charges++
			a.Net += e.Amount
		case e.Kind == sandbox.KindReversal:
			a.Net -= e.Amount
		}
	}
	return a, err
}

// ask sends one request to the sandbox, and reads its answer into what is not nil.
func ask(ctx context.Context, method, url, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// decisions learns by webhook that the sandbox's time to decide is over.
type decisions struct {
	url string

	mu   sync.Mutex
	made map[string]chan struct{} // by reference
}

func newDecisions(t *testing.T) *decisions {
	t.Helper()
	d := &decisions{made: make(map[string]chan struct{})}
	d.url = scripted(t, func(_ http.ResponseWriter, r *http.Request) {
		var e sandbox.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
			return
		}
		d.make(e.Data.Reference)
	}).URL
	return d
}

// of is closed once the payment is decided.
func (d *decisions) of(reference string) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.entry(reference)
}

func (d *decisions) entry(reference string) chan struct{} {
	if d.made[reference] == nil {
		d.made[reference] = make(chan struct{})
	}
	return d.made[reference]
}

// make may be told the same twice, as of every webhook.
func (d *decisions) make(reference string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	made := d.entry(reference)
	select {
	case <-made:
	default:
		close(made)
	}
}

func (d *decisions) wait(ctx context.Context, id order.ID) error {
	select {
	case <-d.of(string(id)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
