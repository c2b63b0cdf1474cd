package e2e_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"holdfast/app"
	"holdfast/config"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
)

// lines is what was logged so far.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text.Bytes(), []byte(text))
}

// all gives the lines, each of which must be JSON.
func (l *lines) all(t *testing.T) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	text := bytes.Clone(l.text.Bytes())
	l.mu.Unlock()
	for line := range bytes.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		found = append(found, fields)
	}
	return found
}

// wantNone checks that no line has any of the secrets in it.
func (l *lines) wantNone(t *testing.T, secrets ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(l.text.Bytes()) {
		for _, secret := range secrets {
			if bytes.Contains(line, []byte(secret)) {
				t.Errorf("a line has %q in it: %s", secret, line)
			}
		}
	}
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// What no line may have in it.
const (
	buyer  = "grace.hopper@example.com"
	secret = "tok_of_4111111111111111" // a payment method
)

// tellNobody plays orders of all ends, and those that are none.
func (f shopFront) tellNobody(t *testing.T) {
	t.Helper()
	f.sell(t, "mug", 20)
	f.sell(t, "print", 1)
	for _, c := range []struct {
		key, method, sku string
		want             int
	}{
		{"ok", "tok_ok", "mug", http.StatusCreated},
		{"declined", "tok_declined", "mug", http.StatusPaymentRequired},
		{"last", "tok_ok", "print", http.StatusCreated},
		{"sold-out", "tok_ok", "print", http.StatusConflict},
		{"error", "tok_error", "mug", http.StatusCreated},
		{"lost", "tok_lost", "mug", http.StatusCreated},
	} {
		if answer := f.buy(t, c.key, shop.Buy(buyer, c.method, c.sku, 1)); answer.Status != c.want {
			t.Errorf("%s: answered %d %+v", c.key, answer.Status, answer.Problem)
		}
	}
	f.sendBad(t)
	f.goDown(t)
	pending := f.leavePendingUnder(t, "down", shop.Buy(buyer, "tok_ok", "mug", 1))
	f.until(t, pending.ID(), "in need of a person", asksForAPerson)
	f.recover(t)
	if answer := f.buy(t, "down", shop.Buy(buyer, "tok_ok", "mug", 1)); answer.Status != http.StatusCreated {
		t.Errorf("after the outage: answered %d %+v", answer.Status, answer.Problem)
	}
	f.quiet(t)
}

// sendBad sends what is wrong and has something in it that is nobody's business.
func (f shopFront) sendBad(t *testing.T) {
	t.Helper()
	const good = `{"customer_id":"` + buyer + `","currency":"EUR","payment_method":"` + secret + `","lines":[{"sku":"mug","quantity":1,"unit_price":5}]}`
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPost, "/v1/orders", strings.Replace(good, `"currency":"EUR"`, `"currency":"`+secret+`"`, 1)},
		{http.MethodPost, "/v1/orders", strings.Replace(good, `"quantity":1`, `"quantity":"`+secret+`"`, 1)},
		{http.MethodPost, "/v1/orders", `{"` + secret + `":"` + buyer},
		{http.MethodPost, "/v1/orders?" + secret + "=" + secret, good},
		{http.MethodPost, "/v1/orders/" + secret + "/cancel", ""},
		{http.MethodGet, "/v1/orders/" + secret, ""},
		{http.MethodGet, "/v1/orders?customer_id=" + buyer + "&limit=" + secret, ""},
		{http.MethodGet, "/v1/orders?customer_id=" + buyer, ""},
		{http.MethodGet, "/" + secret, ""},
		{http.MethodPost, "/v1/payments/webhook", `{"data":{"reference":"` + secret + `"}}`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, f.API+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", "bad")
		req.Header.Set("User-Agent", secret)
		res, err := f.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s %s: answered %d", c.method, c.path, res.StatusCode)
		}
	}
}

func restless(settings map[string]string) {
	settings["HOLDFAST_ATTENTION_AFTER"], settings["HOLDFAST_PAYMENT_TIMEOUT"] = "1s", "1s"
}

func TestNobodysSecretsAreLoggedOrTraced(t *testing.T) {
	t.Parallel()
	var log lines
	front, kept := openTraced(t, func(c *stack.Config) {
		c.Log, c.Settings = log.logger(), map[string]string{}
		restless(c.Settings)
	})
	front.tellNobody(t)
	webhook := strings.TrimPrefix(front.Env()["HOLDFAST_PAYMENT_WEBHOOK_SECRET"], "whsec_")
	log.wantNone(t, buyer, secret, webhook, "tok_ok", "tok_declined", "tok_error", "tok_lost")
	kept.wantDiscreet(t, buyer, secret, webhook, "tok_ok", "tok_declined", "tok_error", "tok_lost")
	log.wantOrders(t)
}

// wantOrders checks that the lines about a step of an order say which, and lead to its trace.
func (l *lines) wantOrders(t *testing.T) {
	t.Helper()
	found := 0
	for _, line := range l.all(t) {
		id, _ := line["workflow_id"].(string)
		orderID, ofOrder := strings.CutPrefix(id, "order/")
		if !ofOrder {
			continue
		}
		if _, err := order.ParseID(orderID); err != nil || line["order_id"] != orderID {
			t.Errorf("of the workflow %q the line says order_id %v", id, line["order_id"])
		}
		if line["step"] == "Charge" && line["trace_id"] != nil && line["span_id"] != nil {
			found++
		}
	}
	if found == 0 {
		t.Error("no line about a charge says order, step and trace")
	}
}

// TestThePasswordOfTheDatabaseIsNotLogged: not while all is well, and not when it is refused.
func TestThePasswordOfTheDatabaseIsNotLogged(t *testing.T) {
	t.Parallel()
	const password, wrong = "correct-horse-battery", "staple-of-a-battery"
	dsn := passwordFor(t, testserver.MariaDBDatabase(t), password)
	var log lines
	front, kept := openTraced(t, func(c *stack.Config) {
		c.Log, c.MySQL, c.Settings = log.logger(), dsn, map[string]string{}
		restless(c.Settings)
	})
	front.tellNobody(t)
	env := front.Env()
	env["HOLDFAST_MYSQL_DSN"] = strings.Replace(dsn, password, wrong, 1)
	cfg, err := config.LoadFrom(env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = app.NewWorker(ctx, app.Options{Config: cfg, Log: log.logger(), TracerProvider: sdktrace.NewTracerProvider()})
	if err == nil {
		t.Fatal("a wrong password was taken")
	}
	log.logger().Error("stopped", "error", err)
	log.wantNone(t, buyer, secret, password, wrong)
	kept.wantDiscreet(t, buyer, secret, password, wrong)
}

// passwordFor makes a user of the database who has a password.
func passwordFor(t *testing.T, dsn, password string) string {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	cfg.User, cfg.Passwd = "shop_of_logs", password
	for _, statement := range []string{
		"CREATE USER IF NOT EXISTS shop_of_logs@'%' IDENTIFIED BY '" + password + "'", "GRANT ALL ON " + cfg.DBName + ".* TO shop_of_logs@'%'",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return cfg.FormatDSN()
}
