package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// Resolve is the update by which a person answers an order whose step has no answer. It takes an order.Resolution and
// returns what happens now, in words. It is refused, with the reason, if no step waits or the answer does not fit it.
const Resolve = "resolve"

// person is whoever may answer for a step that has no answer.
type person struct {
	waiting string // the step that has none; empty if all goes well
	asked   bool   // it has been so for long enough that somebody was asked for
	given   bool   // an answer was given, and the step has not come to its end with it
	effect  string // of the answer that was given, in words; empty until it is known
	answers workflow.Channel
}

func (p *person) listen(ctx workflow.Context) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, Resolve, p.answer, workflow.UpdateHandlerOptions{
		Validator: p.check,
		Description: `Answers for a step that has no answer: {"answer": "retry"} tries it at once. ` +
			`{"answer": "charged", "note": "..."} and {"answer": "not_charged", "note": "..."} settle the charge by hand; the note is kept on the order.`,
	})
}

// answer hands the answer to the step, and returns once that has had its effect, which a cancellation does not stop.
func (p *person) answer(ctx workflow.Context, r order.Resolution) (string, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p.given, p.effect = true, ""
	p.answers.Send(ctx, r)
	err := workflow.Await(ctx, func() bool { return p.effect != "" })
	return p.effect, err
}

// check refuses what would have no effect, or one that nobody can want. A charge is settled by hand only when the order
// asked for it: until then the provider's own word is to be expected.
func (p *person) check(_ workflow.Context, r order.Resolution) error {
	if err := r.Validate(); err != nil {
		return err
	}
	switch {
	case p.waiting == "":
		return errors.New("no step of this workflow waits for an answer")
	case p.given:
		return errors.New("another answer was given just now")
	case !r.Answer.ByHand():
		return nil
	case p.waiting != activities.Charge.Name && p.waiting != activities.Reverse.Name:
		return fmt.Errorf("%s waits, whose outcome is no matter of the charge: only retry can help", p.waiting)
	case p.waiting == activities.Reverse.Name && r.Answer == order.Charged:
		return errors.New("the order is closed, so its charge has to be reversed: reverse it at the provider, and answer not_charged")
	case !p.asked:
		return errors.New("the order does not need a person yet: it is still trying by itself")
	}
	return nil
}

// settledByHandError ends a step whose outcome a person has settled. His word is on the order's row, so that it holds for
// whoever carries the order later.
type settledByHandError struct{ order.Resolution }

func (e *settledByHandError) Error() string {
	return fmt.Sprintf("settled by hand: %s (%s)", e.Answer, e.Note)
}

// byHand gives a person's word, if that is what ended the step. Otherwise it is empty, and the error is the step's.
func byHand(err error) (order.Answer, error) {
	if word, ok := errors.AsType[*settledByHandError](err); ok {
		return word.Answer, nil
	}
	return "", err
}
