package sandbox_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/healthcheck"
	"holdfast/payment/sandbox"
)

func (a api) fail(mode sandbox.Mode, seconds, delayMS int) answer {
	a.t.Helper()
	return a.ask(http.MethodPut, "/v1/admin/faults", "", fmt.Sprintf(`{"mode":%q,"seconds":%d,"delay_ms":%d}`, mode, seconds, delayMS))
}

// wantFault checks what is on, which is always a 200.
func (a api) wantFault(got answer, mode sandbox.Mode, seconds, delayMS int) {
	a.t.Helper()
	if got.code != http.StatusOK || got.Mode != mode || got.Seconds != seconds || got.DelayMS != delayMS {
		a.t.Errorf("got %+v, want %s for %d s, %d ms", got, mode, seconds, delayMS)
	}
}

func (a api) fault() answer {
	a.t.Helper()
	return a.ask(http.MethodGet, "/v1/admin/faults", "", "")
}

// TestLossy decides as ever, and loses every answer.
func TestLossy(t *testing.T) {
	t.Parallel()
	a, stop := startWith(t, sandbox.Config{Logger: quiet()})
	defer stop()
	a.wantFault(a.fail(sandbox.ModeLossy, 3600, 0), sandbox.ModeLossy, 3600, 0)
	if err := healthcheck.Ask(t.Context(), strings.TrimPrefix(a.url, "http://"), "/healthz"); err != nil {
		t.Errorf("a provider that fails on purpose is well all the same: %v", err)
	}
	for _, call := range []struct{ method, path, body string }{
		{http.MethodPost, "/v1/charges", chargeBody("r1", 500, sandbox.TokenOK)},
		{http.MethodPost, "/v1/charges", chargeBody("r2", 500, sandbox.TokenOK)},
		{http.MethodPost, "/v1/reversals", `{"reference":"r2"}`},
		{http.MethodGet, "/v1/payments/r1", ""},
	} {
		if got, err := ask(t.Context(), call.method, a.url+call.path, call.path+call.body, call.body); err == nil {
			t.Errorf("%s %s was answered %+v", call.method, call.path, got)
		}
	}
	a.fail(sandbox.ModeNone, 0, 0)
	a.wantLedger("charge r1 500 EUR", "charge r2 500 EUR", "reversal r2 500 EUR")
}

// untilWell watches until the fault is over, which must be no sooner than it was to be.
func (a api) untilWell(end time.Time) {
	a.t.Helper()
	for a.fault().Mode != sandbox.ModeNone {
		if time.Since(end) > 10*time.Second {
			a.t.Fatal("it does not end")
		}
		time.Sleep(time.Millisecond)
	}
	if early := time.Until(end); early > 0 {
		a.t.Errorf("it ended %s too soon", early)
	}
}

// TestDown cuts every request before anything happens, except those that end it, and ends by itself.
func TestDown(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 0)
	a, stop := startWith(t, r.config(sandbox.Config{AsyncDelay: 50 * time.Millisecond, Logger: quiet()}))
	defer stop()
	a.wantFault(a.fault(), sandbox.ModeNone, 0, 0)
	a.want(a.charge("k0", "r0", 500, sandbox.TokenAsync), "pending", "")
	end := time.Now().Add(2 * time.Second)
	a.wantFault(a.fail(sandbox.ModeDown, 2, 0), sandbox.ModeDown, 2, 0)
	for _, call := range []struct{ method, path, body string }{
		{http.MethodPost, "/v1/charges", chargeBody("r1", 500, sandbox.TokenOK)},
		{http.MethodPost, "/v1/charges", "!"},
		{http.MethodPost, "/v1/reversals", `{"reference":"r2"}`},
		{http.MethodGet, "/v1/payments/r0", ""},
		{http.MethodGet, "/v1/ledger", ""},
		{http.MethodGet, "/nowhere", ""},
	} {
		got, err := ask(t.Context(), call.method, a.url+call.path, "k", call.body)
		if err == nil {
			t.Errorf("%s %s was answered %+v", call.method, call.path, got)
		}
	}
	if e := r.next(); e.Type != sandbox.EventApproved { // decisions and webhooks go on
		t.Errorf("got %+v", e)
	}
	a.untilWell(end)
	for _, reference := range []string{"r1", "r2"} {
		if got := a.find(reference); got.code != http.StatusNotFound {
			t.Errorf("while it was down it decided %+v", got)
		}
	}
	a.wantLedger("charge r0 500 EUR")
}

// TestSlow decides at once and answers late, and is told to be well again.
func TestSlow(t *testing.T) {
	t.Parallel()
	const delay = 300 * time.Millisecond
	a := newAPI(t, sandbox.Config{Logger: quiet()})
	a.wantFault(a.fail(sandbox.ModeSlow, 3600, int(delay.Milliseconds())), sandbox.ModeSlow, 3600, 300)
	begun := time.Now()
	a.want(a.charge("k", "r", 500, sandbox.TokenOK), "approved", "")
	entries := a.entries()
	if took := time.Since(begun); took < 2*delay {
		t.Errorf("two answers took %s", took)
	}
	if len(entries) != 1 || entries[0].At.Sub(begun) >= delay {
		t.Errorf("it was charged late: %+v", entries)
	}
	if got := a.ask(http.MethodPost, "/v1/charges", "k", "!"); got.code != http.StatusBadRequest || time.Since(begun) < 3*delay {
		t.Errorf("got %+v", got)
	}
	a.wantFault(a.fail(sandbox.ModeNone, 0, 0), sandbox.ModeNone, 0, 0)
	a.wantFault(a.fault(), sandbox.ModeNone, 0, 0)
}

