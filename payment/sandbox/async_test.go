package sandbox_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/payment/sandbox"
)

// TestPendingPayment has moved no money, and repeats of its charge tell that it is pending.
func TestPendingPayment(t *testing.T) {
	t.Parallel()
	a := newAPI(t, sandbox.Config{AsyncDelay: time.Hour})
	for _, token := range []string{sandbox.TokenAsync, sandbox.TokenAsyncDeclined} {
		for range 2 {
			got := a.charge("charge:"+token, token, 500, token)
			a.want(got, "pending", "")
			if got.Reference != token || got.Amount != 500 || got.Currency != "EUR" {
				t.Errorf("got %+v", got)
			}
		}
		got := a.find(token)
		a.want(got, "pending", "")
		if got.Charged != 0 || got.Reversed != 0 || got.Currency != "EUR" {
			t.Errorf("got %+v", got)
		}
		if got := a.charge("other", token, 500, token); got.code != http.StatusConflict {
			t.Errorf("another key gave %+v", got)
		}
		if got := a.charge("charge:"+token, token, 501, token); got.code != http.StatusUnprocessableEntity {
			t.Errorf("another amount gave %+v", got)
		}
	}
	a.wantLedger()
}

// TestPendingPaymentIsDecided no sooner than it should be, and is like any other from then on.
func TestPendingPaymentIsDecided(t *testing.T) {
	t.Parallel()
	const delay = 50 * time.Millisecond
	a := newAPI(t, sandbox.Config{AsyncDelay: delay})
	begun := time.Now()
	a.want(a.charge("k1", "paid", 500, sandbox.TokenAsync), "pending", "")
	a.want(a.charge("k2", "refused", 600, sandbox.TokenAsyncDeclined), "pending", "")
	for range 2 {
		a.want(a.await("paid"), "approved", "")
		a.want(a.await("refused"), "declined", sandbox.ReasonDeclinedByIssuer)
		a.want(a.charge("k1", "paid", 500, sandbox.TokenAsync), "approved", "")
		a.want(a.charge("k2", "refused", 600, sandbox.TokenAsyncDeclined), "declined", sandbox.ReasonDeclinedByIssuer)
	}
	a.wantLedger("charge paid 500 EUR")
	if early := delay - a.entries()[0].At.Sub(begun); early > 0 {
		t.Errorf("charged %s too soon", early)
	}
	for range 2 {
		got := a.reverse("paid")
		a.want(got, "reversed", sandbox.ReasonReversed)
		if got.Charged != 500 || got.Reversed != 500 {
			t.Errorf("got %+v", got)
		}
		a.want(a.reverse("refused"), "declined", sandbox.ReasonDeclinedByIssuer)
	}
	a.wantLedger("charge paid 500 EUR", "reversal paid 500 EUR")
}

// TestReversalOfPendingPayment moves no money, and neither does the decision that comes later. Its event
// shows that it came.
func TestReversalOfPendingPayment(t *testing.T) {
	t.Parallel()
	for _, token := range []string{sandbox.TokenAsync, sandbox.TokenAsyncDeclined} {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, 0)
			a, stop := startWith(t, r.config(sandbox.Config{AsyncDelay: 100 * time.Millisecond, Logger: quiet()}))
			defer stop()
			a.want(a.charge("k", "r", 500, token), "pending", "")
			for range 2 {
				got := a.reverse("r")
				a.want(got, "reversed", sandbox.ReasonReversed)
				if got.Charged != 0 || got.Reversed != 0 {
					t.Errorf("got %+v", got)
				}
			}
			a.want(a.charge("k", "r", 500, token), "declined", sandbox.ReasonReversed)
			if e := r.next(); e.Type != sandbox.EventReversed || e.Data != (sandbox.EventData{Reference: "r", Status: "reversed"}) {
				t.Errorf("got %+v", e)
			}
			a.want(a.find("r"), "reversed", sandbox.ReasonReversed)
			a.want(a.charge("k", "r", 500, token), "declined", sandbox.ReasonReversed)
			a.wantLedger()
		})
	}
}

