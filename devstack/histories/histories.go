// Package histories records the workflow histories that the replay tests read: one order for each way
// to end, placed on an embedded stack, a reconciliation, a hand-off, a purge, an audit and a publication.
package histories

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/order"
	warehouse "holdfast/warehouse/sandbox"
	"holdfast/workflows"
)

// Command is `devstack histories`.
func Command() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "histories --out DIR",
		Short: "Record a workflow history for each way in which an order ends, of a reconciliation, a hand-off, a purge, an audit and a publication",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Minute)
			defer cancel()
			return Record(ctx, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "directory for the histories")
	_ = cmd.MarkFlagRequired("out") // the flag exists
	return cmd
}

// way is an order to place, named as its file is.
type way struct{ file, paymentMethod, sku string }

var ways = []way{
	{"confirmed", "tok_ok", "plenty"},
	{"confirmed-after-lost-answers", "tok_lost", "plenty"},
	{"confirmed-after-a-slow-answer", "tok_slow", "plenty"},
	{"declined", "tok_declined", "plenty"},
	{"sold-out", "tok_ok", "none"},
	{"confirmed-async", "tok_async", "plenty"},
}

// impatient are those for a stack whose provider decides pending payments too late.
var impatient = []way{{"payment-expired", "tok_async", "plenty"}}

// told are those for a stack that publishes events.
var told = []way{{"confirmed-and-told", "tok_ok", "plenty"}, {"declined-and-told", "tok_declined", "plenty"}}

// Record places the orders on stacks of its own, side by side, and writes their histories to dir.
func Record(ctx context.Context, dir string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range []struct {
		on     stack.Config
		record func(context.Context, *recorder) error
	}{
		{
			stack.Config{Settings: map[string]string{"HOLDFAST_RECONCILE_EVERY": "0", "HOLDFAST_RECONCILE_GRACE": "100ms", "HOLDFAST_RETENTION": "1s", "HOLDFAST_PURGE_EVERY": "8760h"}},
			func(ctx context.Context, r *recorder) error {
				return errors.Join(r.recordOrders(ctx, ways), r.recordReconciliation(ctx), r.recordBatches(ctx), r.recordHandOff(ctx), r.recordPurge(ctx), r.recordAudit(ctx))
			},
		},
		{
			stack.Config{AsyncDelay: time.Hour, Settings: map[string]string{"HOLDFAST_RECONCILE_EVERY": "0", "HOLDFAST_PAYMENT_DEADLINE": "2s"}},
			func(ctx context.Context, r *recorder) error { return r.recordOrders(ctx, impatient) },
		},
		{
			stack.Config{Kafka: "127.0.0.1:0", Settings: map[string]string{"HOLDFAST_RECONCILE_EVERY": "0"}},
			func(ctx context.Context, r *recorder) error {
				return errors.Join(r.recordOrders(ctx, told), r.recordEvents(ctx))
			},
		},
		{troubled, func(ctx context.Context, r *recorder) error { return r.recordTroubles(ctx) }},
		{troubled, func(ctx context.Context, r *recorder) error { return r.recordLongOutage(ctx) }},
	} {
		group.Go(func() error { return onStack(ctx, dir, r.on, r.record) })
	}
	return group.Wait()
}

// onStack runs a stack on data of its own for as long as record takes.
func onStack(ctx context.Context, dir string, cfg stack.Config, record func(context.Context, *recorder) error) (err error) {
	data, err := os.MkdirTemp("", "holdfast-histories-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	const free = "127.0.0.1:0"
	cfg.Data, cfg.API, cfg.Temporal, cfg.UI, cfg.Gateway = data, free, free, free, free
	s, err := stack.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	temporal, err := client.DialContext(ctx, client.Options{HostPort: s.TemporalAddr(), Namespace: stack.Namespace})
	if err != nil {
		return err
	}
	defer temporal.Close()
	return record(ctx, &recorder{Client: shop.New(s.APIURL()), temporal: temporal, provider: s.GatewayURL(), dir: dir})
}

func (r *recorder) recordOrders(ctx context.Context, ways []way) error {
	for sku, units := range map[string]int64{"plenty": 100, "none": 0} {
		if err := r.SetStock(ctx, sku, units); err != nil {
			return err
		}
	}
	for _, way := range ways {
		answer, err := r.PlaceUntilDefinite(ctx, way.file, shop.Buy("recorder", way.paymentMethod, way.sku, 1))
		if err != nil {
			return err
		}
		if err := r.write(ctx, workflows.WorkflowID(answer.ID()), way.file); err != nil {
			return err
		}
	}
	return nil
}

// recordReconciliation has an order re-driven whose workflow was terminated.
func (r *recorder) recordReconciliation(ctx context.Context) error {
	answer, err := r.Place(ctx, "terminated", shop.Buy("recorder", "tok_slow", "plenty", 1), 0)
	if err != nil {
		return err
	}
	if err := r.temporal.TerminateWorkflow(ctx, workflows.WorkflowID(answer.ID()), "", "to be re-driven"); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond) // beyond the grace
	options := workflows.ReconcileOptions(false, "holdfast")
	run, err := r.temporal.ExecuteWorkflow(ctx, options, workflows.ReconcileStockName, workflows.ReconcileInput{})
	if err != nil {
		return err
	}
	var found order.Reconciliation
	if err := run.Get(ctx, &found); err != nil {
		return err
	}
	if found.Redriven != 1 {
		return fmt.Errorf("the reconciliation re-drove %d orders, not the terminated one", found.Redriven)
	}
	return r.write(ctx, options.ID, "reconciled")
}

