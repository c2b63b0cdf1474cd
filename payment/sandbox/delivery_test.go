package sandbox

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// transport stands for the receiver where a test owns the time.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestSignature is the example of the Standard Webhooks libraries.
func TestSignature(t *testing.T) {
	t.Parallel()
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("got %s", got)
	}
}

// TestWebhookIsGivenUp after the tries and the pauses that Event promises. Each try is signed anew.
func TestWebhookIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"refused": http.StatusInternalServerError, "redirected": http.StatusFound, "unreachable": 0} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			h, err := newWebhooks(Config{
				WebhookURL: "http://localhost", WebhookSecret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			var at []float64
			stamps := make(map[string]bool)
			h.http.Transport = transport(func(r *http.Request) (*http.Response, error) {
				at = append(at, time.Since(begun).Seconds())
				stamps[r.Header.Get("Webhook-Timestamp")] = true
				if status == 0 {
					return nil, http.ErrServerClosed
				}
				return &http.Response{StatusCode: status, Header: http.Header{"Location": {"/"}}, Body: http.NoBody, Request: r}, nil
			})
			h.send(t.Context(), Event{Type: EventApproved, Data: EventData{Reference: "r"}})
			if want := []float64{0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5}; !slices.Equal(at, want) {
				t.Errorf("%s: sent at %v, want %v", name, at, want)
			}
			if len(stamps) < len(at)-1 { // the first two share a second
				t.Errorf("%s: sent with the times %v", name, stamps)
			}
			if !strings.Contains(log.String(), "gave up") || !strings.Contains(log.String(), "reference=r") {
				t.Errorf("%s: the log does not tell: %s", name, log.String())
			}
		})
	}
}

// TestWebhooksHaveABound, behind which they are dropped instead of kept.
func TestWebhooksHaveABound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := newWebhooks(Config{
			WebhookURL: "http://localhost", WebhookSecret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		h.http.Transport = transport(func(r *http.Request) (*http.Response, error) {
			<-done
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		})
		returned := make(chan struct{}, webhooksUnsent+1)
		for range webhooksUnsent + 1 {
			go func() {
				h.send(t.Context(), Event{})
				returned <- struct{}{}
			}()
		}
		synctest.Wait()
		if len(h.atOnce) != webhooksAtOnce || len(h.unsent) != webhooksUnsent || len(returned) != 1 {
			t.Errorf("%d are sent at once, %d wait, %d were dropped", len(h.atOnce), len(h.unsent), len(returned))
		}
		close(done)
		synctest.Wait()
		if sent := len(returned) - 1; sent != webhooksUnsent || len(h.unsent) != 0 {
			t.Errorf("%d were sent, %d are left", sent, len(h.unsent))
		}
	})
}

// TestFaultEnds to the instant, and tells how long it has left.
func TestFaultEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f faults
		none := Faults{Mode: ModeNone}
		if got := f.current(); got != none {
			t.Errorf("at first it is %+v", got)
		}
		f.put(Faults{Mode: ModeSlow, Seconds: maxFaultSeconds, DelayMS: 5})
		time.Sleep(maxFaultSeconds*time.Second - 1500*time.Millisecond)
		if got, want := f.current(), (Faults{Mode: ModeSlow, Seconds: 2, DelayMS: 5}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		time.Sleep(1500*time.Millisecond - time.Nanosecond)
		if got := f.current(); got.Mode != ModeSlow || got.Seconds != 1 {
			t.Errorf("just before its end it is %+v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := f.current(); got != none {
			t.Errorf("at its end it is %+v", got)
		}
	})
}
