package paymenttest

import (
	"context"

	"holdfast/order"
)

func lateCases() []testCase {
	return []testCase{
		{"late/a charge on its way while the order is reversed", lateCharge},
		{"late/a charge whose sender left before the reversal", abandonedCharge},
		{"late/a charge that was sent again meanwhile", overtakenCharge},
		{"late/an answer that comes after the reversal", lateAnswer},
		{"late/a duplicate after the reversal", lateDuplicate},
	}
}

// reverseOnItsWay reverses an order while a charge of it is held. An adapter whose provider will not stop
// that charge must not call the order reversed.
func (c *trial) reverseOnItsWay(id order.ID) {
	c.Helper()
	if c.provider.BlocksLateCharges {
		c.mustReverse(id)
	} else {
		c.reverseFails("a charge is on its way", id, order.Unknown)
	}
	c.wantMoney(id, Account{})
}

// arrive lets the held charge reach the provider, and checks that it leaves no money there.
func (c *trial) arrive(id order.ID, h *held) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	c.must(h.letGo(ctx))
	if c.provider.BlocksLateCharges {
		c.wantMoney(id, Account{})
	}
	c.mustReverse(id)
	c.wantGivenBack(id)
}

// hold begins a charge and keeps it on its way, or its answer if the provider is to act before. Whoever
// waits for it gives up with leave.
func (c *trial) hold(id order.ID, acted bool) (h *held, came <-chan answered, leave func()) {
	c.Helper()
	h = c.network.hold(acted)
	ctx, leave := context.WithCancel(c.Context())
	c.Cleanup(leave)
	came = c.chargeAside(ctx, id, c.methods.Approved)
	bounded, cancel := c.bounded()
	defer cancel()
	c.must(wait(bounded, h.arrived))
	return h, came, leave
}

func lateCharge(c *trial) {
	id := newID(1)
	h, came, _ := c.hold(id, false)
	c.reverseOnItsWay(id)
	c.arrive(id, h)
	a := c.await(came)
	switch {
	case a.err != nil:
		c.wantClass("the late Charge", a.err, order.Unknown)
	case c.provider.BlocksLateCharges && a.payment.Verdict != order.Declined:
		c.Errorf("the late Charge answered %+v, want declined", a.payment)
	}
	c.wantBlocked(id, Account{})
	c.wantGivenBack(id)
}

func abandonedCharge(c *trial) {
	id := newID(1)
	h, came, leave := c.hold(id, false)
	leave()
	c.wantUnknown("the abandoned Charge", c.await(came))
	c.mustMiss(id)
	c.reverseOnItsWay(id)
	c.arrive(id, h)
	c.wantBlocked(id, Account{})
}

// lateAnswer: the money had moved and was given back before anyone learned of it.
func lateAnswer(c *trial) {
	id := newID(1)
	h, came, _ := c.hold(id, true)
	c.mustFind(id, order.Approved)
	c.mustReverse(id)
	c.wantMoney(id, takenBack)
	ctx, cancel := c.bounded()
	defer cancel()
	c.must(h.letGo(ctx))
	if a := c.await(came); a.err != nil {
		c.wantClass("the late answer", a.err, order.Unknown)
	}
	c.mustFind(id, order.Declined)
	c.wantBlocked(id, takenBack)
}

// overtakenCharge: the first one was given up, the second paid, and then the first arrives.
func overtakenCharge(c *trial) {
	id := newID(1)
	h, came, leave := c.hold(id, false)
	leave()
	c.wantUnknown("the abandoned Charge", c.await(came))
	c.settleDoubt(id, false)
	ctx, cancel := c.bounded()
	defer cancel()
	c.must(h.letGo(ctx))
	c.settleDoubt(id, true)
}

func lateDuplicate(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	duplicate, sent := c.network.lastSent()
	if !sent {
		c.Fatalf("the charge was no request that may move money")
	}
	c.mustReverse(id)
	_, err := c.network.deliver(duplicate)
	c.must(err)
	c.wantMoney(id, takenBack)
	c.mustReverse(id)
	c.wantMoney(id, takenBack)
}
