package cli

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"holdfast/order"
	"holdfast/workflows"
)

// atWork is a Temporal in which workflows run, each with what it says to an answer. Any other is not found.
type atWork struct {
	client.Client

	says  map[string]func(order.Resolution) (string, error)
	asked []string
}

func (w *atWork) Close() {}

func (w *atWork) UpdateWorkflow(_ context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	w.asked = append(w.asked, o.WorkflowID)
	say := w.says[o.WorkflowID]
	r, ok := o.Args[0].(order.Resolution)
	switch {
	case o.UpdateName != workflows.Resolve || !ok || o.WaitForStage != client.WorkflowUpdateStageCompleted:
		return nil, errors.New("not the update that workflows take")
	case say == nil:
		return nil, serviceerror.NewNotFound("workflow execution already completed")
	}
	words, err := say(r)
	return updateHandle{words: words, err: err}, nil
}

type updateHandle struct {
	client.WorkflowUpdateHandle

	words string
	err   error
}

func (h updateHandle) Get(_ context.Context, into any) error {
	if words, ok := into.(*string); ok {
		*words = h.words
	}
	return h.err
}

func (w *atWork) use(a *app) {
	a.dial = func(context.Context, client.Options) (client.Client, error) { return w, nil }
}

func accepts(want order.Resolution) func(order.Resolution) (string, error) {
	return func(got order.Resolution) (string, error) {
		if got != want {
			return "", errors.New("another answer")
		}
		return "done", nil
	}
}

func refuses(order.Resolution) (string, error) {
	return "", temporal.NewApplicationError("no step of this workflow waits for an answer", "")
}

func lost(order.Resolution) (string, error) { return "", context.DeadlineExceeded }

func TestResolve(t *testing.T) {
	t.Parallel()
	const place, cancel = "order/" + orderID, "cancel/" + orderID
	notCharged := order.Resolution{Answer: order.NotCharged, Note: "asked on the phone"}
	for name, c := range map[string]struct {
		flags  []string
		says   map[string]func(order.Resolution) (string, error)
		code   int
		stdout string
		stderr string
	}{
		"retry": {
			flags: []string{"--retry"}, says: map[string]func(order.Resolution) (string, error){place: accepts(order.Resolution{Answer: order.Retry})},
			stdout: "WORKFLOW                              NOW\n" + place + "  done\n",
		},
		"settled by hand, for whichever workflow waits": {
			flags:  []string{"--not-charged", "--note", notCharged.Note},
			says:   map[string]func(order.Resolution) (string, error){place: refuses, cancel: accepts(notCharged)},
			stdout: "WORKFLOW                               NOW\n" + cancel + "  done\n",
		},
		"one takes it, and the other's answer is lost": {
			flags: []string{"--retry"}, says: map[string]func(order.Resolution) (string, error){place: accepts(order.Resolution{Answer: order.Retry}), cancel: lost},
			code: 1,
			stderr: place + ": done\nNo answer: it is not known whether the workflow " + cancel + " took the answer: context deadline exceeded\n" +
				"Is a worker running? See what the order says: starter order get " + orderID + "\n",
		},
		"nobody waits": {
			flags: []string{"--retry"}, says: map[string]func(order.Resolution) (string, error){place: refuses}, code: 2,
			stderr: "The answer was refused: " + place + ": no step of this workflow waits for an answer\n",
		},
		"nobody is at work": {
			flags: []string{"--retry"}, code: 2,
			stderr: "The answer was refused: no workflow is at work on the order " + orderID + "\n",
		},
		"the answer is lost": {
			flags: []string{"--retry"}, says: map[string]func(order.Resolution) (string, error){place: lost}, code: 1,
			stderr: "No answer: it is not known whether the workflow " + place + " took the answer: context deadline exceeded\n" +
				"Is a worker running? See what the order says: starter order get " + orderID + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &atWork{says: c.says}
			try{change: w.use}.run(t, append([]string{"order", "resolve", orderID}, c.flags...)...).check(t, c.code, c.stdout, c.stderr)
			if !slices.Equal(w.asked, []string{place, cancel}) {
				t.Errorf("asked %q, running are %q", w.asked, slices.Sorted(maps.Keys(c.says)))
			}
		})
	}
}

func TestResolveAsJSON(t *testing.T) {
	t.Parallel()
	w := &atWork{says: map[string]func(order.Resolution) (string, error){"order/" + orderID: accepts(order.Resolution{Answer: order.Charged, Note: "n"})}}
	try{change: w.use}.run(t, "order", "resolve", orderID, "--charged", "--note", "n", "-o", "json").check(t, 0,
		`{"taken":[{"order_id":"`+orderID+`","workflow_id":"order/`+orderID+`","answer":"charged","result":"done"}]}`+"\n", "")
}

func TestResolveTakesOneAnswerWithItsNote(t *testing.T) {
	t.Parallel()
	w := &atWork{}
	for _, args := range [][]string{
		{orderID},
		{"ord_1", "--retry"},
		{orderID, "--charged"},
		{orderID, "--not-charged", "--note", " "},
		{orderID, "--charged", "--not-charged", "--note", "n"},
		{orderID, "--retry", "--note", "n"},
	} {
		if got := (try{change: w.use}).run(t, append([]string{"order", "resolve"}, args...)...); got.code != 2 || got.err == "" {
			t.Errorf("%q: exit code %d, %q", args, got.code, got.err)
		}
	}
	if len(w.asked) != 0 {
		t.Errorf("%q were asked", w.asked)
	}
}
