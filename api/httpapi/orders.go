package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"holdfast/admission"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/tracing"
)

// Orders are the rows of orders.
type Orders interface {
	// Get returns orderdb.ErrNotFound if there is no row.
	Get(ctx context.Context, id order.ID) (orderdb.Record, error)
	// GetMany gives those that have a row, without their lines.
	GetMany(ctx context.Context, ids []order.ID) (map[order.ID]orderdb.Record, error)
	// CountUnsettled counts the orders created before that time for which something is owed, at most limit.
	CountUnsettled(ctx context.Context, before time.Time, limit int) (int, error)
	// CountUntold counts those created before that time of which others have been told nothing yet, and for which nothing else is owed, at
	// most limit.
	CountUntold(ctx context.Context, before time.Time, limit int) (int, error)
	List(ctx context.Context, f orderdb.Filter) ([]orderdb.Record, error)
	// Assigned tells whether an order is on a page of a hand-off, so that it cannot be cancelled.
	Assigned(ctx context.Context, id order.ID) (bool, error)
	Ping(ctx context.Context) error
}

// Temporal is what the API needs of a Temporal client.
type Temporal interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	GetWorkflow(ctx context.Context, workflowID, runID string) client.WorkflowRun
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	CheckHealth(ctx context.Context, request *client.CheckHealthRequest) (*client.CheckHealthResponse, error)
}

type placeRequest struct {
	Key    string `header:"Idempotency-Key"`
	Prefer string `header:"Prefer" example:"wait=10" doc:"wait=N waits N seconds, 0 to 30, for the order's end instead of 5. Other preferences are ignored."`
	Order  jsonBody[orderInput, *orderInput]
}

type placeAnswer struct {
	Status            int
	Location          string `header:"Location" doc:"Where the order is."`
	PreferenceApplied string `header:"Preference-Applied" doc:"The wait that was asked for."`
	Body              orderJSON
}

// placeOrder has the order let in, waits for its end, and answers what the row says, whatever came
// of the waiting. A workflow is started without a look at the row: for a new order, and most are new,
// the look would be wasted, and for a repeat the row is the first that a step looks at. Only if Temporal does
// not answer, or the order is turned away, is the row of a repeat still good for an answer.
func (a *API) placeOrder(ctx context.Context, in *placeRequest) (*placeAnswer, error) {
	began := time.Now()
	wait, applied, err := parsePrefer(in.Prefer)
	if err != nil {
		return nil, err
	}
	o, err := in.Order.Value.order(in.Key)
	if err != nil {
		return nil, err
	}
	tellSpan(ctx, tracing.OrderID.String(string(o.ID)))
	if unknown, err := a.unknownSKUs(ctx, o.SKUs()); err != nil {
		return nil, fmt.Errorf("look up the SKUs of %s: %w", o.ID, err)
	} else if len(unknown) > 0 {
		return a.refuseUnknown(ctx, o, unknown)
	}
	a.demand.note(o.SKUs())
	if a.gate.Suspects(ctx, o) && !a.admission.Carries(o.ID) {
		if answer, refused, err := a.refuse(ctx, o); refused {
			return answer, err
		}
	}
	ticket, err := a.admission.Enter(ctx, o)
	if err != nil {
		return a.turnAway(ctx, o, err)
	}
	defer ticket.Leave()
	record, err := a.await(ctx, ticket, o.ID, began.Add(wait))
	if admission.TurnedAway(err) {
		return a.turnAway(ctx, o, err)
	} else if err != nil {
		return nil, a.outcomeUnknown(ctx, o.ID, err)
	}
	tellSpan(ctx, tracing.WorkflowID.String(record.WorkflowID))
	answer, err := answerPlaced(o, record)
	if err != nil {
		return nil, err
	}
	answer.PreferenceApplied = applied
	return answer, nil
}

