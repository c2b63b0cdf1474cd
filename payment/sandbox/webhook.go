package sandbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Types of events.
const (
	EventApproved = "payment.approved"
	EventDeclined = "payment.declined"
	EventReversed = "payment.reversed" // while it was pending: nothing was charged
)

// Event is the body of a webhook. There is one for each payment that was pending, sent once
// Config.AsyncDelay is over, whatever it has become by then. It is a hint: whoever gets it looks the
// payment up.
//
// It is signed by Standard Webhooks, in the headers webhook-id, webhook-timestamp and webhook-signature,
// and sent until it is answered 2xx, at most eight times within about a minute. It may come more than
// once, always with the same id, in any order with others, and not at all: what is unsent when the
// process ends is lost.
type Event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // of the decision
	Data      EventData `json:"data"`
}

// EventData is what an Event is about.
type EventData struct {
	Reference string `json:"reference"`
	Status    string `json:"status"` // as GET /v1/payments/{reference} tells it
}

// How an event is sent. The pauses between the tries double from half a second to 30 seconds.
const (
	webhookTries      = 8
	webhookFirstPause = 500 * time.Millisecond
	webhookMaxPause   = 30 * time.Second
	webhookTimeout    = 5 * time.Second // of one try
	webhooksAtOnce    = 16              // requests under way: a receiver is not stormed after an outage
	webhooksUnsent    = 10_000          // events that wait, at 3 kB each; more are dropped
)

// event is what to tell of a payment that was pending.
func (p payment) event() Event {
	e := Event{Type: EventApproved, Timestamp: p.changed, Data: EventData{Reference: p.asked.Reference, Status: p.answer().Status}}
	switch {
	case p.reversed:
		e.Type = EventReversed
	case p.declined != "":
		e.Type = EventDeclined
	}
	return e
}

// webhooks sends events to one receiver. A nil one sends nothing.
type webhooks struct {
	url    atomic.Pointer[string] // nil for none yet
	secret []byte
	log    *slog.Logger
	http   *http.Client
	pause  time.Duration // after the first try
	unsent chan struct{} // holds one for each event that is not sent yet
	atOnce chan struct{} // holds one for each request under way
}

// newWebhooks gives nil if there is nobody to tell. The error names what is wrong, and never the secret.
func newWebhooks(cfg Config) (*webhooks, error) {
	if cfg.WebhookURL == "" && cfg.WebhookSecret == "" {
		return nil, nil //nolint:nilnil // nil is one that sends nothing
	}
	secret, err := readSecret(cfg.WebhookSecret)
	if err != nil {
		return nil, err
	}
	h := &webhooks{
		secret: secret, log: cfg.Logger, pause: webhookFirstPause,
		http: &http.Client{
			Timeout:       webhookTimeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: webhooksAtOnce, IdleConnTimeout: 90 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		unsent: make(chan struct{}, webhooksUnsent),
		atOnce: make(chan struct{}, webhooksAtOnce),
	}
	if cfg.WebhookURL != "" {
		err = h.setURL(cfg.WebhookURL)
	}
	return h, err
}

func (h *webhooks) setURL(text string) error {
	receiver, err := url.Parse(text)
	if err != nil || (receiver.Scheme != "http" && receiver.Scheme != "https") || receiver.Host == "" {
		return errors.New("webhook URL: must be http:// or https:// and a host")
	}
	h.url.Store(&text)
	return nil
}

func readSecret(text string) ([]byte, error) {
	encoded, prefixed := strings.CutPrefix(text, "whsec_")
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if !prefixed || err != nil || len(secret) < 24 || len(secret) > 64 {
		return nil, errors.New("webhook secret: must be whsec_ and 24 to 64 bytes in base64")
	}
	return secret, nil
}

// send returns when the event was taken or given up, or the context ended.
func (h *webhooks) send(ctx context.Context, e Event) {
	if h == nil {
		return
	}
	log := h.log.With("type", e.Type, "reference", e.Data.Reference)
	select {
	case h.unsent <- struct{}{}:
		defer func() { <-h.unsent }()
	default:
		log.WarnContext(ctx, "dropped a webhook: too many are unsent")
		return
	}
	body, err := json.Marshal(e)
	if err != nil {
		log.ErrorContext(ctx, "gave up a webhook", "error", err)
		return
	}
	wait := h.pause
	for try := 1; ; try++ {
		// A reference has one event, so its id is that of no other, and the same after a restart.
		err := h.try(ctx, "evt_"+e.Data.Reference, body)
		switch {
		case err == nil:
			return
		case try == webhookTries:
			log.WarnContext(ctx, "gave up a webhook", "tries", try, "error", err)
			return
		}
		log.DebugContext(ctx, "webhook was not taken", "try", try, "error", err)
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, webhookMaxPause)
	}
}

// close drops the idle connections.
func (h *webhooks) close() {
	if h != nil {
		h.http.CloseIdleConnections()
	}
}

// try sends it once. Anything but a 2xx is an error.
func (h *webhooks) try(ctx context.Context, id string, body []byte) error {
	select {
	case h.atOnce <- struct{}{}:
		defer func() { <-h.atOnce }()
	case <-ctx.Done():
		return ctx.Err()
	}
	receiver := h.url.Load()
	if receiver == nil {
		return errors.New("nobody to tell")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, *receiver, bytes.NewReader(body))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Webhook-Id", id)
	request.Header.Set("Webhook-Timestamp", at)
	request.Header.Set("Webhook-Signature", sign(h.secret, id, at, body))
	response, err := h.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody)) // so that the connection is used again
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %d", response.StatusCode)
	}
	return nil
}

// sign is the signature of Standard Webhooks, version 1.
func sign(secret []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(id + "." + at + ".")) // a hash takes everything
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
