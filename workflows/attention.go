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
	asked     *note // on the row; nil if nobody was asked for
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
	if w.asked != nil {
		w.plead()
	}
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

// settle has a person's answer take effect, when the try under way has ended. A word by hand is on the row before anything
// rests on it, also if the workflow is to be cancelled. If the step was decided meanwhile, that counts and not the word.
func (w *wait) settle(word *order.Resolution, decided bool) {
	p := &w.carrier.person
	switch {
	case word == nil:
	case decided:
		p.effect = w.step + " had an answer at the same moment, which counts"
	case word.Answer.ByHand():
		w.forever(activities.Resolve.Name, activities.Resolve.Doing, []order.Resolving{{Key: w.carrier.key, Resolution: *word}}).wait()
		p.effect = w.step + " is settled by hand: " + string(word.Answer)
	default:
		p.given = false
		p.effect = w.step + " is tried again now"
	}
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
	w.plead()
	w.tell()
}

// plead asks on the row. In each round anew, since another workflow of the order may have taken back what it asked for.
func (w *wait) plead() {
	w.asked = w.forever(activities.Attend.Name, activities.Attend.Doing, []order.Attention{{Key: w.carrier.key, Reason: w.plea()}})
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
	p.waiting, p.asked, p.given = "", false, false
	if p.answers.ReceiveAsync(nil) {
		p.effect = w.step + " had an answer before"
	}
	if w.asked == nil {
		return
	}
	w.asked.wait() // or a late note would stay for ever
	w.forever(activities.Attend.Name, activities.Attend.Doing, []order.Attention{{Key: w.carrier.key, Was: w.plea()}}).wait()
	setAttention(w.ctx, false)
}

// note is an activity that writes to the order's row, as patiently as it takes, whatever becomes of the workflow.
type note struct {
	ctx workflow.Context
	workflow.Future
}

func (w *wait) forever(activity, doing string, batch any) *note {
	ctx, _ := workflow.NewDisconnectedContext(w.ctx)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: patientTry,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause},
		Summary:             doing,
	})
	return &note{ctx, workflow.ExecuteActivity(ctx, activity, batch)}
}

// wait returns when it is written. It cannot fail but for good, when nothing is to be written.
func (n *note) wait() { _ = n.Get(n.ctx, nil) }

func setAttention(ctx workflow.Context, needed bool) {
	err := workflow.UpsertTypedSearchAttributes(ctx, Attention.ValueSet(needed))
	if err != nil {
		workflow.GetLogger(ctx).Error("set the search attribute for attention", "error", err)
	}
}