// carry has the order carried by a workflow and waits for that to end, until the deadline. The error
// is that it could not be started, as far as this caller knows: it may run all the same. How it ended
// does not matter here, since the row decides.
func (a *API) carry(ctx context.Context, options client.StartWorkflowOptions, workflow string, o order.Order, deadline time.Time) error {
	start, cancel := context.WithTimeout(ctx, a.patience.start)
	defer cancel()
	run, err := a.Temporal.ExecuteWorkflow(start, options, workflow, o)
	if err != nil {
		return fmt.Errorf("start the workflow: %w", err)
	}
	wait, cancel := a.untilDrained(ctx, deadline)
	defer cancel()
	_ = run.Get(wait, nil)
	return nil
}

// waitForRow reads the order's row. If it is expected, its workflow has just begun or is waiting for
// something, and the row may take a moment.
func (a *API) waitForRow(ctx context.Context, id order.ID, expected bool) (orderdb.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, a.patience.row)
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		record, err := a.row(ctx, id)
		if err == nil || !expected || !errors.Is(err, orderdb.ErrNotFound) {
			return record, err
		}
		if !sleep(ctx, pause) {
			return orderdb.Record{}, fmt.Errorf("%w within %s after the wait", err, a.patience.row)
		}
	}
}

// row reads a row together with those that others wait for at this moment.
func (a *API) row(ctx context.Context, id order.ID) (orderdb.Record, error) {
	record, ok, err := a.rows.Get(ctx, id)
	if err == nil && !ok {
		err = fmt.Errorf("order %s: %w", id, orderdb.ErrNotFound)
	}
	return record, err
}

// sleep returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (a *API) outcomeUnknown(ctx context.Context, id order.ID, reason error) *Problem {
	return a.unavailable(ctx, fmt.Errorf("place %s: %w", id, reason),
		"the outcome is not known: the order may or may not be placed. Repeat the request with the same Idempotency-Key", "order_id", id)
}

// unknownSKUs gives those of the SKUs that do not exist. Those that do are remembered for good; those
// that do not may be created any moment.
func (a *API) unknownSKUs(ctx context.Context, skus []string) ([]string, error) {
	ask := slices.DeleteFunc(skus, func(sku string) bool {
		_, known := a.known.Get(sku)
		return known
	})
	if len(ask) == 0 {
		return nil, nil
	}
	known, err := a.Stock.KnownSKUs(ctx, ask)
	if err != nil {
		return nil, err
	}
	for _, sku := range known {
		a.known.Add(sku, struct{}{})
	}
	return slices.DeleteFunc(ask, func(sku string) bool { return slices.Contains(known, sku) }), nil
}

// refuseUnknown starts nothing. An order that is on record is answered by its row nevertheless: it has
// reached its end, and must not seem open to another try.
func (a *API) refuseUnknown(ctx context.Context, o order.Order, unknown []string) (*placeAnswer, error) {
	record, err := a.Orders.Get(ctx, o.ID)
	if err == nil {
		return answerPlaced(o, record)
	}
	if !errors.Is(err, orderdb.ErrNotFound) {
		return nil, err
	}
	p := newProblem(slugUnknownSKU, "nothing was started: there is no %s", strings.Join(unknown, ", "))
	p.SKUs = unknown
	return nil, p
}

// refuse turns an order away that would be refused anyway. One that is on record is answered by its row. One that has reserved
// its units, or of which it cannot be told, is not refused.
func (a *API) refuse(ctx context.Context, o order.Order) (answer *placeAnswer, refused bool, err error) {
	// Redis comes first: what is reserved after this look has its row only later.
	refusal, err := a.gate.Refusal(ctx, o)
	if err != nil || !refusal.Refused() {
		return nil, false, nil // there is more behind the gate
	}
	ctx, cancel := context.WithTimeout(ctx, a.patience.row)
	defer cancel()
	record, err := a.row(ctx, o.ID)
	switch {
	case err == nil:
		answer, err = answerPlaced(o, record)
		return answer, true, err
	case !errors.Is(err, orderdb.ErrNotFound):
		return nil, false, nil
	}
	a.gate.TurnedAway(refusal.Verdict)
	p := newProblem(slugSoldOut, "this request started nothing: there are not enough units of %s", strings.Join(refusal.SKUs, ", "))
	if refusal.Verdict == order.LimitExceeded {
		p = newProblem(slugLimitExceeded, "this request started nothing: the customer would have more than he may of %s", strings.Join(refusal.SKUs, ", "))
	}
	p.SKUs = refusal.SKUs
	return nil, true, p
}