// TestStopGivesSlowAnswersAtOnce, as those of TokenSlow.
func TestStopGivesSlowAnswersAtOnce(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "journal")
	a, stop := start(t, journal, quiet())
	a.fail(sandbox.ModeSlow, 3600, 60_000)
	answered := make(chan answer, 1)
	go func() {
		got, err := ask(t.Context(), http.MethodPost, a.url+"/v1/charges", "k", chargeBody("r", 500, sandbox.TokenOK))
		if err != nil {
			t.Error(err)
		}
		answered <- got
	}()
	for decided := false; !decided; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		decided = len(text) > 0
	}
	begun := time.Now()
	stop()
	a.want(<-answered, "approved", "")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	a, stop = start(t, journal, quiet())
	defer stop()
	a.wantFault(a.fault(), sandbox.ModeNone, 0, 0)
	a.wantLedger("charge r 500 EUR")
}

// TestForgetful: no key is recognised, so that a repeat is told what another key is told, and only the
// reference stands between it and a second charge.
func TestForgetful(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "journal")
	a, stop := startWith(t, sandbox.Config{Journal: journal, AsyncDelay: time.Millisecond, Logger: quiet()})
	conflict := func(got answer) {
		t.Helper()
		if got.code != http.StatusConflict || got.Error == "" {
			t.Errorf("got %+v, want a 409", got)
		}
	}
	a.want(a.charge("k1", "before", 100, sandbox.TokenOK), "approved", "")
	a.want(a.reverse("never"), "reversed", sandbox.ReasonReversed)
	a.wantFault(a.fail(sandbox.ModeForgetful, 3600, 0), sandbox.ModeForgetful, 3600, 0)
	conflict(a.charge("k1", "before", 100, sandbox.TokenOK))
	a.want(a.charge("k1", "reused", 200, sandbox.TokenOK), "approved", "")
	a.want(a.charge("k2", "during", 300, sandbox.TokenAsync), "pending", "")
	conflict(a.charge("k2", "during", 300, sandbox.TokenAsync))
	a.want(a.charge("k3", "never", 400, sandbox.TokenOK), "declined", sandbox.ReasonReversed)
	a.want(a.find("before"), "approved", "")
	a.want(a.await("during"), "approved", "")
	end := time.Now().Add(time.Second)
	a.fail(sandbox.ModeForgetful, 1, 0)
	a.untilWell(end)
	for range 2 { // also after a restart
		a.want(a.charge("k1", "before", 100, sandbox.TokenOK), "approved", "")
		if got := a.charge("k1", "reused", 200, sandbox.TokenOK); got.code != http.StatusUnprocessableEntity {
			t.Errorf("got %+v", got)
		}
		conflict(a.charge("k2", "during", 300, sandbox.TokenAsync))
		a.wantLedger("charge before 100 EUR", "charge reused 200 EUR", "charge during 300 EUR")
		stop()
		a, stop = start(t, journal, quiet())
	}
	a.reverse("during")
	a.wantLedger("charge before 100 EUR", "charge reused 200 EUR", "charge during 300 EUR", "reversal during 300 EUR")
	stop()
}

// TestBadFaults are answered 400 with words, and change nothing.
func TestBadFaults(t *testing.T) {
	t.Parallel()
	a := newAPI(t, sandbox.Config{Logger: quiet()})
	a.fail(sandbox.ModeSlow, 3600, 1)
	for _, body := range []string{
		``, `!`, `{}`, `[]`, `{"mode":"broken","seconds":1}`, `{"mode":"Down","seconds":1}`, `{"seconds":1}`,
		`{"mode":"down"}`, `{"mode":"down","seconds":0}`, `{"mode":"down","seconds":-1}`, `{"mode":"down","seconds":3601}`,
		`{"mode":"down","seconds":1.5}`, `{"mode":"down","seconds":"1"}`, `{"mode":"down","seconds":1,"delay_ms":5}`,
		`{"mode":"forgetful","seconds":1,"delay_ms":5}`, `{"mode":"lossy","seconds":1,"delay_ms":5}`, `{"mode":"slow","seconds":1}`, `{"mode":"slow","seconds":1,"delay_ms":-5}`,
		`{"mode":"slow","seconds":1,"delay_ms":60001}`, `{"mode":"none","seconds":1}`, `{"mode":"none","delay_ms":1}`,
		`{"mode":"none","until":"noon"}`, `{"mode":"none"}{"mode":"none"}`,
	} {
		if got := a.ask(http.MethodPut, "/v1/admin/faults", "", body); got.code != http.StatusBadRequest || got.Error == "" {
			t.Errorf("%s gave %+v", body, got)
		}
		a.wantFault(a.fault(), sandbox.ModeSlow, 3600, 1)
	}
}