// TestDecisionAndReversalAtOnce lets reversals meet the decisions of many payments: the net is zero
// whatever comes first, and each has the one event that the ledger bears out.
func TestDecisionAndReversalAtOnce(t *testing.T) {
	t.Parallel()
	const payments, delay = 300, 100 * time.Millisecond
	r := newReceiver(t, 0)
	a, stop := startWith(t, r.config(sandbox.Config{AsyncDelay: delay, Logger: quiet()}))
	defer stop()
	var group sync.WaitGroup
	for n := range payments {
		reference := strconv.Itoa(n)
		group.Go(func() {
			asked := chargeBody(reference, 7, sandbox.TokenAsync)
			if _, err := ask(t.Context(), http.MethodPost, a.url+"/v1/charges", "k"+reference, asked); err != nil {
				t.Error(err)
			}
			time.Sleep(delay * time.Duration(n%12) / 10) // from long before the decision to just behind it
			for range 2 {
				group.Go(func() {
					got, err := ask(t.Context(), http.MethodPost, a.url+"/v1/reversals", "k", `{"reference":"`+reference+`"}`)
					if err != nil || got.Status != "reversed" || got.Charged != got.Reversed {
						t.Errorf("got %+v, %v", got, err)
					}
					got, err = ask(t.Context(), http.MethodPost, a.url+"/v1/charges", "k"+reference, asked)
					if err != nil || got.Status != "declined" || got.Reason != sandbox.ReasonReversed {
						t.Errorf("after the reversal the charge gave %+v, %v", got, err)
					}
				})
			}
		})
	}
	group.Wait()
	events := make(map[string]string)
	for range payments {
		e := r.next()
		if events[e.Data.Reference] != "" {
			t.Errorf("a second event: %+v", e)
		}
		events[e.Data.Reference] = e.Type
	}
	kinds := make(map[string]string)
	for _, e := range a.entries() {
		kinds[e.Reference] += e.Kind + " "
	}
	var approved int
	for reference, event := range events {
		want := map[string]string{sandbox.EventReversed: "", sandbox.EventApproved: "charge reversal "}
		if entries, known := want[event]; !known || kinds[reference] != entries {
			t.Errorf("%s has the event %q and the entries %q", reference, event, kinds[reference])
		}
		if event == sandbox.EventApproved {
			approved++
		}
	}
	if len(events) != payments {
		t.Errorf("%d payments have an event, want %d", len(events), payments)
	}
	t.Logf("%d approved first, %d reversed first", approved, payments-approved)
}

// TestPendingSurvivesKill: what was pending is decided by the next process, what was reversed before is
// not, and the next one after that decides nothing again.
func TestPendingSurvivesKill(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "journal")
	cmd, url := child(t, journal, time.Hour)
	first := api{t: t, url: url}
	first.want(first.charge("k1", "paid", 500, sandbox.TokenAsync), "pending", "")
	first.want(first.charge("k2", "refused", 600, sandbox.TokenAsyncDeclined), "pending", "")
	first.want(first.charge("k3", "back", 700, sandbox.TokenAsync), "pending", "")
	first.want(first.reverse("back"), "reversed", sandbox.ReasonReversed)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed

	// It stays pending through a life that is too short to decide it.
	short, stop := startWith(t, sandbox.Config{Journal: journal, AsyncDelay: time.Hour, Logger: quiet()})
	short.want(short.find("paid"), "pending", "")
	short.want(short.charge("k1", "paid", 500, sandbox.TokenAsync), "pending", "")
	stop()
	for _, events := range []int{2, 0} {
		r := newReceiver(t, 0)
		a, stop := startWith(t, r.config(sandbox.Config{Journal: journal, AsyncDelay: time.Millisecond, Logger: quiet()}))
		a.want(a.await("paid"), "approved", "")
		a.want(a.await("refused"), "declined", sandbox.ReasonDeclinedByIssuer)
		a.want(a.find("back"), "reversed", sandbox.ReasonReversed)
		a.want(a.charge("k1", "paid", 500, sandbox.TokenAsync), "approved", "")
		a.wantLedger("charge paid 500 EUR")
		for range events {
			if e := r.next(); e.Data != (sandbox.EventData{Reference: "paid", Status: "approved"}) &&
				e.Data != (sandbox.EventData{Reference: "refused", Status: "declined"}) {
				t.Errorf("got %+v", e)
			}
		}
		stop()
		if rest := len(r.events); rest != 0 {
			t.Errorf("%d more events", rest)
		}
	}
}

