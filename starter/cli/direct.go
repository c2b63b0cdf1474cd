package cli

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"holdfast/order"
	"holdfast/workflows"
)

// directDoc is how an order stands that was placed through Temporal: the workflow's result, or
// PENDING without one.
type directDoc struct {
	workflows.Result
	WorkflowID string `json:"workflow_id"`
}

// placeDirect starts the order's workflow and waits for its result.
func (a *app) placeDirect(ctx context.Context, p *placement) error {
	o, err := order.New(p.body.CustomerID, p.key, order.Currency(p.body.Currency), p.body.PaymentMethod, p.body.Lines)
	if err != nil {
		return invalidInput(err)
	}
	c, _, err := a.dialTemporal(ctx, p.timeout)
	if err != nil {
		if f, ok := errors.AsType[*failure](err); ok && f.code == exitError {
			return p.nothingStarted(f)
		}
		return err
	}
	defer c.Close()
	run, err := p.start(ctx, c, o)
	if err != nil {
		return err
	}
	doc := directDoc{
		Result:     workflows.Result{OrderID: o.ID, Status: order.Pending},
		WorkflowID: run.GetID(),
	}
	waitCtx, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	if err := run.Get(waitCtx, &doc.Result); err != nil {
		if waitCtx.Err() == nil {
			return p.ended(err)
		}
		a.sayf("The order has no end yet. Workers on the task queue %q carry it on.", p.taskQueue)
	}
	if err := a.printDirect(doc); err != nil {
		return err
	}
	if p.joined {
		a.sayf("The workflow was there before; the order may have been cancelled since. See it: %s", a.command("order", "get", string(o.ID)))
	}
	return a.codeOf(doc.Status)
}

// start starts the order's workflow, or finds the one that carries the same order already.
func (p *placement) start(ctx context.Context, c client.Client, o order.Order) (client.WorkflowRun, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	options := workflows.PlaceOrderOptions(o, p.taskQueue)
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	run, err := c.ExecuteWorkflow(ctx, options, workflows.PlaceOrderName, o)
	if started, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return p.join(ctx, c, o, started.RunId)
	}
	if err != nil {
		return nil, p.notStarted(err)
	}
	return run, nil
}

// join takes the workflow that is there for this one's, if it was started for the same order. The
// steps compare contents too, but a workflow that ended before runs none any more: its result would
// be shown as that of an order that nobody placed.
func (p *placement) join(ctx context.Context, c client.Client, o order.Order, runID string) (client.WorkflowRun, error) {
	id := workflows.WorkflowID(o.ID)
	events := c.GetWorkflowHistory(ctx, id, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first, err := events.Next()
	if err != nil {
		return nil, p.outcomeUnknown(errorf("failed", "Failed", "the workflow %s is there already, and cannot be read: %v", id, err))
	}
	var theirs order.Order
	input := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
	if err := converter.GetDefaultDataConverter().FromPayloads(input, &theirs); err != nil {
		return nil, p.outcomeUnknown(errorf("failed", "Failed", "the workflow %s is there already, with an input that is no order: %v", id, err))
	}
	if theirs.Fingerprint() != o.Fingerprint() {
		return nil, keyReused(fmt.Sprintf("the workflow %s carries an order with other contents", id))
	}
	p.joined = true
	return c.GetWorkflow(ctx, id, runID), nil
}

func keyReused(detail string) *failure {
	return &failure{code: exitUsage, problem: madeHere("key-reused", "The key was used for another order", detail)}
}

// notStarted is the failure for a workflow that Temporal did not start, or that it may have started.
func (p *placement) notStarted(err error) error {
	f := errorf("failed", "Failed", "start the workflow: %v", err)
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	_, noNamespace := errors.AsType[*serviceerror.NamespaceNotFound](err)
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	switch {
	case invalid:
		return p.nothingStarted(f.advisef("If a search attribute is missing: 'migrate' registers it, and Temporal may take some seconds to notice."))
	case noNamespace, denied:
		return p.nothingStarted(f)
	}
	return p.outcomeUnknown(f)
}

// ended is the failure for a workflow that ended without a result.
func (p *placement) ended(err error) error {
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		switch failed.Type() {
		case workflows.ErrorKeyReused:
			return keyReused(failed.Message())
		case workflows.ErrorInvalid:
			return &failure{code: exitUsage, problem: madeHere("invalid", "Invalid input", failed.Message())}
		}
	}
	return p.outcomeUnknown(errorf("failed", "Failed", "%v", err))
}

func (a *app) printDirect(doc directDoc) error {
	if a.output == formatJSON {
		return a.printAsJSON(doc)
	}
	rows := [][]string{{"Order", string(doc.OrderID)}, {"Status", string(doc.Status)}}
	if doc.Reason != "" {
		rows = append(rows, []string{"Reason", reasonOf(orderDoc{Reason: string(doc.Reason), Detail: doc.Detail})})
	}
	rows = append(rows, []string{"Workflow", doc.WorkflowID})
	if link := a.webUI(doc.WorkflowID); link != "" {
		rows = append(rows, []string{"Web UI", link})
	}
	return printTable(a.stdout, rows...)
}
