package paymenttest

import (
	"holdfast/order"
)

func reverseCases() []testCase {
	return []testCase{
		{"reverse/an approved charge", reverseApproved},
		{"reverse/before any charge", reverseBefore},
		{"reverse/a declined charge", reverseDeclined},
		{"reverse/five at once are one", fiveReversals},
		{"reverse/a request that arrives twice", reversalArrivesTwice},
		{"reverse/a refused dial is transient", refusedReversal},
		{"reverse/an error replayed after it acted", replayedReversal},
		{"reverse/another order's reversal is not believed", anothersReversal},
		{"reverse/side by side with charges", chargesAndReversals},
	}
}

// reverseFaultCases: a reversal in doubt is repeated until it is certain, and gives back once.
func reverseFaultCases() []testCase {
	var cases []testCase
	for _, m := range mishaps() {
		cases = append(cases, testCase{"reverse/" + m.name, func(c *trial) {
			id := newID(1)
			c.mustCharge(id, c.methods.Approved, order.Approved)
			c.network.breakMoves(m.fault)
			for range 2 {
				c.reverseInDoubt(id)
			}
			c.network.mend()
			c.mustReverse(id)
			c.wantMoney(id, takenBack)
		}})
	}
	return cases
}

// reverseInDoubt reverses while a fault is on. Only an adapter that asked the provider once more may know
// that nothing is left.
func (c *trial) reverseInDoubt(id order.ID) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	if err := c.reverse(ctx, id); err != nil {
		c.wantClass("Reverse", err, order.Unknown)
	} else if got := c.books(id); got.Net != 0 {
		c.Errorf("Reverse returned, and the provider holds %+v", got)
	}
}

func reverseApproved(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	for range 2 {
		c.mustReverse(id)
		c.wantMoney(id, takenBack)
		c.mustFind(id, order.Declined)
	}
	c.wantBlocked(id, takenBack)
}

func reverseBefore(c *trial) {
	id := newID(1)
	for range 2 {
		c.mustReverse(id)
		c.wantMoney(id, Account{})
	}
	c.wantBlocked(id, Account{})
}

// wantBlocked sends one more charge, if the adapter promises to stop it.
func (c *trial) wantBlocked(id order.ID, want Account) {
	c.Helper()
	if !c.provider.BlocksLateCharges {
		return
	}
	c.mustCharge(id, c.methods.Approved, order.Declined)
	c.wantMoney(id, want)
	c.mustReverse(id)
	c.wantMoney(id, want)
}

func reverseDeclined(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Declined, order.Declined)
	for range 2 {
		c.mustReverse(id)
		c.mustCharge(id, c.methods.Declined, order.Declined)
		c.mustFind(id, order.Declined)
		c.wantMoney(id, Account{})
	}
}

func fiveReversals(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	atOnce(5, func(int) { c.reverseInDoubt(id) })
	c.mustReverse(id)
	c.wantMoney(id, takenBack)
}

func reversalArrivesTwice(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	c.network.breakMoves(twice)
	c.mustReverse(id)
	c.wantMoney(id, takenBack)
}

func refusedReversal(c *trial) {
	id, connected := newID(1), c.adapter
	c.mustCharge(id, c.methods.Approved, order.Approved)
	c.adapter = c.provider.NewAdapter(nobody)
	c.reverseFails("a refused dial", id, order.Transient)
	c.wantMoney(id, once)
	c.adapter = connected
	c.mustReverse(id)
	c.wantMoney(id, takenBack)
}

func replayedReversal(c *trial) {
	id := newID(1)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	c.network.breakMoves(replaying(true))
	for range 4 {
		c.reverseInDoubt(id)
	}
	c.wantMoney(id, takenBack)
	c.network.mend()
	c.mustReverse(id)
	c.wantMoney(id, takenBack)
}

// anothersReversal: the order's own was lost, and the answer is that of another's.
func anothersReversal(c *trial) {
	mine, other := newID(1), newID(2)
	c.mustCharge(mine, c.methods.Approved, order.Approved)
	c.mustCharge(other, c.methods.Approved, order.Approved)
	_ = c.network.takeAnswers() // of the charges
	c.mustReverse(other)
	c.network.breakAll(mixingUp(c.network.takeAnswers(), false))
	c.reverseInDoubt(mine)
	c.network.mend()
	c.mustReverse(mine)
	c.wantMoney(mine, takenBack)
}

// chargesAndReversals of the same orders run side by side, everything twice. Once they have all returned,
// one more reversal settles each order whichever came first.
func chargesAndReversals(c *trial) {
	const orders = 20
	ctx, cancel := c.bounded()
	defer cancel()
	atOnce(4*orders, func(n int) {
		id := newID(n % orders)
		if n < 2*orders {
			got, err := c.charge(ctx, id, price, c.methods.Approved)
			if err != nil {
				c.wantClass("Charge", err, order.Unknown)
			} else if got.Verdict == order.PaymentPending {
				c.Errorf("Charge gave %+v", got)
			}
			return
		}
		if err := c.reverse(ctx, id); err != nil {
			c.wantClass("Reverse", err, order.Unknown)
		}
	})
	for n := range orders {
		id := newID(n)
		if c.provider.BlocksLateCharges {
			c.wantGivenBack(id)
		}
		c.mustReverse(id)
		c.wantGivenBack(id)
	}
}
