package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/temporal"

	"holdfast/order"
	"holdfast/workflows"
)

// said is what became of an answer.
type said struct {
	refused error // nil if it was taken
	words   string
}

// Accept implements the test environment's update callbacks, as the other two.
func (*said) Accept() {}

// Reject implements the test environment's update callbacks.
func (s *said) Reject(err error) { s.refused = err }

// Complete implements the test environment's update callbacks.
func (s *said) Complete(value any, err error) {
	s.refused = err
	s.words, _ = value.(string)
}

// says has a person answer after a time.
func (j *journey) says(after time.Duration, answer order.Answer, note string) *said {
	s := new(said)
	j.RegisterDelayedCallback(func() {
		j.UpdateWorkflow(workflows.Resolve, "", s, order.Resolution{Answer: answer, Note: note})
	}, after)
	return s
}

// never is a step that has no answer before the person helps; at is when it is tried.
func never(j *journey, at *[]time.Duration) error {
	*at = append(*at, j.Now().Sub(opened))
	return fails(1, 1)
}

// stuck is a journey whose charge nobody can know of.
func stuck(t *testing.T) (j *journey, tries *[]time.Duration) {
	t.Helper()
	j, tries = straight(t), new([]time.Duration)
	j.SetStartTime(opened)
	j.charge = func(int, order.Charging) (order.Payment, error) { return order.Payment{}, never(j, tries) }
	return j, tries
}

// after gives the steps without the repeats.
func (j *journey) distinct() []string { return slices.Compact(slices.Clone(j.calls)) }

func (j *journey) endsBy(t *testing.T, name string, status order.Status, reason order.Reason, steps ...string) {
	t.Helper()
	j.ExecuteWorkflow(name, newOrder(t))
	var result workflows.Result
	if err := j.GetWorkflowResult(&result); err != nil || result.Status != status || result.Reason != reason {
		t.Errorf("ended as %+v, %v, want %s %s", result, err, status, reason)
	}
	if got := j.distinct(); !slices.Equal(got, steps) {
		t.Errorf("steps taken:\n got %v\nwant %v", got, steps)
	}
}

func (s *said) taken(t *testing.T) {
	t.Helper()
	if s.refused != nil || s.words == "" {
		t.Errorf("the answer was refused: %v, %q", s.refused, s.words)
	}
}

func (s *said) wasRefused(t *testing.T, words string) {
	t.Helper()
	if s.refused == nil || !strings.Contains(s.refused.Error(), words) {
		t.Errorf("refused with %v, want %q", s.refused, words)
	}
}

func TestAChargeIsSettledByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer order.Answer
		status order.Status
		reason order.Reason
		steps  []string
	}{
		{order.Charged, order.Confirmed, "", []string{"Reserve", "Open", "Charge", "Attend", "Charge", "Resolve", "Attend", "Commit"}},
		{
			order.NotCharged, order.Rejected, order.ReasonNotCharged,
			[]string{"Reserve", "Open", "Charge", "Attend", "Charge", "Resolve", "Attend", "Close", "Reverse", "Release", "Settle"},
		},
	} {
		t.Run(string(c.answer), func(t *testing.T) {
			t.Parallel()
			j, _ := stuck(t)
			j.keepsWord()
			answer := j.says(20*time.Minute, c.answer, "seen on the statement")
			j.endsBy(t, workflows.PlaceOrderName, c.status, c.reason, c.steps...)
			answer.taken(t)
			if want := []order.Resolution{{Answer: c.answer, Note: "seen on the statement"}}; !slices.Equal(j.words, want) {
				t.Errorf("kept on the row: %+v", j.words)
			}
		})
	}
}

// keepsWord makes the rows that are written from now on say what a person said.
func (j *journey) keepsWord() {
	j.close = func(_ int, c order.Closing) (order.Row, error) {
		row := order.Row{Status: c.Status, Reason: c.Reason, Detail: c.Detail, Changed: true, Held: true}
		if len(j.words) > 0 {
			row.ByHand = j.words[len(j.words)-1].Answer
		}
		return row, nil
	}
}

