package paymenttest

import (
	"holdfast/order"
)

func lookUpCases() []testCase {
	return []testCase{
		{"look up/an order that was never charged", func(c *trial) { c.mustMiss(newID(1)) }},
		{"look up/a refused dial is unknown", refusedLookUp},
		{"look up/another amount is no answer", lookUpOfAnotherAmount},
		{"look up/another order's answer is not believed", anothersRecord},
	}
}

// lookUpFaultCases: a look-up that fails is never "there is no charge".
func lookUpFaultCases() []testCase {
	var cases []testCase
	for _, m := range mishaps() {
		cases = append(cases, testCase{"look up/" + m.name, func(c *trial) {
			id := newID(1)
			c.mustCharge(id, c.methods.Approved, order.Approved)
			c.network.breakAll(m.fault)
			c.lookUpFails(m.name, id)
			c.network.mend()
			c.mustFind(id, order.Approved)
		}})
	}
	return cases
}

// refusedLookUp: whoever asked had reason to think that a charge exists.
func refusedLookUp(c *trial) {
	c.adapter = c.provider.NewAdapter(nobody)
	c.lookUpFails("a refused dial", newID(1))
}

// lookUpOfAnotherAmount: whoever charged that, it was not for this order.
func lookUpOfAnotherAmount(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	ctx, cancel := c.bounded()
	defer cancel()
	for _, other := range []order.Amount{
		{Minor: price.Minor + 1, Currency: price.Currency}, {Minor: price.Minor, Currency: "JPY"},
	} {
		if found, err := c.lookUp(ctx, id, other); err == nil {
			c.Errorf("a charge of %s was taken for one of %s: %+v", price, other, found)
		}
	}
	c.mustFind(id, order.Approved)
}

func anothersRecord(c *trial) {
	mine, other := newID(1), newID(2)
	c.mustCharge(mine, c.methods.Approved, order.Approved)
	c.mustCharge(other, c.methods.Declined, order.Declined)
	_ = c.network.takeAnswers() // of the charges
	c.mustFind(other, order.Declined)
	c.network.breakAll(mixingUp(c.network.takeAnswers(), false))
	c.lookUpFails("another order's record", mine)
	c.network.mend()
	c.mustFind(mine, order.Approved)
}
