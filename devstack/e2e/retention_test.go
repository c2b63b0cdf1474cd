package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/workflows"
)

// purge runs a purge to its end.
func purge(ctx context.Context, temporal client.Client) error {
	options := client.StartWorkflowOptions{ID: workflows.PurgeID + "-by-hand", TaskQueue: "holdfast"}
	run, err := temporal.ExecuteWorkflow(ctx, options, workflows.PurgeOrdersName)
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

// TestADayEndsAndIsPurgedWhateverIsKilled: orders are sold, declined, cancelled and handed off, and a day later their rows go, while
// workers are killed in the middle of both. The audit holds before and after, and repeats are answered as ever.
func TestADayEndsAndIsPurgedWhateverIsKilled(t *testing.T) {
	t.Parallel()
	const orders, declined, cancelled = 500, 20, 20
	f := openFloor(t, func(cfg *stack.Config) {
		cfg.MySQL = testserver.MariaDBDatabase(t)
		cfg.Settings = map[string]string{"HOLDFAST_HANDOFF_PAGE": "25", "HOLDFAST_RETENTION": "1s", "HOLDFAST_PURGE_EVERY": "24h"}
	})
	temporal := f.temporal(t)
	worker := f.hire(t)
	f.sell(t, "mug", orders)
	ids := f.sellMugs(t, orders)
	for i := range declined {
		f.buy(t, fmt.Sprint("declined-", i), shop.Buy("ada", "tok_declined", "mug", 1))
	}
	for _, id := range ids[:cancelled] {
		if answer, err := f.Cancel(t.Context(), id, 10*time.Second); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("cancelled: %+v, %v", answer, err)
		}
	}
	// Both are under way when the worker is killed, and another takes over.
	run, err := temporal.ExecuteWorkflow(t.Context(), workflows.HandOffOptions(false, time.Now(), "holdfast"), workflows.HandOffName, workflows.HandOffInput{})
	if err != nil {
		t.Fatal(err)
	}
	f.untilArrived(t, orders/5)
	worker.Kill()
	worker = f.hire(t)
	var done order.HandOff
	if err := run.Get(t.Context(), &done); err != nil {
		t.Fatal(err)
	}
	f.wantArrived(t, append([]order.ID{}, ids[cancelled:]...))
	f.quiet(t)
	f.left(t, "mug", cancelled)

	schedule := temporal.ScheduleClient().GetHandle(t.Context(), workflows.PurgeID)
	if err := schedule.Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	worker.Kill()
	f.hire(t)
	if err := purge(t.Context(), temporal); err != nil {
		t.Fatal(err)
	}
	f.quiet(t)
	f.left(t, "mug", cancelled)
	purged, kept := 0, 0
	for _, id := range ids {
		if _, err := f.Get(t.Context(), id); err != nil {
			purged++
		} else {
			kept++
		}
	}
	if kept > 0 {
		t.Errorf("%d orders are purged, and %d are still there", purged, kept)
	}
	for i, want := range map[int]int{0: http.StatusConflict, cancelled: http.StatusCreated} {
		if answer := f.buy(t, fmt.Sprint("mug-", i), shop.Buy(fmt.Sprint("c-", i), "tok_ok", "mug", 1)); answer.Status != want || answer.ID() != ids[i] {
			t.Errorf("the repeat of order %d: %d %+v", i, answer.Status, answer.Problem)
		}
		f.wantCharges(t, ids[i], map[int]int{0: 0, cancelled: 1}[i])
	}
	f.quiet(t)
	f.wantArrived(t, append([]order.ID{}, ids[cancelled:]...))
}
