package cli

import (
	"context"
	"errors"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"holdfast/order"
	"holdfast/workflows"
)

// directID is the id of the order that directly(...) places.
var directID = order.NewID("c-17", "k;1")

func directly(more ...string) []string {
	return placing(append([]string{"--key", "k;1", "--direct"}, more...)...)
}

const directAgain = "starter order place --currency EUR --customer c-17 --direct --line mug:2:1999 --payment-method tok_ok --key 'k;1'"

func mugOrder(t *testing.T, quantity int64) *order.Order {
	t.Helper()
	o, err := order.New("c-17", "k;1", "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: quantity, UnitPrice: 1999}})
	if err != nil {
		t.Fatal(err)
	}
	return &o
}

func TestDirect(t *testing.T) {
	t.Parallel()
	server := &temporalServer{result: endsWith(workflows.Result{OrderID: directID, Status: order.Confirmed})}
	environ := []string{"HOLDFAST_UI_URL=http://ui:8233", "TEMPORAL_NAMESPACE=shop", "TEMPORAL_ADDRESS=temporal:7233", "HOLDFAST_TASK_QUEUE=q"}
	id := string(directID)
	try{change: server.use, environ: environ}.run(t, directly()...).check(t, 0,
		"Order     "+id+"\nStatus    CONFIRMED\nWorkflow  order/"+id+"\nWeb UI    http://ui:8233/namespaces/shop/workflows/order%2F"+id+"\n", "")
	same(t, "order", string(server.order.Fingerprint()), string(mugOrder(t, 2).Fingerprint()))
	same(t, "workflow id", server.started.ID, "order/"+id)
	same(t, "task queue", server.started.TaskQueue, "q")
	same(t, "namespace", server.dialed.Namespace, "shop")
	same(t, "address", server.dialed.HostPort, "temporal:7233")
	if !server.closed {
		t.Error("the client was left open")
	}
	got := try{change: server.use, environ: environ}.run(t, directly("--task-queue", "other", "-o", "json")...)
	same(t, "stdout", got.out, `{"order_id":"`+id+`","status":"CONFIRMED","workflow_id":"order/`+id+`"}`+"\n")
	same(t, "task queue", server.started.TaskQueue, "other")
}

func TestDirectExitCodes(t *testing.T) {
	t.Parallel()
	id := string(directID)
	rejected := workflows.Result{OrderID: directID, Status: order.Rejected, Reason: order.ReasonPaymentDeclined, Detail: "no funds"}
	application := func(kind string) error {
		return temporal.NewNonRetryableApplicationError("said the workflow", kind, nil)
	}
	for name, test := range map[string]struct {
		server *temporalServer
		args   []string
		code   int
		out    string
		words  []string // on stderr
	}{
		"rejected": {
			&temporalServer{result: endsWith(rejected)}, nil, 3,
			"Order     " + id + "\nStatus    REJECTED\nReason    payment_declined: no funds\nWorkflow  order/" + id + "\n", nil,
		},
		"pending": {
			&temporalServer{},
			[]string{"--wait", "0"},
			4,
			"Order     " + id + "\nStatus    PENDING\nWorkflow  order/" + id + "\n",
			[]string{`no end yet. Workers on the task queue "holdfast"`},
		},
		"the same order is there": {
			&temporalServer{has: mugOrder(t, 2), result: endsWith(rejected)},
			[]string{"-o", "json"},
			3,
			`{"order_id":"` + id + `","status":"REJECTED","reason":"payment_declined","detail":"no funds","workflow_id":"order/` + id + `"}` + "\n",
			[]string{"may have been cancelled since. See it: starter order get " + id},
		},
		"another order is there": {
			&temporalServer{has: mugOrder(t, 3), result: endsWith(rejected)}, nil, 2, "", []string{"carries an order with other contents", "Use a new key"},
		},
		"the workflow finds another order": {
			&temporalServer{result: fails(application(workflows.ErrorKeyReused))}, nil, 2, "", []string{"said the workflow", "Use a new key"},
		},
		"the workflow finds it invalid": {
			&temporalServer{result: fails(application(workflows.ErrorInvalid))}, nil, 2, "", []string{"Invalid input: said the workflow"},
		},
		"terminated": {
			&temporalServer{result: fails(errors.New("terminated"))}, nil, 1, "", []string{"Failed: terminated", "OUTCOME IS NOT KNOWN", directAgain},
		},
		"invalid": {
			&temporalServer{}, []string{"--line", "hat:0:1"}, 2, "", []string{"Invalid input\n  lines[1].quantity: must be 1 to 10000\n"},
		},
		"no search attribute": {
			&temporalServer{refuses: serviceerror.NewInvalidArgument("no mapping for OrderID")}, nil, 1, "",
			[]string{"no mapping for OrderID", "'migrate' registers it", "This command started nothing", directAgain},
		},
		"no namespace": {
			&temporalServer{refuses: serviceerror.NewNamespaceNotFound("shop")}, nil, 1, "", []string{"This command started nothing"},
		},
		"a start without an answer": {
			&temporalServer{refuses: serviceerror.NewUnavailable("gone")}, nil, 1, "", []string{"OUTCOME IS NOT KNOWN", directAgain},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := try{change: test.server.use}.run(t, directly(test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d", got.code, test.code)
			}
			same(t, "stdout", got.out, test.out)
			contains(t, "stderr", got.err, test.words...)
		})
	}
}

func TestDirectUnreachable(t *testing.T) {
	t.Parallel()
	down := func(a *app) {
		a.dial = func(context.Context, client.Options) (client.Client, error) {
			return nil, errors.New("connection refused")
		}
	}
	try{change: down}.run(t, directly()...).check(t, 1, "", `Not reachable: cannot reach Temporal at localhost:7233: connection refused
Is it running? Its address comes from TEMPORAL_ADDRESS.
This command started nothing. To try again:
  `+directAgain+"\n")
	got := try{change: down, environ: []string{"TEMPORAL_PROFILE=missing"}}.run(t, directly()...)
	if got.code != 2 {
		t.Errorf("exit code %d", got.code)
	}
	contains(t, "stderr", got.err, "TEMPORAL_*: ")
}