// TestTheWordThatThereIsNoChargeStands even if the provider does not answer; it is asked for a reversal nevertheless.
func TestTheWordThatThereIsNoChargeStands(t *testing.T) {
	t.Parallel()
	j, _ := stuck(t)
	j.keepsWord()
	reversals := 0
	j.reverse = func(try int) error { reversals = try; return fails(try, try) }
	answer := j.says(20*time.Minute, order.NotCharged, "the provider is out of business")
	j.endsBy(t, workflows.PlaceOrderName, order.Rejected, order.ReasonNotCharged,
		"Reserve", "Open", "Charge", "Attend", "Charge", "Resolve", "Attend", "Close", "Reverse", "Release", "Settle")
	answer.taken(t)
	if reversals == 0 {
		t.Error("no reversal was asked for")
	}
}

// TestAWordOnTheRowHoldsForWhoeverCarriesTheOrderLater: the workflow that it was given to is gone.
func TestAWordOnTheRowHoldsForWhoeverCarriesTheOrderLater(t *testing.T) {
	t.Parallel()
	row := order.Row{Status: order.Pending, Held: true, CreatedAt: opened, ByHand: order.Charged}
	j, _ := stuck(t)
	j.open = func(int, order.Opening) (order.Row, error) { return row, nil }
	j.endsBy(t, workflows.PlaceOrderName, order.Confirmed, "", "Reserve", "Open", "Commit")
	row.ByHand = order.NotCharged
	j, _ = stuck(t)
	j.open = func(int, order.Opening) (order.Row, error) { return row, nil }
	j.endsBy(t, workflows.PlaceOrderName, order.Rejected, order.ReasonNotCharged,
		"Reserve", "Open", "Close", "Reverse", "Release", "Settle")
}

// TestAReversalIsSettledByHand in the workflow that undoes, whichever that is.
func TestAReversalIsSettledByHand(t *testing.T) {
	t.Parallel()
	j, _ := cancelling(t, cancelled)
	j.reverse = func(try int) error { return fails(try, try) }
	charged := j.says(20*time.Minute, order.Charged, "n")
	notCharged := j.says(21*time.Minute, order.NotCharged, "refunded by hand")
	j.endsBy(t, workflows.CancelOrderName, order.Cancelled, order.ReasonRequested,
		"Cancel", "ask to give up", "Reverse", "Attend", "Reverse", "Resolve", "Attend", "Release", "Settle")
	charged.wasRefused(t, "has to be reversed")
	notCharged.taken(t)
}

// TestARetryIsTriedAtOnce, and then goes on as in the beginning.
func TestARetryIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	j, tries := stuck(t)
	const said = 10*time.Minute + 7*time.Second
	retry := j.says(said, order.Retry, "")
	j.RegisterDelayedCallback(func() {
		j.charge = func(int, order.Charging) (order.Payment, error) {
			*tries = append(*tries, j.Now().Sub(opened))
			return paid, nil
		}
	}, said-time.Second)
	j.endsBy(t, workflows.PlaceOrderName, order.Confirmed, "", "Reserve", "Open", "Charge", "Commit")
	retry.taken(t)
	if last := (*tries)[len(*tries)-1]; last != said {
		t.Errorf("tried last after %s, want %s", last, said)
	}
	if len(j.notes) != 0 {
		t.Errorf("nobody had to be asked for: %q", j.notes)
	}
}

