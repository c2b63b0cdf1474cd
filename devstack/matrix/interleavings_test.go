package matrix_test

import (
	"testing"
	"time"

	"holdfast/order"
	"holdfast/workflows"
)

// heldAt sets a worker to work whose first call at the point waits.
func (s *store) heldAt(point string) *trap {
	s.t.Helper()
	t := newTrap(s.end, point, held)
	s.hire(t)
	return t
}

// reached waits until somebody is held.
func (s *store) reached(t *trap) {
	s.t.Helper()
	s.watch(t.hasSprung, func() string { return "nobody came to " + t.at })
}

func (s *store) wants(o order.Order, want order.Status) {
	s.t.Helper()
	if record := s.settled(o); record.Status != want {
		s.t.Errorf("%s is %s %s, want %s", o.ID, record.Status, record.Reason, want)
	}
	s.carried(o)
}

// TestTwoWorkflowsCarryAnOrderThatAThirdCancels: one of the two is about to charge when the cancellation has done all it can.
func TestTwoWorkflowsCarryAnOrderThatAThirdCancels(t *testing.T) {
	t.Parallel()
	s := openStore(t, units)
	trap := s.heldAt("Charge")
	o, neighbour := s.order("it", "tok_ok", 2), s.order("neighbour", "tok_ok", 1)
	alone := s.place(o)
	s.reached(trap)
	together := s.placeTogether(o, neighbour)
	cancelling := s.cancel(o)
	s.ended(cancelling)
	close(trap.let)
	s.ended(together)
	s.ended(alone)
	s.wants(o, order.Cancelled)
	s.wants(neighbour, order.Confirmed)
	s.conserves(units, o, neighbour)
}

// TestABatchIsRunAgainBesideItsOwnChild, which it handed the order to before its worker died.
func TestABatchIsRunAgainBesideItsOwnChild(t *testing.T) {
	t.Parallel()
	s := openStore(t, units)
	trap := s.heldAt("Charge")
	o, neighbour := s.order("it", "tok_ok", 2), s.order("neighbour", "tok_ok", 1)
	child := s.start(workflows.PlaceOrderOptions(o, s.queue), workflows.PlaceOrderName, o, workflows.Before{Tried: true})
	s.reached(trap)
	s.ended(s.placeTogether(o, neighbour))
	s.wants(neighbour, order.Confirmed)
	close(trap.let)
	s.ended(child)
	s.wants(o, order.Confirmed)
	s.conserves(units, o, neighbour)
}

// TestRedisIsWipedBetweenReserveAndOpenOfTheLastUnit, so that another order gets it.
func TestRedisIsWipedBetweenReserveAndOpenOfTheLastUnit(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	trap := s.heldAt("Open")
	first, second := s.order("first", "tok_ok", 1), s.order("second", "tok_ok", 1)
	run := s.place(first)
	s.reached(trap)
	s.redis.FlushAll()
	s.ended(s.place(second))
	s.wants(second, order.Confirmed)
	close(trap.let)
	s.ended(run)
	s.wants(first, order.Rejected)
	s.conserves(1, first, second)
}

// TestAReservationExpiresBeforeTheOrderIsRepeated: the repeat takes the last unit once more, and the order gets one.
func TestAReservationExpiresBeforeTheOrderIsRepeated(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	trap := s.heldAt("Open")
	o := s.order("it", "tok_ok", 1)
	run := s.place(o)
	s.reached(trap)
	s.redis.FastForward(2 * time.Hour)
	s.ended(s.placeTogether(o))
	close(trap.let)
	s.ended(run)
	s.wants(o, order.Confirmed)
	s.conserves(1, o)
}

// TestAKeyIsUsedForOtherContentsWhileTheFirstAreInFlight: whichever opens first is the order, and of the other nothing is left.
func TestAKeyIsUsedForOtherContentsWhileTheFirstAreInFlight(t *testing.T) {
	t.Parallel()
	s := openStore(t, units)
	trap := s.heldAt("Open")
	first, other := s.order("it", "tok_ok", 1), s.order("it", "tok_ok", 2)
	run := s.place(first)
	s.reached(trap)
	s.ended(s.placeTogether(other))
	close(trap.let)
	s.ended(run)
	s.carried(other)
	s.wants(other, order.Confirmed)
	s.conserves(units, other)
	if count, err := s.front.Counts(t.Context(), []string{sku}); err != nil || len(count) > 0 && count[sku] != units-2 {
		t.Errorf("Redis would sell %v, %v", count, err)
	}
}

// TestAnOrderIsGivenUpWhileNobodyKnowsOfItsCharge: the provider took the money, its answer was lost, and it does not answer
// until the order is closed.
func TestAnOrderIsGivenUpWhileNobodyKnowsOfItsCharge(t *testing.T) {
	t.Parallel()
	s := openStore(t, units)
	trap := newTrap(s.end, "Charge", lost)
	trap.silent = make(chan struct{})
	s.hire(trap)
	o := s.order("it", "tok_ok", 2)
	run := s.place(o)
	s.reached(trap)
	if err := temporal.CancelWorkflow(t.Context(), run.GetID(), ""); err != nil {
		t.Fatal(err)
	}
	s.watch(func() bool {
		record, err := s.db.Get(t.Context(), o.ID)
		return err == nil && record.Status.Closed()
	}, func() string { return "the order is never closed" })
	close(trap.silent)
	s.ended(run)
	s.wants(o, order.Cancelled)
	s.conserves(units, o)
}
