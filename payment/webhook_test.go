package payment_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/payment"
	"holdfast/payment/sandbox"
)

var (
	webhookKey    = []byte("thirty-two bytes, none is secret")
	webhookSecret = "whsec_" + base64.StdEncoding.EncodeToString(webhookKey)
)

const webhookBody = `{"type":"payment.approved","timestamp":"2026-11-22T12:00:00Z","data":{"reference":"ord_x","status":"approved","more":1}}`

func newWebhook(t *testing.T) *payment.Webhook {
	t.Helper()
	w, err := payment.NewWebhook(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// signature follows the text of Standard Webhooks.
func signature(key []byte, id, at, body string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func ago(d time.Duration) string { return strconv.FormatInt(time.Now().Add(-d).Unix(), 10) }

func headers(id, at, signature string) http.Header {
	return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}}
}

func TestWebhooksThatAreBelieved(t *testing.T) {
	t.Parallel()
	now := ago(0)
	good := signature(webhookKey, "evt_1", now, webhookBody)
	for name, header := range map[string]http.Header{
		"signed":              headers("evt_1", now, good),
		"old within reason":   headers("evt_1", ago(4*time.Minute), signature(webhookKey, "evt_1", ago(4*time.Minute), webhookBody)),
		"a clock ahead":       headers("evt_1", ago(-4*time.Minute), signature(webhookKey, "evt_1", ago(-4*time.Minute), webhookBody)),
		"with a new key, too": headers("evt_1", now, signature([]byte("another"), "evt_1", now, webhookBody)+" v1a,zzz "+good),
	} {
		if got, err := newWebhook(t).Reference(header, []byte(webhookBody)); err != nil || got != "ord_x" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestWebhooksThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	now := ago(0)
	good := signature(webhookKey, "evt_1", now, webhookBody)
	for name, c := range map[string]struct {
		header http.Header
		body   string
	}{
		"no headers":           {http.Header{}, webhookBody},
		"no signature":         {headers("evt_1", now, ""), webhookBody},
		"no id":                {headers("", now, signature(webhookKey, "", now, webhookBody)), webhookBody},
		"no time":              {headers("evt_1", "", signature(webhookKey, "evt_1", "", webhookBody)), webhookBody},
		"another key":          {headers("evt_1", now, signature([]byte("another"), "evt_1", now, webhookBody)), webhookBody},
		"an empty key":         {headers("evt_1", now, signature(nil, "evt_1", now, webhookBody)), webhookBody},
		"another body":         {headers("evt_1", now, good), strings.Replace(webhookBody, "ord_x", "ord_y", 1)},
		"a body with a blank":  {headers("evt_1", now, good), webhookBody + " "},
		"another id":           {headers("evt_2", now, good), webhookBody},
		"another time":         {headers("evt_1", ago(time.Second), good), webhookBody},
		"another version":      {headers("evt_1", now, strings.Replace(good, "v1,", "v2,", 1)), webhookBody},
		"no version":           {headers("evt_1", now, strings.TrimPrefix(good, "v1,")), webhookBody},
		"too old":              {headers("evt_1", ago(6*time.Minute), signature(webhookKey, "evt_1", ago(6*time.Minute), webhookBody)), webhookBody},
		"from the future":      {headers("evt_1", ago(-6*time.Minute), signature(webhookKey, "evt_1", ago(-6*time.Minute), webhookBody)), webhookBody},
		"at no time":           {headers("evt_1", "now", signature(webhookKey, "evt_1", "now", webhookBody)), webhookBody},
		"at a time beyond all": {headers("evt_1", "9223372036854775807", signature(webhookKey, "evt_1", "9223372036854775807", webhookBody)), webhookBody},
	} {
		if got, err := newWebhook(t).Reference(c.header, []byte(c.body)); !errors.Is(err, payment.ErrNotSigned) || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestWebhooksThatSayNothing(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		``: payment.ErrNotJSON, `{`: payment.ErrNotJSON, `reference=ord_x`: payment.ErrNotJSON, webhookBody + "x": payment.ErrNotJSON,
		strings.Repeat("[", 20_000): payment.ErrNotJSON,
		`{}`:                        payment.ErrNoReference, `null`: payment.ErrNoReference, `[1]`: payment.ErrNoReference, `{"data":"ord_x"}`: payment.ErrNoReference,
		`{"data":{"reference":""}}`: payment.ErrNoReference, `{"data":{"reference":7}}`: payment.ErrNoReference, `{"reference":"ord_x"}`: payment.ErrNoReference,
	} {
		now := ago(0)
		got, err := newWebhook(t).Reference(headers("evt_1", now, signature(webhookKey, "evt_1", now, body)), []byte(body))
		if !errors.Is(err, want) || got != "" {
			t.Errorf("%.40s: %q, %v, want %v", body, got, err, want)
		}
	}
}

func TestWebhookSecretsAreChecked(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString
	for _, secret := range []string{"", "whsec_", encoded(webhookKey), "whsec_" + encoded(webhookKey[:23]), "whsec_" + encoded(make([]byte, 65)), "whsec_hunter2!"} {
		if _, err := payment.NewWebhook(secret); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q gave %v", secret, err)
		}
	}
}

// TestWebhookOfTheSandbox: what the provider sends is read as it is sent.
func TestWebhookOfTheSandbox(t *testing.T) {
	t.Parallel()
	references := make(chan string, 1)
	reader := newWebhook(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender stopped
		}
		reference, err := reader.Reference(r.Header, body)
		if err != nil {
			t.Error(err)
		}
		references <- reference
	}))
	t.Cleanup(receiver.Close)
	provider := startProvider(t, sandbox.Config{AsyncDelay: time.Millisecond, WebhookSecret: webhookSecret})
	if err := provider.SetWebhookURL(receiver.URL); err != nil {
		t.Fatal(err)
	}
	client, id := newClient(t, provider.URL(), patience), newID(t, "")
	if _, err := client.Charge(t.Context(), id, price, sandbox.TokenAsync); err != nil {
		t.Fatal(err)
	}
	if got := <-references; got != string(id) {
		t.Errorf("the webhook is about %s, not %s", got, id)
	}
}
