package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"holdfast/workflows"
)

const (
	// catchUp is how late a run may begin after an outage of Temporal. What is missed longer is made up for by the
	// next run, which looks at everything.
	catchUp = time.Minute
	// scheduleTry bounds one try to set the schedule up.
	scheduleTry = 5 * time.Second
	// scheduleRetry is the pause after a try that failed.
	scheduleRetry = 15 * time.Second
)

// keepSchedules sets the schedules up, and tries until it can. A worker carries orders without them, so it
// starts anyway. The returned function gives up and waits.
func (w *Worker) keepSchedules(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			err := w.setReconcileSchedule(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			w.log.WarnContext(ctx, "the schedule of the reconciliation could not be set up; it is tried again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(scheduleRetry):
			}
		}
	}()
	return func() { cancel(); <-done }
}

// setReconcileSchedule makes Temporal's schedule what the configuration says. Workers that start at once may all
// do it. What a person set in the Web UI beyond the configuration, such as a pause, stays.
func (w *Worker) setReconcileSchedule(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, scheduleTry)
	defer cancel()
	schedules := w.temporal.ScheduleClient()
	handle := schedules.GetHandle(ctx, workflows.ReconcileID)
	if w.cfg.ReconcileEvery == 0 {
		err := handle.Delete(ctx)
		if _, absent := errors.AsType[*serviceerror.NotFound](err); absent {
			return nil
		}
		return scheduleError("delete", err)
	}
	wanted := reconcileSchedule(w.cfg.ReconcileEvery, w.cfg.TaskQueue)
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID: workflows.ReconcileID, Spec: *wanted.Spec, Action: wanted.Action,
		Overlap: wanted.Policy.Overlap, CatchupWindow: wanted.Policy.CatchupWindow,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return scheduleError("create", err)
	}
	return scheduleError("update", handle.Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			found := in.Description.Schedule
			if sameSchedule(found, wanted) {
				return nil, temporal.ErrSkipScheduleUpdate
			}
			found.Spec, found.Action, found.Policy = wanted.Spec, wanted.Action, wanted.Policy
			return &client.ScheduleUpdate{Schedule: &found}, nil
		},
	}))
}

func scheduleError(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s the schedule %s: %w", doing, workflows.ReconcileID, err)
}

// reconcileSchedule is the schedule as the configuration wants it.
func reconcileSchedule(every time.Duration, taskQueue string) client.Schedule {
	return client.Schedule{
		Spec: &client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}},
		Action: &client.ScheduleWorkflowAction{
			ID: workflows.ReconcileID, Workflow: workflows.ReconcileStockName, Args: []any{workflows.ReconcileInput{}},
			TaskQueue: taskQueue, StaticSummary: workflows.ReconcileSummary,
		},
		Policy: &client.SchedulePolicies{Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchUp},
	}
}

// sameSchedule compares what reconcileSchedule sets and may be set otherwise.
func sameSchedule(found, wanted client.Schedule) bool {
	is, ok := found.Action.(*client.ScheduleWorkflowAction)
	should, _ := wanted.Action.(*client.ScheduleWorkflowAction)
	if !ok || found.Spec == nil || found.Policy == nil || len(found.Spec.Intervals) != 1 {
		return false
	}
	return found.Spec.Intervals[0] == wanted.Spec.Intervals[0] && len(found.Spec.Calendars) == 0 &&
		found.Policy.Overlap == wanted.Policy.Overlap && found.Policy.CatchupWindow == wanted.Policy.CatchupWindow &&
		is.ID == should.ID && is.Workflow == should.Workflow && is.TaskQueue == should.TaskQueue
}
