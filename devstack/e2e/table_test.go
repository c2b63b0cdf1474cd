package e2e_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/devstack/program"
	"holdfast/devstack/shop"
	"holdfast/order"
)

// tokens are the sandbox's payment methods, and how an order ends that pays with one.
var tokens = map[string]order.Status{
	"tok_ok": order.Confirmed, "tok_slow": order.Confirmed, "tok_lost": order.Confirmed, "tok_error": order.Confirmed,
	"tok_async": order.Confirmed, "tok_declined": order.Rejected, "tok_async_declined": order.Rejected,
}

const (
	tableUnits  = 10 // of each SKU
	tableBought = 3
	outage      = 20 * time.Second
)

// column is one kind of trouble, which all tokens meet at once.
type column struct {
	*shopFloor

	worker *program.Program
	ill    time.Time // just before the provider fell ill
	ids    map[string]order.ID
	after  map[string]shop.Answer // what the shoppers were told in the end
}

// troubles are the columns of the table. before comes before the orders, during while their shoppers wait.
var troubles = []struct {
	name           string
	before, during func(t *testing.T, c *column)
	cancelled      bool // they all end so
}{
	{name: "nothing"},
	{
		name:   "worker killed",
		before: hangProvider,
		during: func(t *testing.T, c *column) {
			t.Helper()
			c.allCharged(t)
			c.worker.Kill()
			c.recover(t)
			c.worker = c.hire(t)
		},
	},
	{
		name:   "api killed",
		before: hangProvider,
		during: func(t *testing.T, c *column) {
			t.Helper()
			c.allCharged(t)
			c.api.Kill()
			c.recover(t)
			c.openAPI(t)
		},
	},
	{
		name: "provider down",
		before: func(t *testing.T, c *column) {
			t.Helper()
			c.fault(t, shop.Fault{Mode: "down", Seconds: int(outage.Seconds())})
		},
		during: func(t *testing.T, c *column) {
			t.Helper()
			c.allPending(t)
			c.nothingDecidedFor(t, outage)
		},
	},
	{
		name: "answer lost",
		before: func(t *testing.T, c *column) {
			t.Helper()
			c.fault(t, shop.Fault{Mode: "lossy", Seconds: 5})
		},
	},
	{
		name:   "cancelled meanwhile",
		before: hangProvider,
		during: func(t *testing.T, c *column) {
			t.Helper()
			c.allCharged(t)
			c.cancelAll(t)
		},
		cancelled: true,
	},
	{
		name: "cancelled before the charge",
		before: func(t *testing.T, c *column) {
			t.Helper()
			c.fault(t, shop.Fault{Mode: "down", Seconds: 3600})
		},
		during: func(t *testing.T, c *column) {
			t.Helper()
			c.allPending(t)
			c.cancelAll(t)
		},
		cancelled: true,
	},
}

// hangProvider has the provider carry out what it is asked, and answer long after everybody has given up.
func hangProvider(t *testing.T, c *column) {
	t.Helper()
	c.fault(t, shop.Fault{Mode: "slow", Seconds: 3600, DelayMS: 60_000})
}

// columnsAtOnce keeps two processors from being swamped by stacks of three processes each.
var columnsAtOnce = make(chan struct{}, 2)

// TestTheTable plays each payment method against each trouble: the order has its one right status, the provider's ledger
// one net charge for what is confirmed and none for anything else, every unit is where it belongs, and nothing is owed.
func TestTheTable(t *testing.T) {
	t.Parallel()
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) {
			t.Parallel()
			columnsAtOnce <- struct{}{}
			defer func() { <-columnsAtOnce }()
			c := &column{shopFloor: openFloor(t), ids: make(map[string]order.ID), after: make(map[string]shop.Answer)}
			c.worker = c.hire(t)
			for token := range tokens {
				c.sell(t, skuFor(token), tableUnits)
			}
			if trouble.before != nil {
				trouble.before(t, c)
			}
			shoppers := c.letIn(t)
			if trouble.during != nil {
				trouble.during(t, c)
			}
			shoppers.Wait()
			c.recover(t)
			c.quiet(t)
			for token, status := range tokens {
				if trouble.cancelled {
					status = order.Cancelled
				}
				t.Run(token, func(t *testing.T) { c.check(t, token, status) })
			}
		})
	}
}

func skuFor(token string) string { return strings.ReplaceAll(token, "_", "-") }

