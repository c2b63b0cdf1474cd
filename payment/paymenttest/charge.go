package paymenttest

import (
	"context"
	"strconv"
	"sync/atomic"

	"holdfast/order"
)

// once is an order that paid, and takenBack one that had paid and was reversed.
var (
	once      = Account{Charges: 1, Net: price.Minor}
	takenBack = Account{Charges: 1}
)

func chargeCases() []testCase {
	return []testCase{
		{"charge/the same again is one charge", sameChargeAgain},
		{"charge/each order pays for itself", eachOrderPays},
		{"charge/twenty at once are one charge", twentyAtOnce},
		{"charge/a request that arrives twice is one charge", requestArrivesTwice},
		{"charge/a decline has a reason and stays", declineStays},
		{"charge/a decline whose answer is lost is looked up", declineIsLookedUp},
		{"charge/a refused dial is transient", refusedCharge},
		{"charge/a provider that dies with it", providerDies},
		{"charge/an answer that never comes", answerNeverComes},
		{"charge/a cancelled context is unknown", cancelledCharge},
		{"charge/an error replayed after it acted", func(c *trial) { replayedError(c, true) }},
		{"charge/an error replayed before it acted", func(c *trial) { replayedError(c, false) }},
		{"charge/another order's approval is not believed", func(c *trial) { anothersAnswer(c, c.methods.Approved, order.Approved) }},
		{"charge/another order's decline is not believed", func(c *trial) { anothersAnswer(c, c.methods.Declined, order.Declined) }},
		{"charge/an answer about another amount is not believed", anothersAmount},
		{"charge/a forgotten key", forgottenKey},
		{"charge/the payment method shows in no error", methodIsHidden},
	}
}

// chargeFaultCases: whatever the network does, the charge is looked up, and repeated it is one.
func chargeFaultCases() []testCase {
	var cases []testCase
	for _, m := range mishaps() {
		cases = append(cases, testCase{"charge/" + m.name, func(c *trial) {
			id := newID(1)
			c.network.breakMoves(m.fault)
			c.chargeInDoubt(id, m.acted)
			c.network.mend()
			c.settleDoubt(id, m.acted)
		}})
	}
	return cases
}

// chargeInDoubt charges while a fault is on. Only an adapter that asked the provider once more may know
// that the charge was approved.
func (c *trial) chargeInDoubt(id order.ID, acted bool) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	before := c.network.readsAnswered()
	got, err := c.charge(ctx, id, price, c.methods.Approved)
	askedAgain := c.network.readsAnswered() > before
	switch {
	case err != nil:
		c.wantClass("Charge", err, order.Unknown)
	case !acted, !askedAgain, got.Verdict != order.Approved:
		c.Errorf("Charge answered %+v, want an error that is unknown", got)
	}
}

// settleDoubt does what the charging step does: it looks up, and charges again what is not found.
func (c *trial) settleDoubt(id order.ID, acted bool) {
	c.Helper()
	if acted {
		c.wantMoney(id, once)
		c.mustFind(id, order.Approved)
	} else {
		c.wantMoney(id, Account{})
		c.mustMiss(id)
	}
	c.mustCharge(id, c.methods.Approved, order.Approved)
	c.wantMoney(id, once)
	c.mustFind(id, order.Approved)
}

func sameChargeAgain(c *trial) {
	id := newID(1)
	for range 3 {
		c.mustCharge(id, c.methods.Approved, order.Approved)
		c.wantMoney(id, once)
	}
	c.mustFind(id, order.Approved)
}

func eachOrderPays(c *trial) {
	for n := range 3 {
		c.mustCharge(newID(n), c.methods.Approved, order.Approved)
	}
	for n := range 3 {
		c.wantMoney(newID(n), once)
	}
}

func twentyAtOnce(c *trial) {
	id := newID(1)
	ctx, cancel := c.bounded()
	defer cancel()
	atOnce(20, func(int) {
		// Some providers refuse a repeat while the first is at work.
		got, err := c.charge(ctx, id, price, c.methods.Approved)
		switch {
		case err != nil:
			c.wantClass("Charge", err, order.Unknown)
		case got.Verdict != order.Approved:
			c.Errorf("Charge gave %+v", got)
		}
	})
	c.settleDoubt(id, true)
}

func requestArrivesTwice(c *trial) {
	id := newID(1)
	c.network.breakMoves(twice)
	c.mustCharge(id, c.methods.Approved, order.Approved)
	c.network.mend()
	c.settleDoubt(id, true)
}

func declineStays(c *trial) {
	id := newID(1)
	first := c.mustCharge(id, c.methods.Declined, order.Declined)
	for range 2 {
		if again := c.mustCharge(id, c.methods.Declined, order.Declined); again != first {
			c.Errorf("a repeat gave %+v, after %+v", again, first)
		}
		if found := c.mustFind(id, order.Declined); found != first {
			c.Errorf("LookUp gave %+v, after %+v", found, first)
		}
	}
	c.wantMoney(id, Account{})
}

func declineIsLookedUp(c *trial) {
	id := newID(1)
	c.network.breakMoves(func(x exchange) { x.reach(); x.cut() })
	ctx, cancel := c.bounded()
	defer cancel()
	if got, err := c.charge(ctx, id, price, c.methods.Declined); err != nil {
		c.wantClass("Charge", err, order.Unknown)
	} else if got.Verdict != order.Declined {
		c.Errorf("Charge gave %+v", got)
	}
	c.network.mend()
	found := c.mustFind(id, order.Declined)
	if again := c.mustCharge(id, c.methods.Declined, order.Declined); again != found {
		c.Errorf("a repeat gave %+v, LookUp %+v", again, found)
	}
	c.wantMoney(id, Account{})
}

