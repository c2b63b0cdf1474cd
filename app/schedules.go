package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"holdfast/config"
	"holdfast/workflows"
)

const (
	// catchUp is how late a reconciliation, a purge or an audit may begin after an outage of Temporal. What is missed longer is made up for by
	// the next run, which looks at everything.
	catchUp = time.Minute
	// handOffCatchUp is how late a hand-off may begin: the orders of that day wait for it.
	handOffCatchUp = 7 * 24 * time.Hour
	// eventsEvery is how long others may have to wait for what they could not be told at once.
	eventsEvery = 30 * time.Second
	// scheduleTry bounds one try to set a schedule up.
	scheduleTry = 5 * time.Second
	// scheduleRetry is the pause after a try that failed.
	scheduleRetry = 15 * time.Second
)

// schedule is a schedule as the configuration wants it.
type schedule struct {
	id     string
	wanted *client.Schedule // nil if there is to be none
}

func schedulesOf(cfg config.Config) []schedule {
	reconcile, handOff := schedule{id: workflows.ReconcileID}, schedule{id: workflows.HandOffID}
	events, purge, audits := schedule{id: workflows.EventsID}, schedule{id: workflows.PurgeID}, schedule{id: workflows.AuditID}
	if cfg.ReconcileEvery > 0 {
		reconcile.wanted = every(cfg.ReconcileEvery, &client.ScheduleWorkflowAction{
			ID: workflows.ReconcileID, Workflow: workflows.ReconcileStockName, Args: []any{workflows.ReconcileInput{}},
			TaskQueue: cfg.TaskQueue, StaticSummary: workflows.ReconcileSummary,
		})
	}
	if cfg.WarehouseURL != "" && cfg.HandOffCron != config.Off {
		handOff.wanted = handOffSchedule(cfg.HandOffCron, cfg.HandOffTimeZone, cfg.TaskQueue)
	}
	if cfg.Retention > 0 {
		purge.wanted = every(cfg.PurgeEvery, &client.ScheduleWorkflowAction{
			ID: workflows.PurgeID, Workflow: workflows.PurgeOrdersName, TaskQueue: cfg.TaskQueue, StaticSummary: workflows.PurgeSummary,
		})
	}
	if len(cfg.KafkaBrokers) > 0 {
		events.wanted = every(eventsEvery, &client.ScheduleWorkflowAction{
			ID: workflows.EventsID, Workflow: workflows.PublishEventsName, TaskQueue: cfg.TaskQueue, StaticSummary: workflows.EventsSummary,
		})
	}
	if cfg.AuditEvery > 0 {
		audits.wanted = every(cfg.AuditEvery, &client.ScheduleWorkflowAction{
			ID: workflows.AuditID, Workflow: workflows.AuditOrdersName, TaskQueue: cfg.TaskQueue, StaticSummary: workflows.AuditSummary,
		})
	}
	return []schedule{reconcile, handOff, events, purge, audits}
}

// measureSchedules shows how often the checks are to run, so that it can be told when one is missing.
func measureSchedules(reg prometheus.Registerer, cfg config.Config) {
	every := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "holdfast_schedule_every_seconds",
		Help: "How often a schedule is to run; 0 if it does not by itself.",
	}, []string{"schedule"})
	every.WithLabelValues(workflows.ReconcileID).Set(cfg.ReconcileEvery.Seconds())
	every.WithLabelValues(workflows.AuditID).Set(cfg.AuditEvery.Seconds())
	reg.MustRegister(every)
}

