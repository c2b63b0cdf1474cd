package activities

import (
	"context"

	"holdfast/order"
)

// DirectOpens stands between a crowd and the order database while Redis is away: orders without a
// reservation enter in turn, as many at once as there are slots. The others wait as long as their try
// lasts, and come again with the next.
type DirectOpens chan struct{}

// NewDirectOpens makes one with that many slots, at least 1.
func NewDirectOpens(slots int) DirectOpens { return make(DirectOpens, slots) }

// enter waits for a slot if an order of the batch needs one; leave must be called after it.
func (d DirectOpens) enter(ctx context.Context, openings []order.Opening) (leave func(), err error) {
	if !anyUnreserved(openings) {
		return func() {}, nil
	}
	select {
	case <-ctx.Done():
		return nil, order.Failf(order.Transient, "Redis is away, and many orders wait for the order database: %w", ctx.Err())
	case d <- struct{}{}:
		return func() { <-d }, nil
	}
}

func anyUnreserved(openings []order.Opening) bool {
	for _, o := range openings {
		if o.Reservation.Verdict == order.Unreserved {
			return true
		}
	}
	return false
}