// refusedCharge: nothing was sent, and the order need not be looked up.
func refusedCharge(c *trial) {
	id, connected := newID(1), c.adapter
	c.adapter = c.provider.NewAdapter(nobody)
	ctx, cancel := c.bounded()
	defer cancel()
	_, err := c.charge(ctx, id, price, c.methods.Approved)
	c.wantClass("a refused Charge", err, order.Transient)
	c.adapter = connected
	c.settleDoubt(id, false)
}

// providerDies with the charge, on a connection that was used before: a client that quietly sends such a
// request again is refused, which looks as if nothing had ever been sent.
func providerDies(c *trial) {
	id := newID(1)
	c.mustMiss(id)
	c.network.breakMoves(dying)
	ctx, cancel := c.bounded()
	defer cancel()
	got, err := c.charge(ctx, id, price, c.methods.Approved)
	c.wantUnknown("Charge", answered{got, err})
	c.renew()
	c.settleDoubt(id, true)
}

// answerNeverComes, and whoever waits for it leaves.
func answerNeverComes(c *trial) {
	id := newID(1)
	swallowed := make(chan struct{}, 1)
	c.network.breakMoves(silent(swallowed))
	ctx, leave := context.WithCancel(c.Context())
	defer leave()
	came := c.chargeAside(ctx, id, c.methods.Approved)
	bounded, cancel := c.bounded()
	defer cancel()
	c.must(wait(bounded, swallowed))
	c.network.mend()
	c.mustFind(id, order.Approved) // also while its sender still waits
	leave()
	c.wantUnknown("the Charge that was left", c.await(came))
	c.settleDoubt(id, true)
}

// cancelledCharge: a worker that stops concludes nothing, even where nothing was sent.
func cancelledCharge(c *trial) {
	id := newID(1)
	ctx, cancel := context.WithCancel(c.Context())
	cancel()
	_, err := c.charge(ctx, id, price, c.methods.Approved)
	c.wantClass("Charge", err, order.Unknown)
	_, err = c.lookUp(ctx, id, price)
	c.wantClass("LookUp", err, order.Unknown)
	c.wantClass("Reverse", c.reverse(ctx, id), order.Unknown)
	if got := c.books(id); got.Charges > 1 || got.Net < 0 {
		c.Errorf("the provider holds %+v", got)
	}
}

// replayedError: the same key has the same error for ever, and only a look-up tells what it hides.
func replayedError(c *trial, acts bool) {
	id := newID(1)
	c.network.breakMoves(replaying(acts))
	for range 4 {
		c.chargeInDoubt(id, acts)
	}
	if acts {
		c.mustFind(id, order.Approved)
		c.wantMoney(id, once)
	} else {
		c.mustMiss(id)
		c.wantMoney(id, Account{})
	}
	c.network.mend()
	c.settleDoubt(id, acts)
}

// anothersAnswer: a proxy mixes up two answers.
func anothersAnswer(c *trial, method string, verdict order.Verdict) {
	mine, other := newID(1), newID(2)
	c.mustCharge(other, method, verdict)
	c.network.breakMoves(mixingUp(c.network.takeAnswers(), true))
	c.chargeInDoubt(mine, true)
	c.network.mend()
	c.settleDoubt(mine, true)
}

func anothersAmount(c *trial) {
	id := newID(1)
	var quoted atomic.Bool
	c.network.breakAll(misquoting(price, &quoted))
	ctx, cancel := c.bounded()
	defer cancel()
	got, err := c.charge(ctx, id, price, c.methods.Approved)
	if !quoted.Load() {
		c.Skipf("the provider's answers name no amount")
	}
	c.wantUnknown("Charge", answered{got, err})
	c.lookUpFails("a record of another amount", id)
	c.network.mend()
	c.settleDoubt(id, true)
}

// forgottenKey: whoever looks up first never needs it.
func forgottenKey(c *trial) {
	if c.provider.ForgetKeys == nil {
		c.Skipf("the provider forgets no key")
	}
	lost, declined, reversed := newID(1), newID(2), newID(3)
	c.network.breakMoves(func(x exchange) { x.reach(); x.cut() })
	c.chargeInDoubt(lost, true)
	c.network.mend()
	first := c.mustCharge(declined, c.methods.Declined, order.Declined)
	c.mustCharge(reversed, c.methods.Approved, order.Approved)
	c.mustReverse(reversed)
	ctx, cancel := c.bounded()
	defer cancel()
	c.must(c.provider.ForgetKeys(ctx))
	c.renew() // what an adapter remembers ends with its process
	c.mustFind(lost, order.Approved)
	c.wantMoney(lost, once)
	if found := c.mustFind(declined, order.Declined); found != first {
		c.Errorf("LookUp gave %+v, after %+v", found, first)
	}
	c.mustFind(reversed, order.Declined)
	c.mustReverse(reversed)
	c.wantMoney(reversed, takenBack)
	c.mustReverse(lost)
	c.wantMoney(lost, takenBack)
}

// methodIsHidden: errors reach logs and screens. That of a charge is checked wherever one is made.
func methodIsHidden(c *trial) {
	ctx, cancel := c.bounded()
	defer cancel()
	for n, m := range echoes() {
		c.network.breakMoves(m.fault)
		got, err := c.charge(ctx, order.NewID("conformance", "echo "+strconv.Itoa(n)), price, "tok_s3cret")
		if err == nil {
			c.Errorf("%s that quotes the request: Charge answered %+v", m.name, got)
		}
	}
}
