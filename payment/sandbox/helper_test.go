package sandbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/payment/sandbox"
)

const (
	// journalVariable tells this binary to be a provider on that journal, and nothing else.
	journalVariable = "HOLDFAST_SANDBOX_TEST_JOURNAL"
	// asyncVariable is its Config.AsyncDelay.
	asyncVariable = "HOLDFAST_SANDBOX_TEST_ASYNC_DELAY"
)

func TestMain(m *testing.M) {
	if journal := os.Getenv(journalVariable); journal != "" {
		serveUntilKilled(journal)
		return
	}
	os.Exit(m.Run())
}

// serveUntilKilled prints the URL, and ends with its standard input should the test die first.
func serveUntilKilled(journal string) {
	delay, err := time.ParseDuration(os.Getenv(asyncVariable))
	if err != nil {
		slog.Error("payment sandbox", "error", err)
		os.Exit(1)
	}
	provider := sandbox.New(sandbox.Config{Addr: "127.0.0.1:0", Journal: journal, AsyncDelay: delay})
	if err := provider.Start(context.Background()); err != nil {
		slog.Error("payment sandbox", "error", err)
		os.Exit(1)
	}
	_, _ = fmt.Fprintln(os.Stdout, provider.URL())
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
}

// answer is any answer of the provider.
type answer struct {
	code      int
	Reference string          `json:"reference"`
	Status    string          `json:"status"`
	Reason    string          `json:"reason"`
	Amount    int64           `json:"amount"`
	Currency  string          `json:"currency"`
	Charged   int64           `json:"charged"`
	Reversed  int64           `json:"reversed"`
	Entries   []sandbox.Entry `json:"entries"`
	Next      int64           `json:"next"`
	Mode      sandbox.Mode    `json:"mode"`
	Seconds   int             `json:"seconds"`
	DelayMS   int             `json:"delay_ms"`
	Error     string          `json:"error"`
}

// ask sends one request. The error is the connection's.
func ask(ctx context.Context, method, url, key, body string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{code: response.StatusCode}
	err = json.NewDecoder(response.Body).Decode(&a)
	return a, err
}

func chargeBody(reference string, amount int64, token string) string {
	return fmt.Sprintf(`{"reference":%q,"amount":%d,"currency":"EUR","payment_method":%q}`, reference, amount, token)
}

// api is one provider as a test talks to it.
type api struct {
	t   *testing.T
	url string
}

// newAPI serves a provider that keeps its ledger in memory.
func newAPI(t *testing.T, cfg sandbox.Config) api {
	t.Helper()
	server := httptest.NewServer(sandbox.New(cfg).Handler())
	t.Cleanup(server.Close)
	return api{t: t, url: server.URL}
}

func (a api) ask(method, path, key, body string) answer {
	a.t.Helper()
	got, err := ask(a.t.Context(), method, a.url+path, key, body)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

func (a api) charge(key, reference string, amount int64, token string) answer {
	a.t.Helper()
	return a.ask(http.MethodPost, "/v1/charges", key, chargeBody(reference, amount, token))
}

func (a api) reverse(reference string) answer {
	a.t.Helper()
	return a.ask(http.MethodPost, "/v1/reversals", "reverse:"+reference, fmt.Sprintf(`{"reference":%q}`, reference))
}

func (a api) find(reference string) answer {
	a.t.Helper()
	return a.ask(http.MethodGet, "/v1/payments/"+reference, "", "")
}

// await asks until the payment is not pending any more.
func (a api) await(reference string) answer {
	a.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		switch got := a.find(reference); {
		case got.Status != "pending":
			return got
		case time.Now().After(deadline):
			a.t.Fatalf("still %+v", got)
		}
	}
}

// entries reads the whole ledger, and checks that it has no gap.
func (a api) entries() []sandbox.Entry {
	a.t.Helper()
	entries := []sandbox.Entry{}
	for after := int64(0); ; {
		page := a.ask(http.MethodGet, fmt.Sprintf("/v1/ledger?after=%d&limit=%d", after, sandbox.MaxPage), "", "")
		for _, e := range page.Entries {
			if e.Number != int64(len(entries))+1 {
				a.t.Fatalf("entry %d follows entry %d", e.Number, len(entries))
			}
			entries = append(entries, e)
		}
		if page.Next == 0 {
			return entries
		}
		after = page.Next
	}
}

// wantLedger checks kinds, references and amounts, in their order.
func (a api) wantLedger(want ...string) {
	a.t.Helper()
	got := []string{}
	for _, e := range a.entries() {
		got = append(got, fmt.Sprintf("%s %s %d %s", e.Kind, e.Reference, e.Amount, e.Currency))
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		a.t.Errorf("the ledger holds %q, want %q", got, want)
	}
}

// want checks a decision, which is always a 200.
func (a api) want(got answer, status, reason string) {
	a.t.Helper()
	if got.code != http.StatusOK || got.Status != status || got.Reason != reason {
		a.t.Errorf("got %+v, want 200 %q %q", got, status, reason)
	}
}
