package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/order"
	"holdfast/workflows"
)

// handOff gives the warehouse all that was sold, while it loses its answers, and then tries to cancel what it has.
func (d *show) handOff(ctx context.Context) error {
	temporal, err := client.DialContext(ctx, client.Options{
		HostPort: d.stack.TemporalAddr(), Namespace: stack.Namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer temporal.Close()
	if err := d.Ail(ctx, d.stack.WarehouseURL(), shop.Fault{Mode: "lossy", Seconds: 2}); err != nil {
		return err
	}
	run, err := temporal.ExecuteWorkflow(ctx, workflows.HandOffOptions(false, time.Now(), "holdfast"), workflows.HandOffName, workflows.HandOffInput{})
	if err != nil {
		return err
	}
	var done order.HandOff
	if err := run.Get(ctx, &done); err != nil {
		return err
	}
	if err := d.Ail(ctx, d.stack.WarehouseURL(), shop.Well()); err != nil {
		return err
	}
	arrived, err := d.Arrivals(ctx, d.stack.WarehouseURL())
	if err != nil {
		return err
	}
	slices.Sort(arrived)
	once := len(slices.Compact(slices.Clone(arrived))) == len(arrived)
	id := order.NewID("ada", "demo-confirmed")
	cancelled, err := d.Cancel(ctx, id, 0)
	if err != nil {
		return err
	}
	saw := fmt.Sprintf("%d handed off", done.HandedOff)
	proof := fmt.Sprintf("%d are in the warehouse, each once; cancelling one: %d %s", len(arrived), cancelled.Status, cancelled.Problem.Slug())
	d.saw("the cutoff, the warehouse lost its answers", saw, proof)
	d.say("%-44s %s; %s", "the cutoff:", saw, proof)
	if !once || len(arrived) != done.HandedOff || !slices.Contains(arrived, id) || cancelled.Status != http.StatusConflict {
		return fmt.Errorf("the hand-off says %d, and the warehouse has %d orders, each once: %t", done.HandedOff, len(arrived), once)
	}
	return nil
}
