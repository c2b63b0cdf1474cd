package sandbox_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/payment/sandbox"
)

// start runs a provider on the journal. The second result stops it, as does the end of the test.
func start(t *testing.T, journal string, log *slog.Logger) (api, func()) {
	t.Helper()
	return startWith(t, sandbox.Config{Journal: journal, Logger: log})
}

// startWith runs it on a free port.
func startWith(t *testing.T, cfg sandbox.Config) (api, func()) {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	provider := sandbox.New(cfg)
	if err := provider.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		http.DefaultClient.CloseIdleConnections()
		if err := provider.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	return api{t: t, url: provider.URL()}, stop
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// decide takes one decision of each sort, or asks for it again.
func decide(a api) {
	a.t.Helper()
	a.want(a.charge("charge:paid", "paid", 500, sandbox.TokenOK), "approved", "")
	a.want(a.charge("charge:refused", "refused", 600, sandbox.TokenDeclined), "declined", sandbox.ReasonCardDeclined)
	a.want(a.reverse("never"), "reversed", sandbox.ReasonReversed)
	a.want(a.charge("charge:never", "never", 700, sandbox.TokenOK), "declined", sandbox.ReasonReversed)
	if a.find("back").code == http.StatusNotFound {
		a.want(a.charge("charge:back", "back", 800, sandbox.TokenOK), "approved", "")
	}
	a.want(a.reverse("back"), "reversed", sandbox.ReasonReversed)
	a.wantLedger("charge paid 500 EUR", "charge back 800 EUR", "reversal back 800 EUR")
}

// TestRestart: every decision stands, under its key and with its time, and moves no money again.
func TestRestart(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "journal")
	first, stop := start(t, journal, quiet())
	decide(first)
	before := first.entries()
	stop()
	for range 2 {
		again, stop := start(t, journal, quiet())
		decide(again)
		for i, e := range again.entries() {
			if e != before[i] {
				t.Errorf("entry %+v became %+v", before[i], e)
			}
		}
		if got := again.charge("charge:paid", "paid", 1, sandbox.TokenOK); got.code != http.StatusUnprocessableEntity {
			t.Errorf("the key was forgotten: %+v", got)
		}
		if got := again.charge("other", "refused", 1, sandbox.TokenOK); got.code != http.StatusConflict {
			t.Errorf("the decline was forgotten: %+v", got)
		}
		stop()
	}
}

// TestTornLastLine: the process was killed in the middle of a write, so nothing in it was answered.
// The line is cut off at any byte, and what comes later is readable.
func TestTornLastLine(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "journal")
	a, stop := start(t, journal, quiet())
	a.charge("k1", "r1", 100, sandbox.TokenOK)
	stop()
	whole, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(string(whole), `"r1"`, `"r2"`)
	line = strings.ReplaceAll(line, `"k1"`, `"k2"`)
	for length := 1; length < len(line); length += 7 {
		if err := os.WriteFile(journal, append(bytes.Clone(whole), line[:length]...), 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		a, stop := start(t, journal, slog.New(slog.NewTextHandler(&log, nil)))
		if !strings.Contains(log.String(), "torn") || !strings.Contains(log.String(), "line=2") {
			t.Errorf("the log does not tell: %s", log.String())
		}
		if got := a.find("r2"); got.code != http.StatusNotFound {
			t.Errorf("a torn line gave %+v", got)
		}
		a.want(a.charge("k3", "r3", 300, sandbox.TokenOK), "approved", "")
		stop()
		a, stop = start(t, journal, quiet())
		a.wantLedger("charge r1 100 EUR", "charge r3 300 EUR")
		stop()
	}
}

// TestJournalWithoutPendingPayments: what a provider decided at once, which knew no asynchronous methods,
// stays decided.
func TestJournalWithoutPendingPayments(t *testing.T) {
	t.Parallel()
	const text = `{"kind":"charge","reference":"r1","amount":1,"currency":"EUR","payment_method":"tok_ok","key":"k1","at":"2026-01-01T00:00:00Z"}
{"kind":"charge","reference":"r2","amount":2,"currency":"EUR","payment_method":"tok_async","key":"k2","declined":"unknown_payment_method","at":"2026-01-01T00:00:01Z"}
{"kind":"reversal","reference":"r1","at":"2026-01-01T00:00:02Z"}
{"kind":"reversal","reference":"r3","at":"2026-01-01T00:00:03Z"}
`
	journal := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(journal, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a, stop := start(t, journal, quiet())
	defer stop()
	a.want(a.charge("k2", "r2", 2, sandbox.TokenAsync), "declined", sandbox.ReasonUnknownMethod)
	a.want(a.find("r1"), "reversed", sandbox.ReasonReversed)
	a.want(a.find("r3"), "reversed", sandbox.ReasonReversed)
	a.wantLedger("charge r1 1 EUR", "reversal r1 1 EUR")
	if after, err := os.ReadFile(journal); err != nil || string(after) != text {
		t.Errorf("the journal became %s, %v", after, err)
	}
}

// TestBrokenJournal: a line that makes no sense is reported with its number, and the file is left alone.
func TestBrokenJournal(t *testing.T) {
	t.Parallel()
	const good = `{"kind":"charge","reference":"r","amount":1,"currency":"EUR","payment_method":"tok_ok","key":"k","at":"2026-01-01T00:00:00Z"}` + "\n"
	for name, text := range map[string]string{
		"garbage":                 good + "!\n",
		"an empty line":           good + "\n",
		"an unknown kind":         good + `{"kind":"fee","reference":"s","at":"2026-01-01T00:00:00Z"}` + "\n",
		"an unknown field":        good + `{"kind":"reversal","reference":"r","to":"me","at":"2026-01-01T00:00:00Z"}` + "\n",
		"a second charge":         good + strings.Replace(good, `"k"`, `"l"`, 1),
		"a second use":            good + strings.Replace(good, `"r"`, `"s"`, 1),
		"a resolution of nothing": good + `{"kind":"resolution","reference":"s","at":"2026-01-01T00:00:00Z"}` + "\n",
		"a second resolution":     good + `{"kind":"resolution","reference":"r","at":"2026-01-01T00:00:00Z"}` + "\n",
		"a second, pending":       good + strings.NewReplacer(`"k"`, `"l"`, `:"charge"`, `:"pending"`).Replace(good),
		"no reference":            good + `{"kind":"reversal","at":"2026-01-01T00:00:00Z"}` + "\n",
		"two in one line":         good + strings.TrimSuffix(strings.NewReplacer(`"r"`, `"s"`, `"k"`, `"l"`).Replace(good), "\n") + good,
		"torn in the middle":      good + good[:20] + "\n" + good,
	} {
		journal := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(journal, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := sandbox.New(sandbox.Config{Addr: "127.0.0.1:0", Journal: journal, Logger: quiet()}).Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), journal) {
			t.Errorf("%s gave %v", name, err)
		}
		if after, _ := os.ReadFile(journal); string(after) != text {
			t.Errorf("%s: the journal was changed", name)
		}
	}
}
