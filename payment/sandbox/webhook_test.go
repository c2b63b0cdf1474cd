package sandbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/payment/sandbox"
)

// key is the secret's bytes, as a receiver that knows only the standard would hold them.
var key = []byte("thirty-two bytes, none is secret")

// receiver verifies every webhook before it believes it.
type receiver struct {
	t      *testing.T
	url    string
	events chan sandbox.Event
	ids    chan string // of every try, refused ones included
}

// newReceiver answers 500 so often before it takes an event.
func newReceiver(t *testing.T, refusals int) *receiver {
	t.Helper()
	r := &receiver{t: t, events: make(chan sandbox.Event, 1000), ids: make(chan string, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return // the sender stopped
		}
		r.verify(request, body)
		r.ids <- request.Header.Get("Webhook-Id")
		if len(r.ids) <= refusals {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var e sandbox.Event
		if err := json.Unmarshal(body, &e); err != nil {
			t.Error(err)
		}
		r.events <- e
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// verify follows the text of Standard Webhooks.
func (r *receiver) verify(request *http.Request, body []byte) {
	id, at := request.Header.Get("Webhook-Id"), request.Header.Get("Webhook-Timestamp")
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.Join([]string{id, at, string(body)}, ".")))
	version, signature, _ := strings.Cut(request.Header.Get("Webhook-Signature"), ",")
	got, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || version != "v1" || !hmac.Equal(got, mac.Sum(nil)) {
		r.t.Errorf("a bad signature: %v", request.Header)
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age < -time.Second || age > time.Minute {
		r.t.Errorf("sent at %q", at)
	}
	if request.Method != http.MethodPost || request.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("got %s of %s", request.Method, request.Header.Get("Content-Type"))
	}
}

// config has the provider tell the receiver.
func (r *receiver) config(cfg sandbox.Config) sandbox.Config {
	cfg.WebhookURL, cfg.WebhookSecret = r.url, "whsec_"+base64.StdEncoding.EncodeToString(key)
	return cfg
}

func (r *receiver) next() sandbox.Event {
	r.t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-time.After(20 * time.Second):
		r.t.Fatal("no webhook came")
		return sandbox.Event{}
	}
}

// TestWebhooks: one event for each payment that was pending and none for any other, and whoever looks
// up what it tells finds it decided.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 0)
	begun := time.Now()
	a, stop := startWith(t, r.config(sandbox.Config{AsyncDelay: time.Millisecond, Logger: quiet()}))
	a.charge("k1", "at_once", 500, sandbox.TokenOK)
	a.charge("k2", "at_once_declined", 500, sandbox.TokenDeclined)
	a.reverse("at_once")
	for token, want := range map[string]sandbox.EventData{
		sandbox.TokenAsync:         {Reference: "r1", Status: "approved"},
		sandbox.TokenAsyncDeclined: {Reference: "r2", Status: "declined"},
	} {
		a.charge("charge:"+want.Reference, want.Reference, 500, token)
		e := r.next()
		if e.Data != want || e.Type != "payment."+want.Status || e.Timestamp.Before(begun) || e.Timestamp.After(time.Now()) {
			t.Errorf("got %+v, want %+v", e, want)
		}
		if id := <-r.ids; id != "evt_"+want.Reference {
			t.Errorf("got the id %q", id)
		}
		if got := a.find(want.Reference); got.Status != want.Status {
			t.Errorf("the event came before its decision: %+v", got)
		}
	}
	stop()
	if rest := len(r.ids); rest != 0 {
		t.Errorf("%d more webhooks", rest)
	}
}

