package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"holdfast/order"
	"holdfast/workflows"
)

// carrier has orders carried by workflows. It implements reconcile.Carrier.
type carrier struct {
	temporal  client.Client
	taskQueue string
}

// carrierPatience bounds one request, which the client repeats by itself meanwhile.
const carrierPatience = 5 * time.Second

// Carried implements reconcile.Carrier: a cancellation carries the order to its end as well.
func (c carrier) Carried(ctx context.Context, id order.ID) (bool, error) {
	for _, workflowID := range workflows.WorkflowIDs(id) {
		if runs, err := c.runs(ctx, workflowID); runs || err != nil {
			return runs, err
		}
	}
	return false, nil
}

func (c carrier) runs(ctx context.Context, workflowID string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, carrierPatience)
	defer cancel()
	description, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if _, absent := errors.AsType[*serviceerror.NotFound](err); absent {
		return false, nil
	}
	if err != nil {
		return false, carrierFailure("look for the workflow "+workflowID, err)
	}
	status := description.GetWorkflowExecutionInfo().GetStatus()
	return status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING || status == enums.WORKFLOW_EXECUTION_STATUS_PAUSED, nil
}

// Carry implements reconcile.Carrier.
func (c carrier) Carry(ctx context.Context, o order.Order) (started bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, carrierPatience)
	defer cancel()
	_, err = c.temporal.ExecuteWorkflow(ctx, workflows.RedriveOptions(o, c.taskQueue), workflows.PlaceOrderName, o)
	if _, runs := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); runs {
		return false, nil
	}
	if err != nil {
		return false, carrierFailure("start its workflow", err)
	}
	return true, nil
}

// carrierFailure gives Temporal's errors their class: only what is wrong with the request itself is final.
func carrierFailure(doing string, err error) error {
	if _, invalid := errors.AsType[*serviceerror.InvalidArgument](err); invalid {
		return order.Failf(order.Final, "%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
