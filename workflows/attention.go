package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// wait is the patient phase of a step: how it stands, and whether a person was asked for.
type wait struct {
	ctx       workflow.Context
	carrier   *carrier
	step      string
	tries     int32  // that have failed, of those rounds that are over
	words     string // for people
	timer     workflow.Future
	stopTimer workflow.CancelFunc
	asked     workflow.Future // the note on the row; nil if nobody was asked for
}

func startWait(ctx workflow.Context, step string) *wait {
	c := carrierOf(ctx)
	c.person.waiting = step
	return &wait{ctx: ctx, carrier: c, step: step}
}

// failed says that the tries so far did not decide the step, the last one for that reason.
func (w *wait) failed(doing string, cause error) {
	tries := "No answer yet"
	if w.tries > 0 {
		tries = fmt.Sprintf("%d attempts have failed, the last one with", w.tries)
	}
	w.words = fmt.Sprintf("%s. %s: %s. It is repeated until there is an answer; the pending activity counts on.",
		doing, tries, strings.TrimSuffix(rootMessage(cause), "."))
	w.tell()
}

func (w *wait) tell() {
	if w.asked != nil {
		tell(w.ctx, "**Needs a person.** "+w.plea()+"\n\n"+w.words)
		return
	}
	tell(w.ctx, w.words)
}

// untilDone waits until the activity has ended, or a person has answered. It asks for one when it is time.
func (w *wait) untilDone(activity workflow.Future) *order.Resolution {
	if w.timer == nil {
		w.startTimer()
	}
	var word *order.Resolution
	for word == nil && !activity.IsReady() {
		selector := workflow.NewSelector(w.ctx).AddFuture(activity, func(workflow.Future) {})
		selector.AddReceive(w.carrier.person.answers, func(answers workflow.ReceiveChannel, _ bool) {
			word = new(order.Resolution)
			answers.Receive(w.ctx, word)
			w.carrier.person.given = false
		})
		if w.asked == nil && w.ctx.Err() == nil {
			selector.AddFuture(w.timer, func(workflow.Future) {})
		}
		selector.Select(w.ctx)
		if w.timer.IsReady() && w.asked == nil && w.ctx.Err() == nil && word == nil && !activity.IsReady() {
			w.ask()
		}
	}
	return word
}

func (w *wait) startTimer() {
	var ctx workflow.Context
	ctx, w.stopTimer = workflow.WithCancel(w.ctx)
	w.timer = workflow.NewTimerWithOptions(ctx, w.carrier.AttentionAfter, workflow.TimerOptions{
		Summary: "asks for a person if " + w.step + " has no answer by then",
	})
}

// ask says in the Web UI, as a search attribute and on the order's row that somebody has to look.
func (w *wait) ask() {
	w.carrier.person.asked = true
	setAttention(w.ctx, true)
	w.asked = w.attend(w.plea())
	w.tell()
}

// plea is what the row says to the person, and so the API: without the failure, which may quote what is internal.
func (w *wait) plea() string {
	reason := fmt.Sprintf("%s has had no answer for %s", w.step, w.carrier.AttentionAfter)
	switch w.step {
	case activities.Charge.Name:
		return reason + ": nobody knows whether the customer was charged. Look the payment up at the provider by the order's id; " +
			"then retry, or settle the order by hand as charged or not charged."
	case activities.Reverse.Name:
		return reason + ": the order is closed, and its charge, if there is one, is not reversed yet. Retry, or reverse it at the provider " +
			"and settle the order by hand as not charged."
	}
	return reason + ". The order goes on by itself as soon as there is one; the Web UI shows what the step fails with."
}

// end takes back whatever was asked for.
func (w *wait) end() {
	w.stopTimer()
	p := &w.carrier.person
	p.waiting, p.asked = "", false
	if p.answers.ReceiveAsync(nil) {
		p.given = false // it came with the step's own answer, which is the better one
	}
	if w.asked == nil {
		return
	}
	// One after the other, or a late note would stay for ever. Neither can fail but for good.
	ctx, _ := workflow.NewDisconnectedContext(w.ctx)
	_ = w.asked.Get(ctx, nil)
	_ = w.attend("").Get(ctx, nil)
	setAttention(ctx, false)
}

// attend writes the note on the row, as patiently as it takes.
func (w *wait) attend(reason string) workflow.Future {
	ctx, _ := workflow.NewDisconnectedContext(w.ctx)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: patientTry,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause},
		Summary:             activities.Attend.Doing,
	})
	return workflow.ExecuteActivity(ctx, activities.Attend.Name, []order.Attention{{Key: w.carrier.key, Reason: reason}})
}

func setAttention(ctx workflow.Context, needed bool) {
	err := workflow.UpsertTypedSearchAttributes(ctx, Attention.ValueSet(needed))
	if err != nil {
		workflow.GetLogger(ctx).Error("set the search attribute for attention", "error", err)
	}
}