func (c *column) fault(t *testing.T, f shop.Fault) {
	t.Helper()
	c.ill = time.Now()
	if err := c.Ail(t.Context(), c.GatewayURL(), f); err != nil {
		t.Fatal(err)
	}
}

// letIn has a shopper for each token place an order, and repeat until he knows how it ended.
func (c *column) letIn(t *testing.T) *sync.WaitGroup {
	t.Helper()
	var shoppers sync.WaitGroup
	var mu sync.Mutex
	for token := range tokens {
		key := "k-" + token
		c.ids[token] = order.NewID("ada", key)
		shoppers.Go(func() {
			answer, err := c.PlaceUntilDefinite(t.Context(), key, shop.Buy("ada", token, skuFor(token), tableBought))
			if err != nil {
				t.Errorf("%s: %v", token, err)
			}
			mu.Lock()
			defer mu.Unlock()
			c.after[token] = answer
		})
	}
	return &shoppers
}

// allPending waits until every order is on record, and wants each of them undecided.
func (c *column) allPending(t *testing.T) {
	t.Helper()
	for token, id := range c.ids {
		for deadline := time.Now().Add(30 * time.Second); ; pause(t.Context(), 20*time.Millisecond) {
			o, err := c.Get(t.Context(), id)
			if err == nil && o.Status == order.Pending {
				break
			}
			if err == nil || time.Now().After(deadline) {
				t.Fatalf("%s: want PENDING, got %+v, %v", token, o, err)
			}
		}
	}
}

// allCharged waits until the provider has decided each charge, and wants its answers unheard of. Those of tok_error are not
// looked at yet.
func (c *column) allCharged(t *testing.T) {
	t.Helper()
	for token, id := range c.ids {
		if token != "tok_error" {
			c.untilDecided(t, id)
		}
	}
	c.allPending(t)
}

// nothingDecidedFor watches that an ill provider decides no order. What is read after that time is not judged.
func (c *column) nothingDecidedFor(t *testing.T, d time.Duration) {
	t.Helper()
	for ; ; pause(t.Context(), 500*time.Millisecond) {
		for token, id := range c.ids {
			o, err := c.Get(t.Context(), id)
			if time.Since(c.ill) >= d {
				return
			}
			if err != nil || o.Status != order.Pending {
				t.Fatalf("%s: want PENDING, got %+v, %v", token, o, err)
			}
		}
	}
}

// cancelAll cancels every order, which cannot be settled yet, and has the provider come back.
func (c *column) cancelAll(t *testing.T) {
	t.Helper()
	for token, id := range c.ids {
		if answer, err := c.Cancel(t.Context(), id, 0); err != nil || answer.Status != http.StatusAccepted {
			t.Errorf("%s: the cancellation was answered %d %+v, %v", token, answer.Status, answer.Problem, err)
		}
	}
	c.recover(t)
}

func (c *column) check(t *testing.T, token string, want order.Status) {
	t.Helper()
	o, err := c.Get(t.Context(), c.ids[token])
	if err != nil {
		t.Fatal(err)
	}
	reason := map[order.Status]order.Reason{
		order.Rejected: order.ReasonPaymentDeclined, order.Cancelled: order.ReasonRequested,
	}[want]
	if o.Status != want || o.Reason != reason || !o.Settled || o.Attention != nil {
		t.Errorf("ended as %+v, want %s %s, settled", o, want, reason)
	}
	told := map[order.Status]int{
		order.Confirmed: http.StatusCreated, order.Rejected: http.StatusPaymentRequired, order.Cancelled: http.StatusConflict,
	}[want]
	if got := c.after[token]; got.Status != told || got.ID() != o.ID {
		t.Errorf("the shopper was told %d %+v, want %d", got.Status, got.Problem, told)
	}
	if want == order.Cancelled {
		if again, err := c.Cancel(t.Context(), o.ID, 0); err != nil || again.Status != http.StatusOK || !again.Order.Settled {
			t.Errorf("another cancellation was answered %d %+v, %v", again.Status, again.Problem, err)
		}
	}
	left, net := int64(tableUnits), 0
	if want == order.Confirmed {
		left, net = tableUnits-tableBought, 1
	}
	c.left(t, skuFor(token), left)
	if charges, reversals := c.charges(t, o.ID); charges-reversals != net || charges > 1 {
		t.Errorf("the ledger has %d charges and %d reversals, want a net of %d", charges, reversals, net)
	}
}