func TestAnAnswerThatHelpsNothingIsRefused(t *testing.T) {
	t.Parallel()
	j, _ := stuck(t)
	early := j.says(time.Minute, order.Charged, "n")
	unknown := j.says(16*time.Minute, "perhaps", "")
	noNote := j.says(16*time.Minute, order.NotCharged, "")
	taken := j.says(17*time.Minute, order.Charged, "n")
	j.commit = func(try int) (order.Row, error) {
		return order.Row{Status: order.Confirmed, Held: true, Settled: true}, fails(20, try)
	}
	elsewhere := j.says(18*time.Minute, order.NotCharged, "n")
	j.endsBy(t, workflows.PlaceOrderName, order.Confirmed, "", "Reserve", "Open", "Charge", "Attend", "Charge", "Resolve", "Attend", "Commit")
	early.wasRefused(t, "does not need a person yet")
	unknown.wasRefused(t, "answer: must be")
	noNote.wasRefused(t, "note: must say")
	taken.taken(t)
	elsewhere.wasRefused(t, "only retry can help")
}

// reversesLate has the provider reverse after many tries, so that no fast phase is enough. It counts how often it did.
func (j *journey) reversesLate() *int {
	reversed := new(int)
	j.reverse = func(try int) error {
		if err := fails(20, try); err != nil {
			return err
		}
		*reversed++
		return nil
	}
	return reversed
}

// TestAChargeThatTheProviderApprovedIsReversedWhateverAPersonSaid of it in another workflow: this one knows better.
func TestAChargeThatTheProviderApprovedIsReversedWhateverAPersonSaid(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.charge = func(try int, _ order.Charging) (order.Payment, error) { return paid, fails(5, try) }
	j.commit = func(int) (order.Row, error) {
		return order.Row{Status: order.Cancelled, Reason: order.ReasonRequested, Held: true, Settled: true, ByHand: order.NotCharged}, nil
	}
	reversed := j.reversesLate()
	j.endsBy(t, workflows.PlaceOrderName, order.Cancelled, order.ReasonRequested,
		"Reserve", "Open", "Charge", "Commit", "Reverse", "Release")
	if *reversed != 1 {
		t.Error("the charge was not reversed")
	}
}

// TestAWorkflowThatMayHaveChargedReversesWhateverAPersonSaid elsewhere, when it is asked to give the order up.
func TestAWorkflowThatMayHaveChargedReversesWhateverAPersonSaid(t *testing.T) {
	t.Parallel()
	j, _ := stuck(t)
	j.RegisterDelayedCallback(j.CancelWorkflow, 5*time.Minute)
	j.close = func(int, order.Closing) (order.Row, error) {
		return order.Row{Status: order.Cancelled, Reason: order.ReasonRequested, Held: true, Settled: true, ByHand: order.NotCharged}, nil
	}
	reversed := j.reversesLate()
	j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
	if *reversed != 1 {
		t.Error("the charge was not reversed")
	}
}

// TestOfTwoAnswersTheSecondIsRefused, and not taken for a later step.
func TestOfTwoAnswersTheSecondIsRefused(t *testing.T) {
	t.Parallel()
	j, _ := stuck(t)
	j.keepsWord()
	j.reverse = func(try int) error { return fails(3, try) }
	first := j.says(20*time.Minute, order.NotCharged, "first")
	second := j.says(20*time.Minute, order.Charged, "second")
	j.endsBy(t, workflows.PlaceOrderName, order.Rejected, order.ReasonNotCharged,
		"Reserve", "Open", "Charge", "Attend", "Charge", "Resolve", "Attend", "Close", "Reverse", "Release", "Settle")
	first.taken(t)
	second.wasRefused(t, "another answer was given just now")
	if want := []order.Resolution{{Answer: order.NotCharged, Note: "first"}}; !slices.Equal(j.words, want) {
		t.Errorf("kept on the row: %+v", j.words)
	}
}

