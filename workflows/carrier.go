package workflows

import (
	"go.temporal.io/sdk/workflow"

	"holdfast/order"
)

// carrier is what the steps of one workflow share: whose order it is, and who may be asked about it.
type carrier struct {
	Workflows
	key    order.Key
	person person
}

// carrierKey is the context's key for the carrier.
type carrierKey struct{}

// carrying makes the context of a workflow that carries the order, and lets a person answer in it.
func (w Workflows) carrying(ctx workflow.Context, o order.Order) (workflow.Context, error) {
	c := &carrier{Workflows: w, key: o.Key(), person: person{answers: workflow.NewBufferedChannel(ctx, 1)}}
	return workflow.WithValue(ctx, carrierKey{}, c), c.person.listen(ctx)
}

// carrierOf gives the carrier of a context that carrying has made.
func carrierOf(ctx workflow.Context) *carrier {
	c, _ := ctx.Value(carrierKey{}).(*carrier)
	return c
}
