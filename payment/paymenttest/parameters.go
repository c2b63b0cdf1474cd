package paymenttest

import "holdfast/order"

func parameterCases() []testCase {
	return []testCase{
		{"parameters/another amount is never approved", anotherAmount},
		{"parameters/another amount after a lost answer", anotherAmountAfterALostAnswer},
		{"parameters/another payment method is no second charge", anotherMethod},
	}
}

func anotherAmount(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	c.chargeOtherAmounts(id)
}

func anotherAmountAfterALostAnswer(c *trial) {
	id := newID(1)
	c.network.breakMoves(func(x exchange) { x.reach(); x.cut() })
	c.chargeInDoubt(id, true)
	c.network.mend()
	c.chargeOtherAmounts(id)
}

// chargeOtherAmounts of an order that paid the price. A decline would end the order as if it had not.
func (c *trial) chargeOtherAmounts(id order.ID) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	for _, minor := range []int64{price.Minor - 1, 2 * price.Minor} {
		got, err := c.charge(ctx, id, order.Amount{Minor: minor, Currency: price.Currency}, c.methods.Approved)
		c.wantUnknown("Charge of another amount", answered{got, err})
		c.wantMoney(id, once)
	}
	c.settleDoubt(id, true)
}

// anotherMethod: the order has paid, whichever method it names now.
func anotherMethod(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	ctx, cancel := c.bounded()
	defer cancel()
	got, err := c.charge(ctx, id, price, c.methods.Declined)
	switch {
	case err != nil:
		c.wantClass("Charge by another method", err, order.Unknown)
	case got.Verdict != order.Approved:
		c.Errorf("Charge by another method answered %+v of an order that paid", got)
	}
	c.wantMoney(id, once)
	c.settleDoubt(id, true)
}
