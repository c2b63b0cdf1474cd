// Package e2e_test plays whole sales against the whole stack, through HTTP, and asks the audit.
package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"holdfast/app"
	"holdfast/devstack/chaos"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/starter/cli"
)

const free = "127.0.0.1:0"

// shopFront is a stack with a shopper in front of it.
type shopFront struct {
	*stack.Stack
	*shop.Client
}

// open starts a stack that is stopped with the test. Only what goes wrong is logged.
func open(t *testing.T, adapt ...func(*stack.Config)) shopFront {
	t.Helper()
	cfg := stack.Config{
		Data: t.TempDir(), API: free, Temporal: free, UI: free, Gateway: free,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	}
	for _, a := range adapt {
		a(&cfg)
	}
	return start(t, cfg)
}

func start(t *testing.T, cfg stack.Config) shopFront {
	t.Helper()
	s, err := stack.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return shopFront{s, shop.New(s.APIURL())}
}

// sell puts units of a SKU up for sale.
func (f shopFront) sell(t *testing.T, sku string, units int64) {
	t.Helper()
	if err := f.SetStock(t.Context(), sku, units); err != nil {
		t.Fatal(err)
	}
}

// buy places an order and repeats it until it has ended.
func (f shopFront) buy(t *testing.T, key string, r shop.Request) shop.Answer {
	t.Helper()
	answer, err := f.PlaceUntilDefinite(t.Context(), key, r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// leavePending places an order under the key "k" whose payment takes its time, and does not wait for it.
func (f shopFront) leavePending(t *testing.T, r shop.Request) shop.Answer {
	t.Helper()
	return f.leavePendingUnder(t, "k", r)
}

// leavePendingUnder repeats the order until it is on record: a busy machine takes a moment.
func (f shopFront) leavePendingUnder(t *testing.T, key string, r shop.Request) shop.Answer {
	t.Helper()
	for {
		pending, err := f.Place(t.Context(), key, r, 0)
		if err == nil && pending.Status == http.StatusAccepted {
			return pending
		}
		if err != nil || pending.Status != http.StatusServiceUnavailable {
			t.Errorf("answered %d %+v, %v", pending.Status, pending.Problem, err)
			return pending
		}
	}
}

// wantCharges compares an order's charges less its reversals in the provider's ledger.
func (f shopFront) wantCharges(t *testing.T, id order.ID, want int) {
	t.Helper()
	if charges, reversals := f.charges(t, id); charges-reversals != want {
		t.Errorf("%d charges and %d reversals for %s, want a net of %d", charges, reversals, id, want)
	}
}

// charges counts an order's charges and reversals in the provider's ledger.
func (f shopFront) charges(t *testing.T, id order.ID) (charges, reversals int) {
	t.Helper()
	entries, err := f.Ledger(t.Context(), f.GatewayURL())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch {
		case e.Reference != id:
		case e.Kind == "charge":
			charges++
		default:
			reversals++
		}
	}
	return charges, reversals
}

// untilDecided waits until the provider has decided the order's charge, whether or not it can say so.
func (f shopFront) untilDecided(t *testing.T, id order.ID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ; ; pause(ctx, 10*time.Millisecond) {
		text, err := os.ReadFile(f.JournalPath())
		switch {
		case err != nil:
			t.Fatal(err)
		case bytes.Contains(text, []byte(id)):
			return
		case ctx.Err() != nil:
			t.Fatalf("the provider has never been asked for %s", id)
		}
	}
}

func (f shopFront) left(t *testing.T, sku string, want int64) {
	t.Helper()
	s, err := f.Stock(t.Context(), sku)
	if err != nil {
		t.Fatal(err)
	}
	if s.Available != want || s.Reserved != 0 {
		t.Errorf("%s: %d available and %d reserved, want %d and 0", sku, s.Available, s.Reserved, want)
	}
}

// quiet waits until nothing is in flight, and then has the promises proved.
func (f shopFront) quiet(t *testing.T) {
	t.Helper()
	f.quietWithin(t, time.Minute)
}

// quietWithin is quiet for those who have more to wait for.
func (f shopFront) quietWithin(t *testing.T, patience time.Duration) {
	t.Helper()
	deadline, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		report, err := f.Audit(deadline)
		switch {
		case err == nil && !report.Holds:
			t.Fatalf("the audit does not hold: %+v", report.Violations)
		case err == nil && report.InFlight == 0:
			return
		case deadline.Err() != nil:
			t.Fatalf("not quiet after %s: %+v, %v", patience, report, err)
		}
		pause(deadline, 50*time.Millisecond)
	}
}

// pause paces a loop that watches something.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (f shopFront) temporal(t *testing.T) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: f.TemporalAddr(), Namespace: stack.Namespace, Logger: nil})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// scrape reads the metrics at the URL.
func scrape(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// starter runs the starter's command as an operator does, and gives its stdout, its stderr and its exit code.
func (f shopFront) starter(ctx context.Context, args ...string) (out, said string, code int) {
	var stdout, stderr bytes.Buffer
	env := cli.Env{
		Environ: []string{"TEMPORAL_CONFIG_FILE=" + os.DevNull, "HOLDFAST_API_URL=" + f.API}, Stdout: &stdout, Stderr: &stderr,
	}
	for name, value := range f.Env() {
		env.Environ = append(env.Environ, name+"="+value)
	}
	code = cli.Main(ctx, args, env)
	return stdout.String(), stderr.String(), code
}

// The test binary can be a stack itself, to be killed: see crash_test.go. By another name it is an api or a worker: see
// programs_test.go.
const childVariable = "HOLDFAST_E2E_STACK"

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "api":
		os.Exit(app.Run("api", os.Stderr, app.NewAPI))
	case "worker":
		os.Exit(app.Run("worker", os.Stderr, app.NewWorker))
	case "devstack":
		os.Exit(beHelper())
	}
	if addresses := os.Getenv(childVariable); addresses != "" {
		os.Exit(beStack(addresses))
	}
	testserver.Main(m)
}

// beHelper is a Temporal server or a provider of chaos until the process is killed.
func beHelper() int {
	cmd := chaos.Command()
	cmd.SetArgs(os.Args[2:])
	if err := cmd.Execute(); err != nil {
		return 1
	}
	return 0
}

// beStack runs a stack until the process is killed. The addresses are those of data, API, Temporal,
// Web UI and gateway, of Redis and of MySQL if they are real ones, separated by blanks.
func beStack(addresses string) int {
	a := strings.Split(addresses, " ")
	_, err := stack.Start(context.Background(), stack.Config{Data: a[0], API: a[1], Temporal: a[2], UI: a[3], Gateway: a[4], Redis: a[5], MySQL: a[6]})
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	select {}
}