// TestARetryThatHelpsNothingBeginsTheRoundsAnew, and leaves no answer behind for another step.
func TestARetryThatHelpsNothingBeginsTheRoundsAnew(t *testing.T) {
	t.Parallel()
	j, tries := stuck(t)
	const said, back = 10 * time.Minute, 10*time.Minute + 3*time.Second
	retry := j.says(said, order.Retry, "")
	j.RegisterDelayedCallback(func() {
		j.charge = func(int, order.Charging) (order.Payment, error) {
			*tries = append(*tries, j.Now().Sub(opened))
			return paid, nil
		}
	}, back)
	j.commit = func(try int) (order.Row, error) {
		return order.Row{Status: order.Confirmed, Held: true, Settled: true}, fails(4, try)
	}
	j.endsBy(t, workflows.PlaceOrderName, order.Confirmed, "", "Reserve", "Open", "Charge", "Commit")
	retry.taken(t)
	after := slices.DeleteFunc(slices.Clone(*tries), func(at time.Duration) bool { return at < said })
	want := []time.Duration{said, said + 500*time.Millisecond, said + 1500*time.Millisecond, said + 3500*time.Millisecond}
	if !slices.Equal(after, want) {
		t.Errorf("tried at %v after the retry, want %v", after, want)
	}
}

// TestAWordIsKeptAlthoughTheWorkflowIsCancelled in the same moment.
func TestAWordIsKeptAlthoughTheWorkflowIsCancelled(t *testing.T) {
	t.Parallel()
	j, _ := stuck(t)
	answer := j.says(20*time.Minute, order.Charged, "seen")
	j.RegisterDelayedCallback(j.CancelWorkflow, 20*time.Minute)
	j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
	answer.taken(t)
	if want := []order.Resolution{{Answer: order.Charged, Note: "seen"}}; !slices.Equal(j.words, want) {
		t.Errorf("kept on the row: %+v", j.words)
	}
	if !slices.Contains(j.calls, "Reverse") {
		t.Errorf("an order that was cancelled is not reversed: %v", j.distinct())
	}
}

// details is what the Web UI shows of the workflow.
func (j *journey) details(t *testing.T) string {
	t.Helper()
	value, err := j.QueryWorkflow("__temporal_workflow_metadata")
	if err != nil {
		t.Fatal(err)
	}
	var metadata sdk.WorkflowMetadata
	if err := value.Get(&metadata); err != nil {
		t.Fatal(err)
	}
	return metadata.GetCurrentDetails()
}

func TestAnOrderThatWaitsSaysWhyAndHowOften(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.SetStartTime(opened)
	j.commit = func(int) (order.Row, error) {
		return order.Row{Status: order.Confirmed, Held: true, Settled: true},
			temporal.NewApplicationError("lock wait timeout", string(order.Unknown))
	}
	var attention []bool
	j.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		attributes, _ := args.Get(0).(temporal.SearchAttributes)
		needed, _ := attributes.GetBool(workflows.Attention)
		attention = append(attention, needed)
	}).Return(nil)
	for at, words := range map[time.Duration][]string{
		10 * time.Second: {"Paid: committing the sale to MySQL. No answer yet: "},
		2 * time.Minute:  {"8 attempts have failed, the last one with: lock wait timeout."},
		20 * time.Minute: {"**Needs a person.** Commit has had no answer for 15m0s", "24 attempts have failed"},
	} {
		j.RegisterDelayedCallback(func() {
			for _, part := range words {
				if got := j.details(t); !strings.Contains(got, part) {
					t.Errorf("after %s the details do not say %q: %s", at, part, got)
				}
			}
		}, at)
	}
	j.RegisterDelayedCallback(func() {
		j.commit = func(int) (order.Row, error) {
			return order.Row{Status: order.Confirmed, Held: true, Settled: true}, nil
		}
	}, time.Hour)
	j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
	if err := j.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	plea, last := j.notes[0], j.notes[len(j.notes)-1]
	if !slices.Equal(attention, []bool{true, false}) || plea == "" || strings.Contains(plea, "lock wait") || last != "" {
		t.Errorf("the search attribute was %v, the row said %q", attention, j.notes)
	}
}