// TestKilledWhileDeciding: kill -9 among charges, decisions and reversals. What was answered stands,
// what was pending is decided, and each reference is charged at most once.
func TestKilledWhileDeciding(t *testing.T) {
	t.Parallel()
	const shoppers, killAt = 8, 1000
	journal := filepath.Join(t.TempDir(), "journal")
	cmd, url := child(t, journal, 2*time.Millisecond)
	var answers atomic.Int64
	answered := make([]map[string]string, shoppers) // the last status of each reference
	var group sync.WaitGroup
	for shopper := range shoppers {
		told := make(map[string]string)
		answered[shopper] = told
		group.Go(func() {
			for n := 0; ; n++ {
				reference := fmt.Sprintf("%d_%d", shopper, n)
				token := sandbox.TokenAsync
				if n%4 == 3 {
					token = sandbox.TokenAsyncDeclined
				}
				for step := range 3 {
					method, path, body := http.MethodPost, "/v1/charges", chargeBody(reference, 100, token)
					switch {
					case step == 1 && n%3 == 0:
						path, body = "/v1/reversals", `{"reference":"`+reference+`"}`
					case step == 2:
						method, path, body = http.MethodGet, "/v1/payments/"+reference, ""
					}
					got, err := ask(t.Context(), method, url+path, "k"+reference, body)
					if err != nil {
						return
					}
					if got.code != http.StatusOK {
						t.Errorf("got %+v", got)
					}
					told[reference] = got.Status
					if answers.Add(1) == killAt {
						if err := cmd.Process.Signal(os.Kill); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	group.Wait()
	_ = cmd.Wait() // it was killed

	a, stop := startWith(t, sandbox.Config{Journal: journal, AsyncDelay: time.Millisecond, Logger: quiet()})
	defer stop()
	want := make(map[string]answer)
	for _, told := range answered {
		for reference, status := range told {
			got := a.await(reference)
			if got.Status != status && status != "pending" {
				t.Errorf("%s was %s and became %s", reference, status, got.Status)
			}
			want[reference] = got
		}
	}
	charges, reversals := make(map[string]int64), make(map[string]int64)
	for _, e := range a.entries() {
		sums := charges
		if e.Kind == sandbox.KindReversal {
			sums = reversals
		}
		if sums[e.Reference] != 0 {
			t.Errorf("%s has a second %s", e.Reference, e.Kind)
		}
		sums[e.Reference] = e.Amount
	}
	for reference, p := range want {
		if charges[reference] != p.Charged || reversals[reference] != p.Reversed || (p.Status == "approved") != (p.Charged-p.Reversed == 100) {
			t.Errorf("%s is %+v, and the ledger says %d and %d", reference, p, charges[reference], reversals[reference])
		}
	}
}

// TestStopLeavesPending as it is: neither waits for the decision nor takes it.
func TestStopLeavesPending(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "journal")
	a, stop := startWith(t, sandbox.Config{Journal: journal, AsyncDelay: time.Hour, Logger: quiet()})
	a.want(a.charge("k", "r", 500, sandbox.TokenAsync), "pending", "")
	stop()
	text, err := os.ReadFile(journal)
	if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), `"kind":"pending"`) {
		t.Errorf("the journal holds %s, %v", text, err)
	}
}
