package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"holdfast/order"
)

// The wire names of the workflows of an order.
const (
	PlaceOrderName  = "PlaceOrder"
	PlaceOrdersName = "PlaceOrders"
	CancelOrderName = "CancelOrder"
)

// Workflows are the workflows that carry orders, with what is configured about them. Workers with another configuration
// replay each other's histories.
type Workflows struct {
	// AttentionAfter is how long a step may be without an answer before the order asks for a person. Longer than a
	// restart of anything takes.
	AttentionAfter time.Duration
}

// PaymentDecided is the signal, without a value, that the payment of a PlaceOrder may have been decided. It is a
// hint, which may come at any time and any number of times: the workflow looks the payment up.
const PaymentDecided = "payment-decided"

// The search attributes of an order's workflows, set when they start: set later they would cost an event.
var (
	OrderID    = temporal.NewSearchAttributeKeyKeyword("OrderID")
	CustomerID = temporal.NewSearchAttributeKeyKeyword("CustomerID")
	// Attention tells whether the order needs a person.
	Attention = temporal.NewSearchAttributeKeyBool("Attention")
)

// SearchAttributes lists what a namespace must know before an order can be placed in it.
func SearchAttributes() map[string]enums.IndexedValueType {
	attributes := make(map[string]enums.IndexedValueType)
	for _, key := range []temporal.SearchAttributeKey{OrderID, CustomerID, Attention} {
		attributes[key.GetName()] = key.GetValueType()
	}
	return attributes
}

// WorkflowID is the id under which an order is placed, and placed again when it has to be re-driven.
func WorkflowID(id order.ID) string { return "order/" + string(id) }

// CancelWorkflowID is the id under which an order is cancelled, beside the workflow that may be carrying it.
func CancelWorkflowID(id order.ID) string { return "cancel/" + string(id) }

// WorkflowIDs lists the workflows that may be at work on an order.
func WorkflowIDs(id order.ID) []string { return []string{WorkflowID(id), CancelWorkflowID(id)} }

// Register makes every workflow known to a worker.
func (w Workflows) Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(w.PlaceOrder, workflow.RegisterOptions{Name: PlaceOrderName})
	r.RegisterWorkflowWithOptions(w.PlaceOrders, workflow.RegisterOptions{Name: PlaceOrdersName})
	r.RegisterWorkflowWithOptions(w.CancelOrder, workflow.RegisterOptions{Name: CancelOrderName})
	r.RegisterWorkflowWithOptions(ReconcileStock, workflow.RegisterOptions{Name: ReconcileStockName})
	r.RegisterWorkflowWithOptions(HandOff, workflow.RegisterOptions{Name: HandOffName})
	r.RegisterWorkflowWithOptions(PublishEvents, workflow.RegisterOptions{Name: PublishEventsName})
	r.RegisterWorkflowWithOptions(PurgeOrders, workflow.RegisterOptions{Name: PurgeOrdersName})
	r.RegisterWorkflowWithOptions(AuditOrders, workflow.RegisterOptions{Name: AuditOrdersName})
}

// PlaceOrderOptions are the options that start an order. Started again while it runs, Temporal gives
// the running workflow; once it has ended well, that one; if it was terminated or failed, a new one,
// which starts from the top to no harm.
func PlaceOrderOptions(o order.Order, taskQueue string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                    WorkflowID(o.ID),
		TaskQueue:             taskQueue,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		TypedSearchAttributes: attributesOf(o),
		EnableEagerStart:      true, // takes effect where api and worker share a process and a client
		StaticSummary:         summary(o),
	}
}

// CancelOrderOptions are the options that start the cancellation of an order. Started again while it runs, Temporal
// gives the running workflow; afterwards a new one, which finds what the first has left, if it was terminated.
func CancelOrderOptions(o order.Order, taskQueue string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                    CancelWorkflowID(o.ID),
		TaskQueue:             taskQueue,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		TypedSearchAttributes: attributesOf(o),
		EnableEagerStart:      true,
		StaticSummary:         "Cancels " + summary(o),
	}
}

func attributesOf(o order.Order) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		OrderID.ValueSet(string(o.ID)), CustomerID.ValueSet(o.CustomerID), Attention.ValueSet(false))
}

// summary is the line that the Web UI shows of an order, such as "2 x mug for c-17, 3998 EUR".
func summary(o order.Order) string {
	const shown = 3
	var lines []string
	for i, l := range o.Lines {
		if i == shown {
			lines = append(lines, fmt.Sprintf("%d more", len(o.Lines)-shown))
			break
		}
		lines = append(lines, fmt.Sprintf("%d x %s", l.Quantity, l.SKU))
	}
	return fmt.Sprintf("%s for %s, %s", strings.Join(lines, ", "), o.CustomerID, o.Total())
}
