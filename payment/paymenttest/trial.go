package paymenttest

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast/activities"
	"holdfast/order"
)

// reporter is what a case needs of a *testing.T.
type reporter interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

const (
	// patience bounds what should come at once: a busy machine must not fail a case, a hanging adapter must.
	patience = 20 * time.Second
	// lookAgain is the pause between two looks at what has to change by itself.
	lookAgain = 2 * time.Millisecond
)

// price is what an order costs, in digits that occur nowhere else in an answer.
var price = order.Amount{Minor: 918273, Currency: "EUR"}

// trial is one case under way: an adapter, the network that it talks to, and the provider behind that.
type trial struct {
	reporter

	provider Provider
	methods  Methods
	network  *network
	adapter  activities.Payments
}

func newTrial(r reporter, p Provider) *trial {
	r.Helper()
	if p.URL == "" || p.NewAdapter == nil || p.Books == nil || p.Decide == nil {
		r.Fatalf("the Provider lacks a URL, NewAdapter, Books or Decide")
	}
	c := &trial{reporter: r, provider: p, methods: p.Methods}
	c.renew()
	return c
}

// renew puts a new adapter on a new network, as if both programs had been started again.
func (c *trial) renew() {
	c.network = newNetwork(c.provider.URL, cmp.Or(c.provider.KeyHeader, "Idempotency-Key"))
	c.Cleanup(c.network.close)
	c.adapter = c.provider.NewAdapter(c.network.server.URL)
}

// newID is an order that differs from those with another number.
func newID(n int) order.ID { return order.NewID("conformance", strconv.Itoa(n)) }

// bounded ends with the test, and after patience.
func (c *trial) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Context(), patience)
}

// charge asks the adapter, and checks what holds of each answer.
func (c *trial) charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	c.Helper()
	got, err := c.adapter.Charge(ctx, id, amount, method)
	c.checkAnswer("Charge", got, err)
	if err != nil && strings.Contains(err.Error(), method) {
		c.Errorf("Charge shows the payment method in its error: %v", err)
	}
	return got, err
}

func (c *trial) lookUp(ctx context.Context, id order.ID, amount order.Amount) (*order.Payment, error) {
	c.Helper()
	found, err := c.adapter.LookUp(ctx, id, amount)
	var got order.Payment
	if found != nil {
		got = *found
	}
	if found != nil || err != nil {
		c.checkAnswer("LookUp", got, err)
	}
	if err != nil && classOf(err) != order.Unknown {
		c.Errorf("LookUp failed %s, and a look-up that fails says nothing of the charge: %v", classOf(err), err)
	}
	return found, err
}

func (c *trial) reverse(ctx context.Context, id order.ID) error {
	c.Helper()
	err := c.adapter.Reverse(ctx, id)
	if err != nil && classOf(err) == order.Final {
		c.Errorf("Reverse failed final, and an undo must not be given up: %v", err)
	}
	return err
}

// checkAnswer: an answer is whole, and none stands beside an error.
func (c *trial) checkAnswer(call string, got order.Payment, err error) {
	c.Helper()
	switch {
	case err != nil:
		if got != (order.Payment{}) {
			c.Errorf("%s gave %+v beside the error %v", call, got, err)
		}
	case !got.DecideBy.IsZero():
		c.Errorf("%s set DecideBy, which is the activity's", call)
	case got.Verdict == order.Declined && got.Reason == "":
		c.Errorf("%s declined without a reason", call)
	case got.Verdict == order.Approved, got.Verdict == order.Declined, got.Verdict == order.PaymentPending:
	default:
		c.Errorf("%s gave %+v without an error", call, got)
	}
}

// classOf reads an error as the activities do: what has no class is Unknown.
func classOf(err error) order.Class { return order.AsFailure(err).Class }

// wantClass checks an error; what says what happened.
func (c *trial) wantClass(what string, err error, want order.Class) {
	c.Helper()
	switch {
	case err == nil:
		c.Errorf("%s: got no error, want one that is %s", what, want)
	case classOf(err) != want:
		c.Errorf("%s: got %s, want %s: %v", what, classOf(err), want, err)
	}
}

// wantUnknown checks a charge of which nothing can be known.
func (c *trial) wantUnknown(what string, a answered) {
	c.Helper()
	if a.err == nil {
		c.Errorf("%s answered %+v, want an error that is unknown", what, a.payment)
		return
	}
	c.wantClass(what, a.err, order.Unknown)
}

