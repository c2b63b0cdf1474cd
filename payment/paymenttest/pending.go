package paymenttest

import "holdfast/order"

func pendingCases() []testCase {
	return []testCase{
		{"pending/approved later", func(c *trial) { decidedLater(c, c.methods.PendingApproved, order.Approved, once) }},
		{"pending/declined later", func(c *trial) { decidedLater(c, c.methods.PendingDeclined, order.Declined, Account{}) }},
		{"pending/an answer that is lost is looked up", pendingIsLookedUp},
		{"pending/reversed before the decision", pendingIsReversed},
	}
}

// decidedLater: the decision may come at any time, and from then on every look-up tells it.
func decidedLater(c *trial, method string, verdict order.Verdict, after Account) {
	id := newID(1)
	c.mustCharge(id, method, order.PaymentPending)
	seen := c.pendingOr(id, method, verdict)
	c.decide(id)
	decided := c.mustFind(id, verdict)
	if seen.Verdict != order.PaymentPending && seen != decided {
		c.Errorf("LookUp gave %+v, after %+v", decided, seen)
	}
	c.pendingOr(id, method, verdict)
	if again := c.mustFind(id, verdict); again != decided {
		c.Errorf("LookUp gave %+v, after %+v", again, decided)
	}
	c.wantMoney(id, after)
}

// pendingOr repeats the charge, which begins nothing new, and gives what a look-up finds.
func (c *trial) pendingOr(id order.ID, method string, decided order.Verdict) order.Payment {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	got, err := c.charge(ctx, id, price, method)
	if err != nil || (got.Verdict != order.PaymentPending && got.Verdict != decided) {
		c.Errorf("a repeat gave %+v, %v, want pending or %s", got, err, decided)
	}
	found, err := c.lookUp(ctx, id, price)
	if err != nil || found == nil || (found.Verdict != order.PaymentPending && found.Verdict != decided) {
		c.Fatalf("LookUp gave %+v, %v, want pending or %s", found, err, decided)
	}
	return *found
}

func pendingIsLookedUp(c *trial) {
	id := newID(1)
	c.network.breakMoves(func(x exchange) { x.reach(); x.cut() })
	ctx, cancel := c.bounded()
	defer cancel()
	if _, err := c.charge(ctx, id, price, c.methods.PendingApproved); err != nil {
		c.wantClass("Charge", err, order.Unknown)
	}
	c.network.mend()
	c.pendingOr(id, c.methods.PendingApproved, order.Approved)
	c.decide(id)
	c.mustFind(id, order.Approved)
	c.wantMoney(id, once)
}

// pendingIsReversed: the provider's decision comes after the order was given up, or just before.
func pendingIsReversed(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.PendingApproved, order.PaymentPending)
	c.mustReverse(id)
	c.wantGivenBack(id)
	c.decide(id)
	c.wantGivenBack(id)
	c.mustFind(id, order.Declined)
	c.mustReverse(id)
	c.wantGivenBack(id)
}
