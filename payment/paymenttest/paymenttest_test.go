package paymenttest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/activities"
	"holdfast/order"
)

func honest(a *keyedAdapter) activities.Payments { return a }

// TestKeyedAdapter: the promises can be kept with a provider that gives little.
func TestKeyedAdapter(t *testing.T) {
	t.Parallel()
	Run(t, func(t *testing.T) Provider { return newKeyedProvider(t).provider(honest) })
}

// recorder is a test that may fail unseen.
type recorder struct {
	*testing.T

	mu       sync.Mutex
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failuresOf runs one case as Run would.
func failuresOf(t *testing.T, name string, p Provider) []string {
	t.Helper()
	all := allCases()
	i := slices.IndexFunc(all, func(c testCase) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no case %q", name)
	}
	r := &recorder{T: t}
	done := make(chan struct{})
	go func() {
		defer close(done) // also if the case ends in the middle
		all[i].run(newTrial(r, p))
	}()
	<-done
	return r.failures
}

// TestBrokenAdaptersAreCaught: each by the case that is there for it, which says why.
func TestBrokenAdaptersAreCaught(t *testing.T) {
	t.Parallel()
	over := func(wrap func(activities.Payments) activities.Payments) func(*keyedAdapter) activities.Payments {
		return func(a *keyedAdapter) activities.Payments { return wrap(a) }
	}
	reclassed := func(c classes) func(*keyedAdapter) activities.Payments {
		return func(a *keyedAdapter) activities.Payments { c.Payments = a; return c }
	}
	finding := func(change func(*order.Payment, error) (*order.Payment, error)) func(*keyedAdapter) activities.Payments {
		return func(a *keyedAdapter) activities.Payments { return finds{a, change} }
	}
	answering := func(change func(order.Payment, error, string) (order.Payment, error)) func(*keyedAdapter) activities.Payments {
		return func(a *keyedAdapter) activities.Payments { return answers{a, change} }
	}
	tests := []struct {
		name    string
		adapter func(*keyedAdapter) activities.Payments
		caught  string // the case
		says    string
	}{
		{
			"takesTimeoutsForDeclines", over(func(p activities.Payments) activities.Payments { return takesTimeoutsForDeclines{p} }),
			"charge/answer lost", "declined",
		},
		{
			"takesTimeoutsForDeclines", over(func(p activities.Payments) activities.Payments { return takesTimeoutsForDeclines{p} }),
			"charge/an answer that never comes", "declined",
		},
		{"takesDoubtForFinal", reclassed(classes{charge: doubtAs(order.Final)}), "charge/500 after it acted", "got final, want unknown"},
		{"takesDoubtForTransient", reclassed(classes{charge: doubtAs(order.Transient)}), "charge/429 after it acted", "got transient, want unknown"},
		{"takesShutdownForTransient", reclassed(classes{charge: doubtAs(order.Transient)}), "charge/a cancelled context is unknown", "got transient"},
		{"doubtsRefusedDials", reclassed(classes{charge: as(order.Unknown)}), "charge/a refused dial is transient", "got unknown, want transient"},
		{"doubtsRefusedReversals", reclassed(classes{reverse: as(order.Unknown)}), "reverse/a refused dial is transient", "got unknown, want transient"},
		{"takesFailedLookUpsForTransient", reclassed(classes{lookUp: as(order.Transient)}), "look up/a refused dial is unknown", "says nothing of the charge"},
		{"givesUpReversals", reclassed(classes{reverse: doubtAs(order.Final)}), "reverse/503 after it acted", "must not be given up"},
		{"sendsAFreshKeyEachTime", sendsAFreshKeyEachTime, "charge/the same again is one charge", "Charges:2"},
		{"sendsAFreshKeyEachTime", sendsAFreshKeyEachTime, "charge/twenty at once are one charge", "Charges:20"},
		{
			"sendsAgainWithAnotherKey", func(a *keyedAdapter) activities.Payments { return sendsAgainWithAnotherKey{a} },
			"parameters/another amount is never approved", "Charge of another amount answered",
		},
		{"sendsOneKeyForAll", sendsOneKeyForAll, "charge/each order pays for itself", "want approved"},
		{"believesAnyAnswer", believesAnyAnswer, "charge/another order's approval is not believed", "answered {Verdict:approved"},
		{"believesAnyAnswer", believesAnyAnswer, "charge/another order's decline is not believed", "declined"},
		{"believesAnyAnswer", believesAnyAnswer, "charge/an answer about another amount is not believed", "approved"},
		{"believesAnyAnswer", believesAnyAnswer, "charge/an empty object", "answered"},
		{"believesAnyAnswer", believesAnyAnswer, "look up/another order's answer is not believed", "declined"},
		{"believesAnyAnswer", believesAnyAnswer, "look up/another amount is no answer", "was taken for one of"},
		{"believesAnyReversal", believesAnyReversal, "reverse/another order's reversal is not believed", "the provider holds"},
		{"findsNothing", finding(nothing), "charge/a forgotten key", "want approved"},
		{"findsNothingWhereNobodyAnswers", finding(nothingOnFailure), "look up/a load balancer's 404", "want an error"},
		{"findsNothingWhereNobodyAnswers", finding(nothingOnFailure), "look up/a refused dial is unknown", "want an error"},
		{"findsApprovalsAlone", finding(approvalsAlone), "charge/a decline has a reason and stays", "want declined"},
		{"findsApprovalsAlone", finding(approvalsAlone), "pending/an answer that is lost is looked up", "want pending or approved"},
		{"takesPendingForApproved", finding(pendingAsApproved), "pending/declined later", "want pending or declined"},
		{"takesPendingForApproved", answering(pendingTaken), "pending/approved later", "want pending"},
		{"takesPendingForDeclined", finding(pendingAsDeclined), "pending/approved later", "want pending or approved"},
		{"declinesWithoutReason", answering(withoutReason), "charge/a decline has a reason and stays", "without a reason"},
		{"showsTheMethod", answering(withTheMethod), "charge/the payment method shows in no error", "shows the payment method"},
		{
			"remembersApprovals", func(a *keyedAdapter) activities.Payments { return remembersApprovals{a, new(sync.Map)} },
			"parameters/another amount is never approved", "approved",
		},
		{
			"declinesAfterThreeErrors", func(a *keyedAdapter) activities.Payments { return declinesAfterThreeErrors{a, new(atomic.Int64)} },
			"charge/an error replayed before it acted", "declined",
		},
		{"neverLeaves", over(func(p activities.Payments) activities.Payments { return neverLeaves{p} }), "charge/a cancelled context is unknown", "got no error"},
		{"reversesWithoutBlocking", reversesWithoutBlocking, "late/a charge on its way while the order is reversed", "got no error, want one that is unknown"},
		{"reversesWithoutBlocking", reversesWithoutBlocking, "late/a charge whose sender left before the reversal", "got no error, want one that is unknown"},
		{"reversesBlindly", over(func(p activities.Payments) activities.Payments { return reversesBlindly{p} }), "reverse/cut before the provider", "the provider holds"},
		{"reversesBlindly", over(func(p activities.Payments) activities.Payments { return reversesBlindly{p} }), "reverse/a refused dial is transient", "got no error"},
		{
			"refundsWhateverItFinds", func(a *keyedAdapter) activities.Payments { return refundsWhateverItFinds{a, new(atomic.Int64)} },
			"reverse/answer lost", "Net:-",
		},
		{"givesUpDeclines", over(func(p activities.Payments) activities.Payments { return givesUpDeclines{p} }), "reverse/a declined charge", "nothing to reverse"},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.caught, func(t *testing.T) {
			t.Parallel()
			failures := failuresOf(t, test.caught, newKeyedProvider(t).provider(test.adapter))
			if len(failures) == 0 {
				t.Fatal("nobody noticed")
			}
			if !strings.Contains(strings.Join(failures, "\n"), test.says) {
				t.Errorf("it was caught for another reason, not for %q: %q", test.says, failures)
			}
		})
	}
}

// TestAPromiseThatIsNotKept: the adapter is right, and its provider was said to do more than it does.
func TestAPromiseThatIsNotKept(t *testing.T) {
	t.Parallel()
	for name, adapter := range map[string]func(*keyedAdapter) activities.Payments{
		"honest": honest, "reversesWithoutBlocking": reversesWithoutBlocking,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newKeyedProvider(t).provider(adapter)
			p.BlocksLateCharges = true
			if failures := failuresOf(t, "late/a charge on its way while the order is reversed", p); len(failures) == 0 {
				t.Error("nobody noticed")
			}
		})
	}
}

// TestCasesHaveNamesOfTheirOwn, by which a failure is found.
func TestCasesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, c := range allCases() {
		if seen[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		seen[c.name] = true
	}
}
