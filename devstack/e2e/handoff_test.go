package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/workflows"
)

// handOff runs a hand-off as an operator does.
func (f shopFront) handOff(t *testing.T, args ...string) (done order.HandOff) {
	t.Helper()
	out, said, code := f.starter(t.Context(), append([]string{"handoff", "--output", "json", "--timeout", "2m"}, args...)...)
	if code != 0 {
		t.Fatalf("starter handoff exits %d: %s", code, said)
	}
	if err := json.Unmarshal([]byte(out), &done); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return done
}

// wantArrived checks that the warehouse has each of the orders once, and nothing else.
func (f shopFront) wantArrived(t *testing.T, want []order.ID) {
	t.Helper()
	got, err := f.Arrivals(t.Context(), f.WarehouseURL())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		const shown = 50
		t.Errorf("the warehouse has %d orders, want %d: %q, want %q", len(got), len(want), got[:min(len(got), shown)], want[:min(len(want), shown)])
	}
}

func (f shopFront) wantStatus(t *testing.T, id order.ID, want order.Status) shop.Order {
	t.Helper()
	o, err := f.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if o.Status != want {
		t.Errorf("%s is %s, want %s", id, o.Status, want)
	}
	return o
}

func TestTheWarehouseGetsEachOrderOnceAtTheCutoff(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 100)
	f.sell(t, "unshippable-sofa", 10)
	var sold []order.ID
	for i := range 5 {
		sold = append(sold, f.buy(t, fmt.Sprint("k-", i), shop.Buy("ada", "tok_ok", "mug", 1)).ID())
	}
	f.buy(t, "declined", shop.Buy("ada", "tok_declined", "mug", 1))
	cancelled := f.buy(t, "cancelled", shop.Buy("ada", "tok_ok", "mug", 1)).ID()
	if answer, err := f.Cancel(t.Context(), cancelled, 5*time.Second); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("cancelled: %+v, %v", answer, err)
	}
	odd := f.buy(t, "odd", shop.Buy("ada", "tok_ok", "unshippable-sofa", 1)).ID()
	cutoff := time.Now().Format(time.RFC3339Nano)
	late := f.buy(t, "late", shop.Buy("ada", "tok_ok", "mug", 1)).ID()

	if plan := f.handOff(t, "--dry-run", "--cutoff", cutoff); plan.Orders != 6 || plan.HandedOff != 0 {
		t.Errorf("the dry run says %+v", plan)
	}
	f.wantArrived(t, nil)
	if done := f.handOff(t, "--cutoff", cutoff, "--watch"); done.Orders != 6 || done.HandedOff != 5 || done.Rejected != 1 {
		t.Errorf("handed off: %+v", done)
	}
	f.wantArrived(t, sold)
	for _, id := range sold {
		f.wantStatus(t, id, order.HandedOff)
	}
	f.wantStatus(t, late, order.Confirmed)
	if o := f.wantStatus(t, odd, order.Confirmed); o.Attention == nil {
		t.Error("nobody is asked to look at the order that the warehouse rejected")
	}
	f.quiet(t)

	// What the warehouse has cannot be cancelled, and a repeat of its request is told that it is sold. What it rejected can be.
	if answer, err := f.Cancel(t.Context(), sold[0], 0); err != nil || answer.Status != http.StatusConflict || answer.Problem.Slug() != "handed-off" {
		t.Errorf("cancelling what is handed off: %+v, %v", answer, err)
	}
	if answer := f.buy(t, "k-0", shop.Buy("ada", "tok_ok", "mug", 1)); answer.Status != http.StatusCreated || answer.Order.Status != order.HandedOff {
		t.Errorf("the repeat of what is handed off: %d %+v", answer.Status, answer.Order)
	}
	if answer, err := f.Cancel(t.Context(), odd, 5*time.Second); err != nil || answer.Status != http.StatusOK {
		t.Errorf("cancelling what was rejected: %+v, %v", answer, err)
	}
	if done := f.handOff(t); done.Orders != 1 || done.HandedOff != 1 {
		t.Errorf("the next day: %+v", done)
	}
	f.wantArrived(t, append(sold, late))
	f.quiet(t)
}