// recordHandOff hands off what was confirmed, and an order that the warehouse does not take.
func (r *recorder) recordHandOff(ctx context.Context) error {
	sku := warehouse.RejectedSKU + "-sofa"
	if err := r.SetStock(ctx, sku, 1); err != nil {
		return err
	}
	answer, err := r.PlaceUntilDefinite(ctx, "unshippable", shop.Buy("recorder", "tok_ok", sku, 1))
	if err != nil || answer.Status != http.StatusCreated {
		return fmt.Errorf("placing what the warehouse rejects: %d %s, %w", answer.Status, answer.Problem.Detail, err)
	}
	options := workflows.HandOffOptions(false, time.Now(), "holdfast")
	run, err := r.temporal.ExecuteWorkflow(ctx, options, workflows.HandOffName, workflows.HandOffInput{})
	if err != nil {
		return err
	}
	var done order.HandOff
	if err := run.Get(ctx, &done); err != nil {
		return err
	}
	if done.HandedOff == 0 || done.Rejected != 1 {
		return fmt.Errorf("the hand-off gave the warehouse %d orders, and had %d rejected", done.HandedOff, done.Rejected)
	}
	return r.write(ctx, options.ID, "handed-off")
}

// recordPurge deletes the orders that have ended a second ago.
func (r *recorder) recordPurge(ctx context.Context) error {
	options := client.StartWorkflowOptions{ID: workflows.PurgeID, TaskQueue: "holdfast"}
	for {
		run, err := r.temporal.ExecuteWorkflow(ctx, options, workflows.PurgeOrdersName)
		if err != nil {
			return err
		}
		var purged order.Purged
		if err := run.Get(ctx, &purged); err != nil {
			return err
		}
		if purged.Orders > 0 {
			return r.write(ctx, options.ID, "purged")
		}
	}
}

// recordAudit audits what is there.
func (r *recorder) recordAudit(ctx context.Context) error {
	options := client.StartWorkflowOptions{ID: workflows.AuditID, TaskQueue: "holdfast"}
	run, err := r.temporal.ExecuteWorkflow(ctx, options, workflows.AuditOrdersName)
	if err != nil {
		return err
	}
	var found order.Audited
	if err := run.Get(ctx, &found); err != nil {
		return err
	}
	return r.write(ctx, options.ID, "audited")
}

// recordEvents has others told of whatever is left.
func (r *recorder) recordEvents(ctx context.Context) error {
	options := workflows.PublishNowOptions("holdfast")
	run, err := r.temporal.ExecuteWorkflow(ctx, options, workflows.PublishEventsName)
	if err != nil {
		return err
	}
	if err := run.Get(ctx, nil); err != nil {
		return err
	}
	return r.write(ctx, options.ID, "published")
}

// write writes the history of a workflow to its file.
func write(ctx context.Context, temporal client.Client, workflowID, dir, file string) error {
	h, err := History(ctx, temporal, workflowID)
	if err != nil {
		return fmt.Errorf("history of %s: %w", file, err)
	}
	text, err := protojson.MarshalOptions{Multiline: true, Indent: " "}.Marshal(h)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file+".json"), text, 0o600)
}

// History reads the history of a workflow that has ended, or waits for its end.
func History(ctx context.Context, temporal client.Client, workflowID string) (*history.History, error) {
	var h history.History
	events := temporal.GetWorkflowHistory(ctx, workflowID, "", true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, err
		}
		h.Events = append(h.Events, event)
	}
	return &h, nil
}