// keepSchedules sets the schedules up, and tries until it can. A worker carries orders without them, so it
// starts anyway. The returned function gives up and waits.
func (w *Worker) keepSchedules(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	for _, s := range schedulesOf(w.cfg) {
		all.Go(func() {
			for {
				err := w.setSchedule(ctx, s)
				if err == nil || ctx.Err() != nil {
					return
				}
				w.log.WarnContext(ctx, "a schedule could not be set up; it is tried again", "schedule", s.id, "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(scheduleRetry):
				}
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// setSchedule makes Temporal's schedule what the configuration says. Workers that start at once may all
// do it. What a person set in the Web UI beyond the configuration, such as a pause, stays. One that is as it should be is not
// touched: an update would drop what it missed.
func (w *Worker) setSchedule(ctx context.Context, s schedule) error {
	ctx, cancel := context.WithTimeout(ctx, scheduleTry)
	defer cancel()
	schedules := w.temporal.ScheduleClient()
	handle := schedules.GetHandle(ctx, s.id)
	if s.wanted == nil {
		err := handle.Delete(ctx)
		if _, absent := errors.AsType[*serviceerror.NotFound](err); absent {
			return nil
		}
		return s.error("delete", err)
	}
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID: s.id, Spec: *s.wanted.Spec, Action: s.wanted.Action,
		Overlap: s.wanted.Policy.Overlap, CatchupWindow: s.wanted.Policy.CatchupWindow,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return s.error("create", err)
	}
	return s.error("update", handle.Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			found := in.Description.Schedule
			if sameSchedule(found, *s.wanted) {
				return nil, temporal.ErrSkipScheduleUpdate
			}
			found.Spec, found.Action, found.Policy = s.wanted.Spec, s.wanted.Action, s.wanted.Policy
			return &client.ScheduleUpdate{Schedule: &found}, nil
		},
	}))
}

func (s schedule) error(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s the schedule %s: %w", doing, s.id, err)
}

// every is the schedule of what looks at everything, so that one run at a time is enough.
func every(interval time.Duration, action *client.ScheduleWorkflowAction) *client.Schedule {
	return &client.Schedule{
		Spec:   &client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: interval}}},
		Action: action,
		Policy: &client.SchedulePolicies{Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchUp},
	}
}

// handOffSchedule is the schedule of the hand-off. Temporal keeps what it makes of the cron line, and the line itself only as the comment
// that stands behind it, by which it is known again.
func handOffSchedule(cron, zone, taskQueue string) *client.Schedule {
	return &client.Schedule{
		Spec: &client.ScheduleSpec{CronExpressions: []string{cron + " # " + cron}, TimeZoneName: zone},
		Action: &client.ScheduleWorkflowAction{
			ID: workflows.HandOffID, Workflow: workflows.HandOffName, Args: []any{workflows.HandOffInput{}},
			TaskQueue: taskQueue, StaticSummary: workflows.HandOffSummary,
		},
		// A run with a page that the warehouse never answers does not end by itself. That of the next cutoff takes over all that it has not
		// delivered; of many cutoffs that were missed the last one does for all.
		Policy: &client.SchedulePolicies{Overlap: enums.SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER, CatchupWindow: handOffCatchUp},
	}
}

// sameSchedule compares what is set here and may be set otherwise.
func sameSchedule(found, wanted client.Schedule) bool {
	is, ok := found.Action.(*client.ScheduleWorkflowAction)
	should, _ := wanted.Action.(*client.ScheduleWorkflowAction)
	if !ok || found.Spec == nil || found.Policy == nil {
		return false
	}
	return slices.Equal(found.Spec.Intervals, wanted.Spec.Intervals) && slices.Equal(cronsOf(*found.Spec), cronsOf(*wanted.Spec)) &&
		found.Spec.TimeZoneName == wanted.Spec.TimeZoneName &&
		found.Policy.Overlap == wanted.Policy.Overlap && found.Policy.CatchupWindow == wanted.Policy.CatchupWindow &&
		is.ID == should.ID && is.Workflow == should.Workflow && is.TaskQueue == should.TaskQueue
}

// cronsOf gives the comments behind the cron lines, as they are sent and as Temporal keeps them.
func cronsOf(spec client.ScheduleSpec) (crons []string) {
	for _, line := range spec.CronExpressions {
		_, comment, _ := strings.Cut(line, "#")
		crons = append(crons, strings.TrimSpace(comment))
	}
	for _, calendar := range spec.Calendars {
		crons = append(crons, strings.TrimSpace(calendar.Comment))
	}
	return crons
}