// answerPlaced is the one place where a row becomes the answer to whoever places the order.
func answerPlaced(o order.Order, r orderdb.Record) (*placeAnswer, error) {
	if r.Fingerprint != o.Fingerprint() {
		return nil, keyReused()
	}
	r.Lines = o.Lines // the fingerprint is of them
	if r.PurgedAt != nil {
		r.CustomerID, r.PaymentMethod, r.Total = o.CustomerID, o.PaymentMethod, o.Total().Minor
	}
	location := orderPath(r.ID)
	switch {
	case r.Status.Sold():
		return &placeAnswer{Status: http.StatusCreated, Location: location, Body: toJSON(&r)}, nil
	case r.Status == order.Pending:
		return &placeAnswer{Status: http.StatusAccepted, Location: location, Body: toJSON(&r)}, nil
	}
	return nil, closedProblem(&r)
}

func keyReused() *Problem {
	return wrongField(slugKeyReused, "Idempotency-Key", "was used for another order, which is left as it is")
}

func orderPath(id order.ID) string { return "/v1/orders/" + string(id) }

func closedProblem(r *orderdb.Record) *Problem {
	var p *Problem
	switch {
	case r.Status == order.Rejected && r.Reason == order.ReasonPaymentDeclined:
		p = newProblem(slugPaymentDeclined, "the payment provider declined%s", colon(r.Detail))
	case r.Status == order.Rejected && r.Reason == order.ReasonSoldOut:
		p = newProblem(slugSoldOut, "there are not enough units of %s", r.Detail)
		p.SKUs = skusOf(r.Detail)
	case r.Status == order.Rejected && r.Reason == order.ReasonLimitExceeded:
		p = newProblem(slugLimitExceeded, "the customer would have more units than one may of %s", r.Detail)
		p.SKUs = skusOf(r.Detail)
	case r.Status == order.Rejected && r.Reason == order.ReasonUnknownSKU:
		p = newProblem(slugUnknownSKU, "there is no %s", r.Detail)
		p.SKUs = skusOf(r.Detail)
	default:
		return orderClosed(r)
	}
	p.OrderID = r.ID
	return p
}

func orderClosed(r *orderdb.Record) *Problem {
	p := newProblem(slugOrderClosed, "the order is %s%s", r.Status, colon(string(r.Reason)))
	p.OrderID = r.ID
	return p
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

// skusOf reads the SKUs back from a row's detail, "a, b and 3 more". No SKU has a blank.
func skusOf(detail string) []string {
	list, _, _ := strings.Cut(detail, " and ")
	return strings.Split(list, ", ")
}

type orderRequest struct {
	ID string `path:"id" example:"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa" doc:"The order's id."`
}

type orderAnswer struct{ Body orderJSON }

func (a *API) getOrder(ctx context.Context, in *orderRequest) (*orderAnswer, error) {
	id, err := order.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	record, err := a.record(ctx, id)
	if err != nil {
		return nil, err
	}
	return &orderAnswer{Body: toJSON(&record)}, nil
}

// record reads an order. Where there is none the error is the *Problem to answer.
func (a *API) record(ctx context.Context, id order.ID) (orderdb.Record, error) {
	record, err := a.Orders.Get(ctx, id)
	if errors.Is(err, orderdb.ErrNotFound) {
		return record, newProblem(slugNotFound, "there is no order %s", id)
	}
	if err == nil && record.PurgedAt != nil {
		p := newProblem(slugPurged, "the order was %s, and was deleted on %s since orders of its age are not kept",
			record.Status, record.PurgedAt.UTC().Format(time.DateOnly))
		p.OrderID = id
		return record, p
	}
	return record, err
}