// TestHandOffsInTheMiddleOfWhichEverythingFails: two at once, a warehouse that loses its answers, breaks and is down, workers killed, one
// hand-off terminated, and shoppers who cancel meanwhile.
func TestHandOffsInTheMiddleOfWhichEverythingFails(t *testing.T) {
	t.Parallel()
	const orders = 600
	f := openFloor(t, func(cfg *stack.Config) {
		cfg.MySQL = testserver.MariaDBDatabase(t)
		cfg.Settings = map[string]string{"HOLDFAST_HANDOFF_PAGE": "5"}
	})
	temporal := f.temporal(t)
	worker := f.hire(t)
	f.sell(t, "mug", orders)
	ids := f.sellMugs(t, orders)

	run := func(ctx context.Context) client.WorkflowRun {
		run, err := temporal.ExecuteWorkflow(ctx, workflows.HandOffOptions(false, time.Now(), "holdfast"), workflows.HandOffName, workflows.HandOffInput{})
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	first := run(t.Context())
	f.untilArrived(t, orders/10)
	second := run(t.Context())
	var group errgroup.Group
	group.Go(func() error { // shoppers who cancel from the other end
		for _, id := range slices.Backward(ids[orders*3/4:]) {
			if _, err := f.Cancel(t.Context(), id, time.Second); err != nil {
				return err
			}
		}
		return nil
	})
	for i, mode := range []string{"lossy", "broken", "down"} {
		if err := f.Ail(t.Context(), f.WarehouseURL(), shop.Fault{Mode: mode, Seconds: 2}); err != nil {
			t.Fatal(err)
		}
		worker.Kill()
		worker = f.hire(t)
		f.untilArrived(t, orders/10*(i+2))
	}
	if err := temporal.TerminateWorkflow(t.Context(), first.GetID(), "", "somebody pressed Terminate"); err != nil {
		t.Fatal(err)
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	var done order.HandOff
	if err := second.Get(t.Context(), &done); err != nil {
		t.Fatal(err)
	}
	f.handOff(t) // finds what the terminated one has left
	f.quiet(t)
	var sold []order.ID
	for _, id := range ids {
		o, err := f.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		switch o.Status {
		case order.HandedOff:
			sold = append(sold, id)
		case order.Cancelled:
		case order.Pending, order.Confirmed, order.Rejected:
			t.Errorf("%s is %s in the end", id, o.Status)
		}
	}
	t.Logf("%d handed off, %d cancelled", len(sold), orders-len(sold))
	f.wantArrived(t, sold)
	if err := worker.Stop(); err != nil {
		t.Error(err)
	}
}

// sellMugs places confirmed orders of a mug each.
func (f shopFront) sellMugs(t *testing.T, n int) []order.ID {
	t.Helper()
	ids := make([]order.ID, n)
	var group errgroup.Group
	group.SetLimit(100)
	for i := range ids {
		group.Go(func() error {
			answer, err := f.PlaceUntilDefinite(t.Context(), fmt.Sprint("mug-", i), shop.Buy(fmt.Sprint("c-", i), "tok_ok", "mug", 1))
			if err == nil && answer.Status != http.StatusCreated {
				err = fmt.Errorf("answered %d %+v", answer.Status, answer.Problem)
			}
			ids[i] = answer.ID()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// untilArrived waits until the warehouse has so many orders. It may be ill meanwhile.
func (f shopFront) untilArrived(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for ; ; pause(ctx, 20*time.Millisecond) {
		arrived, err := f.Arrivals(ctx, f.WarehouseURL())
		switch {
		case err == nil && len(arrived) >= n:
			return
		case ctx.Err() != nil:
			t.Fatalf("only %d orders have arrived, %v", len(arrived), err)
		}
	}
}

// TestACutoffThatIsMissedIsCaughtUpWith: everything is down at the time, and what is placed after it waits for the next.
func TestACutoffThatIsMissedIsCaughtUpWith(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cron := func(cfg *stack.Config) {
		cfg.Data = dir
		cfg.Settings = map[string]string{"HOLDFAST_HANDOFF_CRON": "* * * * *", "HOLDFAST_HANDOFF_TIME_ZONE": "UTC"}
	}
	first := open(t, cron)
	first.sell(t, "mug", 10)
	before := first.buy(t, "before", shop.Buy("ada", "tok_ok", "mug", 1)).ID()
	untilScheduled(t, first)
	if err := first.Stack.Stop(); err != nil {
		t.Fatal(err)
	}
	nominal := time.Now().Truncate(time.Minute).Add(time.Minute)
	pause(t.Context(), time.Until(nominal.Add(time.Second))) // the minute is over while nothing runs
	second := open(t, cron)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	for second.statusOf(t, before) != order.HandedOff {
		if ctx.Err() != nil {
			t.Fatal("the missed hand-off is not made up for")
		}
		pause(ctx, 50*time.Millisecond)
	}
	second.wantArrived(t, []order.ID{before})
	description, err := second.temporal(t).ScheduleClient().GetHandle(t.Context(), workflows.HandOffID).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(description.Info.RecentActions, func(a client.ScheduleActionResult) bool { return a.ScheduleTime.Equal(nominal) }) {
		t.Errorf("none of the schedule's actions is that of %s: %+v", nominal, description.Info.RecentActions)
	}
}

// TestACutoffTakesOverFromOneThatIsStuck with a page that the warehouse does not answer.
func TestACutoffTakesOverFromOneThatIsStuck(t *testing.T) {
	t.Parallel()
	f := open(t, func(cfg *stack.Config) { cfg.Settings = map[string]string{"HOLDFAST_HANDOFF_CRON": "0 0 1 1 *"} })
	f.sell(t, "mug", 10)
	untilScheduled(t, f)
	if err := f.Ail(t.Context(), f.WarehouseURL(), shop.Fault{Mode: "down", Seconds: 120}); err != nil {
		t.Fatal(err)
	}
	var bought []order.ID
	for runs := range 3 {
		bought = append(bought, f.buy(t, fmt.Sprint("cutoff-", runs), shop.Buy("ada", "tok_ok", "mug", 1)).ID())
		pause(t.Context(), time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // a cutoff is a whole second
		f.untilCutoff(t, runs+1)
	}
	if err := f.Ail(t.Context(), f.WarehouseURL(), shop.Well()); err != nil {
		t.Fatal(err)
	}
	f.untilArrived(t, len(bought))
	f.wantArrived(t, bought)
}

// untilCutoff comes to the schedule's time for the nth time, and waits until its run alone is under way.
func (f shopFront) untilCutoff(t *testing.T, n int) {
	t.Helper()
	temporal := f.temporal(t)
	schedule := temporal.ScheduleClient().GetHandle(t.Context(), workflows.HandOffID)
	if err := schedule.Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ; ; pause(ctx, 50*time.Millisecond) {
		description, err := schedule.Describe(ctx)
		if err != nil {
			t.Fatalf("the hand-off of cutoff %d is not under way alone: %v", n, err)
		}
		actions := description.Info.RecentActions
		running := 0
		for _, action := range actions {
			run, err := temporal.DescribeWorkflowExecution(ctx, action.StartWorkflowResult.WorkflowID, "")
			if err != nil {
				t.Fatal(err)
			}
			if run.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
				running++
			}
		}
		if len(actions) == n && running == 1 {
			return
		}
	}
}

func (f shopFront) statusOf(t *testing.T, id order.ID) order.Status {
	t.Helper()
	o, err := f.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return o.Status
}

// untilScheduled waits until the worker has set the schedule up.
func untilScheduled(t *testing.T, f shopFront) {
	t.Helper()
	schedule := f.temporal(t).ScheduleClient().GetHandle(t.Context(), workflows.HandOffID)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ; ; pause(ctx, 20*time.Millisecond) {
		if _, err := schedule.Describe(ctx); err == nil {
			return
		} else if ctx.Err() != nil {
			t.Fatalf("there is no schedule: %v", err)
		}
	}
}