func (c *trial) lookUpFails(what string, id order.ID) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	if found, err := c.lookUp(ctx, id, price); err == nil {
		c.Errorf("%s: LookUp answered %+v, want an error", what, found)
	}
}

func (c *trial) reverseFails(what string, id order.ID, want order.Class) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	c.wantClass(what+": Reverse", c.reverse(ctx, id), want)
}

// mustCharge charges the price and gives the answer, which must have the verdict.
func (c *trial) mustCharge(id order.ID, method string, want order.Verdict) order.Payment {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	got, err := c.charge(ctx, id, price, method)
	if err != nil || got.Verdict != want {
		c.Fatalf("Charge gave %+v, %v, want %s", got, err, want)
	}
	return got
}

// mustFind looks the price's charge up and gives what it found, which must have the verdict.
func (c *trial) mustFind(id order.ID, want order.Verdict) order.Payment {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	found, err := c.lookUp(ctx, id, price)
	if err != nil || found == nil {
		c.Fatalf("LookUp gave %+v, %v, want %s", found, err, want)
	}
	if found.Verdict != want {
		c.Fatalf("LookUp gave %+v, want %s", *found, want)
	}
	return *found
}

// mustMiss looks up an order that was never charged.
func (c *trial) mustMiss(id order.ID) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	if found, err := c.lookUp(ctx, id, price); err != nil || found != nil {
		c.Fatalf("LookUp gave %+v, %v of an order that was never charged, want nil, nil", found, err)
	}
}

// mustReverse reverses as the activities do: again while it is Unknown, if the adapter may be waiting for a
// late charge.
func (c *trial) mustReverse(id order.ID) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	var err error
	c.watch(ctx, func() bool {
		err = c.reverse(ctx, id)
		return err == nil || c.provider.BlocksLateCharges || classOf(err) != order.Unknown
	})
	if err != nil {
		c.Fatalf("Reverse: %v", err)
	}
}

// watch looks until it sees what it waits for, or ctx ends.
func (c *trial) watch(ctx context.Context, seen func() bool) {
	c.Helper()
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for !seen() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// wantMoney compares with the provider's own books.
func (c *trial) wantMoney(id order.ID, want Account) {
	c.Helper()
	if got := c.books(id); got != want {
		c.Errorf("the provider holds %+v, want %+v", got, want)
	}
}

func (c *trial) books(id order.ID) Account {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	got, err := c.provider.Books(ctx, id)
	if err != nil {
		c.Fatalf("read the provider's books: %v", err)
	}
	return got
}

// wantGivenBack: however the charge went, the customer has the money, and no repeat takes it again.
func (c *trial) wantGivenBack(id order.ID) {
	c.Helper()
	if got := c.books(id); got.Net != 0 || got.Charges > 1 {
		c.Errorf("the provider holds %+v of an order that was reversed, want a net of 0", got)
	}
}

// decide waits for the provider's decision of a pending charge.
func (c *trial) decide(id order.ID) {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	if err := c.provider.Decide(ctx, id); err != nil {
		c.Fatalf("the pending charge was not decided: %v", err)
	}
}

// answered is how a call went that ran beside the case.
type answered struct {
	payment order.Payment
	err     error
}

// chargeAside charges the price without waiting for the answer.
func (c *trial) chargeAside(ctx context.Context, id order.ID, method string) <-chan answered {
	came := make(chan answered, 1)
	adapter := c.adapter
	go func() {
		payment, err := adapter.Charge(ctx, id, price, method)
		came <- answered{payment, err}
	}()
	return came
}

// await takes an answer that must come now.
func (c *trial) await(came <-chan answered) answered {
	c.Helper()
	ctx, cancel := c.bounded()
	defer cancel()
	select {
	case a := <-came:
		c.checkAnswer("Charge", a.payment, a.err)
		return a
	case <-ctx.Done():
		c.Fatalf("Charge does not return")
		return answered{err: errors.New("no answer")}
	}
}

// must ends the case with an error of the suite's own.
func (c *trial) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("%v", err)
	}
}

// atOnce runs f so often side by side, and returns when all have.
func atOnce(times int, f func(n int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for n := range times {
		group.Go(func() {
			<-start
			f(n)
		})
	}
	close(start)
	group.Wait()
}