// TestWebhookIsSentAgain with the same id until the receiver takes it, and charging does not wait for it.
func TestWebhookIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 2)
	a, stop := startWith(t, r.config(sandbox.Config{AsyncDelay: time.Millisecond, Logger: quiet()}))
	defer stop()
	a.want(a.charge("k", "r", 500, sandbox.TokenAsync), "pending", "")
	a.want(a.await("r"), "approved", "")
	a.want(a.charge("k2", "r2", 500, sandbox.TokenOK), "approved", "")
	if len(r.events) > 0 {
		t.Error("it was taken before it was refused")
	}
	if e := r.next(); e.Data.Reference != "r" {
		t.Errorf("got %+v", e)
	}
	for range 3 {
		if id := <-r.ids; id != "evt_r" {
			t.Errorf("got the id %q", id)
		}
	}
}

// TestStopEndsWebhooks whether the receiver refuses them or does not answer.
func TestStopEndsWebhooks(t *testing.T) {
	t.Parallel()
	came := make(chan struct{}, 100)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		came <- struct{}{}
		<-request.Context().Done()
	}))
	defer silent.Close()
	refusing := newReceiver(t, 1000)
	for name, url := range map[string]string{"silent": silent.URL, "refusing": refusing.url} {
		cfg := refusing.config(sandbox.Config{AsyncDelay: time.Millisecond, Logger: quiet()})
		cfg.WebhookURL = url
		a, stop := startWith(t, cfg)
		a.charge("k", "r", 500, sandbox.TokenAsync)
		if name == "silent" {
			<-came
		} else {
			<-refusing.ids
		}
		begun := time.Now()
		stop()
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("%s: stopping took %s", name, took)
		}
	}
}

// TestBadWebhookConfig starts nothing and answers nothing.
func TestBadWebhookConfig(t *testing.T) {
	t.Parallel()
	good := "whsec_" + base64.StdEncoding.EncodeToString(key)
	for name, cfg := range map[string]sandbox.Config{
		"no secret":        {WebhookURL: "http://localhost"},
		"no prefix":        {WebhookURL: "http://localhost", WebhookSecret: strings.TrimPrefix(good, "whsec_")},
		"no base64":        {WebhookURL: "http://localhost", WebhookSecret: good + "!"},
		"a short secret":   {WebhookURL: "http://localhost", WebhookSecret: "whsec_c2hvcnQ="},
		"no host":          {WebhookURL: "http://", WebhookSecret: good},
		"no scheme":        {WebhookURL: "localhost:80", WebhookSecret: good},
		"something else":   {WebhookURL: "ftp://localhost", WebhookSecret: good},
		"not a URL at all": {WebhookURL: "http://[", WebhookSecret: good},
	} {
		cfg.Addr, cfg.Logger = "127.0.0.1:0", quiet()
		err := sandbox.New(cfg).Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), "webhook") || strings.Contains(err.Error(), "c2hvcnQ") {
			t.Errorf("%s gave %v", name, err)
		}
		a := newAPI(t, cfg)
		if got := a.charge("k", "r", 5, sandbox.TokenOK); got.code != http.StatusServiceUnavailable || !strings.Contains(got.Error, "webhook") {
			t.Errorf("%s was answered %+v", name, got)
		}
	}
}

// TestReceiverThatStartsLater gets what was decided before it did.
func TestReceiverThatStartsLater(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 0)
	cfg := r.config(sandbox.Config{AsyncDelay: time.Millisecond, Logger: quiet()})
	cfg.WebhookURL = ""
	cfg.Addr = "127.0.0.1:0"
	server := sandbox.New(cfg)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(t.Context()) })
	a := &api{t: t, url: server.URL()}
	a.want(a.charge("k", "r", 500, sandbox.TokenAsync), "pending", "")
	a.want(a.await("r"), "approved", "")
	if err := server.SetWebhookURL("localhost"); err == nil {
		t.Error("a URL without a scheme was taken")
	}
	if err := server.SetWebhookURL(r.url); err != nil {
		t.Fatal(err)
	}
	if e := <-r.events; e.Data.Reference != "r" || e.Type != sandbox.EventApproved {
		t.Errorf("got %+v", e)
	}
	if err := sandbox.New(sandbox.Config{}).SetWebhookURL(r.url); err == nil {
		t.Error("a receiver was taken without a secret")
	}
}
