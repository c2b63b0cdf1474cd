// Package histories records the workflow histories that the replay tests read: one order for each way
// to end, placed on an embedded stack.
package histories

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/workflows"
)

// Command is `devstack histories`.
func Command() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "histories --out DIR",
		Short: "Record a workflow history for each way in which an order ends",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Minute)
			defer cancel()
			return Record(ctx, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "directory for the histories")
	_ = cmd.MarkFlagRequired("out") // the flag exists
	return cmd
}

// ways are the orders to place, each named as its file is.
var ways = []struct {
	file, paymentMethod, sku string
}{
	{"confirmed", "tok_ok", "plenty"},
	{"confirmed-after-lost-answers", "tok_lost", "plenty"},
	{"confirmed-after-a-slow-answer", "tok_slow", "plenty"},
	{"declined", "tok_declined", "plenty"},
	{"sold-out", "tok_ok", "none"},
}

// Record places the orders on a stack of its own and writes their histories to dir.
func Record(ctx context.Context, dir string) (err error) {
	data, err := os.MkdirTemp("", "holdfast-histories-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	const free = "127.0.0.1:0"
	s, err := stack.Start(ctx, stack.Config{Data: data, API: free, Temporal: free, UI: free, Gateway: free})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	temporal, err := client.DialContext(ctx, client.Options{HostPort: s.TemporalAddr(), Namespace: stack.Namespace})
	if err != nil {
		return err
	}
	defer temporal.Close()
	shopper := shop.New(s.APIURL())
	for sku, units := range map[string]int64{"plenty": 100, "none": 0} {
		if err := shopper.SetStock(ctx, sku, units); err != nil {
			return err
		}
	}
	for _, way := range ways {
		answer, err := shopper.PlaceUntilDefinite(ctx, way.file, shop.Buy("recorder", way.paymentMethod, way.sku, 1))
		if err != nil {
			return err
		}
		h, err := History(ctx, temporal, workflows.WorkflowID(answer.ID()))
		if err != nil {
			return fmt.Errorf("history of %s: %w", way.file, err)
		}
		text, err := protojson.MarshalOptions{Multiline: true, Indent: " "}.Marshal(h)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, way.file+".json"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
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
