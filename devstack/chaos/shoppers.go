package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"holdfast/devstack/shop"
	"holdfast/order"
)

const (
	// skus are on sale, with so many units each at first. All are sold out again and again, and restocked.
	skus     = 8
	units    = 60
	receipts = 15 // units at a time
	// patience bounds one request, as a shop's back end does. Some hang up earlier.
	patience = 8 * time.Second
)

func skuName(i int) string { return fmt.Sprintf("chaos-%d", i) }

// methods are how shoppers pay, and how often in a hundred. One that is slow holds up a whole batch for its two seconds, and many
// of them all batches.
var methods = weighted(map[string]int{
	"tok_ok": 68, "tok_declined": 8, "tok_lost": 8, "tok_error": 7, "tok_async": 4, "tok_async_declined": 4, "tok_slow": 1,
})

func weighted(times map[string]int) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(times)) {
		names = append(names, slices.Repeat([]string{name}, times[name])...)
	}
	return names
}

// answer is what a shopper was told of his order, in the order in which he was told it.
type answer struct {
	status int // of HTTP
	slug   string
	id     order.ID // "" if nothing was started
	cancel bool     // of its cancellation
	probe  bool     // of a request with other contents under the same key
}

// purchase is one order as its shopper knows it.
type purchase struct {
	key     string
	request shop.Request
	answers []answer
	// cancelled: the shopper asked for that, whether or not an answer came.
	cancelled bool
	// ended: he knows how it ended. definite: so he does, or he was turned away and has given up.
	ended, definite bool
}

func (p *purchase) id() order.ID { return order.NewID(p.request.CustomerID, p.key) }

// crowd is all shoppers.
type crowd struct {
	shops []*shop.Client
	seed  uint64

	mu        sync.Mutex
	purchases []*purchase
	ended     int              // of these
	received  map[string]int64 // units, by SKU; what was there at first as well
}

func (c *crowd) progress() (placed, ended int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.purchases), c.ended
}

// shopUntil lets so many shoppers buy, one order after the other, until buying ends, and then wait for how their last ones
// end until ctx does.
func (c *crowd) shopUntil(ctx context.Context, buying context.Context, shoppers int) {
	var all sync.WaitGroup
	for i := range shoppers {
		all.Go(func() {
			s := &shopper{crowd: c, name: fmt.Sprintf("shopper-%d", i), random: rand.New(rand.NewPCG(c.seed, uint64(i)+1))} //nolint:gosec // to be repeated
			for n := 0; buying.Err() == nil; n++ {
				s.buy(ctx, n)
			}
		})
	}
	all.Go(func() { c.restock(ctx, buying) })
	all.Wait()
}

// restock has units received again and again. A receipt without an answer is sent again under its reference.
func (c *crowd) restock(ctx, buying context.Context) {
	random := rand.New(rand.NewPCG(c.seed, 0)) //nolint:gosec // to be repeated
	for n := 0; buying.Err() == nil; n++ {
		sku, reference := skuName(random.IntN(skus)), fmt.Sprintf("receipt-%d", n)
		for ctx.Err() == nil {
			call, cancel := context.WithTimeout(ctx, patience)
			err := c.shops[random.IntN(len(c.shops))].Receive(call, sku, receipts, reference)
			cancel()
			if err == nil {
				break
			}
			sleep(ctx, 100*time.Millisecond)
		}
		c.mu.Lock()
		c.received[sku] += receipts
		c.mu.Unlock()
		sleep(buying, 150*time.Millisecond)
	}
}

// shopper buys one order at a time.
type shopper struct {
	*crowd

	name   string
	random *rand.Rand
}

func (s *shopper) oneIn(n int) bool { return s.random.IntN(n) == 0 }

func (s *shopper) shop() *shop.Client { return s.shops[s.random.IntN(len(s.shops))] }

// buy places one order and repeats it until it has an end. Now and then it is repeated after that, cancelled, or its key is
// used for something else.
func (s *shopper) buy(ctx context.Context, n int) {
	p := &purchase{key: fmt.Sprintf("order-%d", n), request: s.basket()}
	s.mu.Lock()
	s.purchases = append(s.purchases, p)
	s.mu.Unlock()
	if s.oneIn(12) {
		s.cancelSoon(ctx, p)
	}
	for !p.definite && ctx.Err() == nil {
		s.place(ctx, p, p.request, s.wait())
		if !p.definite {
			sleep(ctx, time.Duration(50+s.random.IntN(200))*time.Millisecond)
		}
	}
	switch {
	case s.oneIn(4):
		s.place(ctx, p, p.request, s.wait())
	case p.ended && s.oneIn(10):
		other := p.request
		other.Lines = []order.Line{{SKU: other.Lines[0].SKU, Quantity: 9, UnitPrice: 77}}
		s.place(ctx, p, other, s.wait())
	case s.oneIn(8):
		s.cancel(ctx, p)
		s.place(ctx, p, p.request, s.wait())
	}
	s.mu.Lock()
	s.ended++
	s.mu.Unlock()
}

func (s *shopper) basket() shop.Request {
	r := shop.Buy(s.name, methods[s.random.IntN(len(methods))], "", 0)
	r.Lines = nil
	for _, i := range s.random.Perm(skus)[:1+s.random.IntN(3)] {
		r.Lines = append(r.Lines, order.Line{SKU: skuName(i), Quantity: 1 + s.random.Int64N(2), UnitPrice: 100 + s.random.Int64N(900)})
	}
	return r
}

func (s *shopper) wait() time.Duration { return time.Duration(s.random.IntN(6)) * time.Second }

// place sends the order once and notes the answer, if one comes. It may be what ends the purchase.
func (s *shopper) place(ctx context.Context, p *purchase, r shop.Request, wait time.Duration) {
	patience := patience
	if s.oneIn(15) {
		patience = time.Duration(s.random.IntN(300)) * time.Millisecond // he hangs up
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got, err := s.shop().Place(ctx, p.key, r, wait)
	if err != nil {
		return
	}
	probe := r.Lines[0] != p.request.Lines[0]
	p.answers = append(p.answers, answer{status: got.Status, slug: got.Problem.Slug(), id: got.ID(), probe: probe})
	if probe {
		return
	}
	turnedAway := got.Status == http.StatusConflict && got.ID() == ""
	p.ended = p.ended || got.Definite()
	p.definite = p.definite || p.ended || turnedAway && s.oneIn(2)
}

// cancelSoon cancels the order while it is being placed, or before.
func (s *shopper) cancelSoon(ctx context.Context, p *purchase) {
	short, cancel := context.WithTimeout(ctx, time.Duration(s.random.IntN(100))*time.Millisecond)
	defer cancel()
	if got, err := s.shop().Place(short, p.key, p.request, 0); err == nil {
		p.answers = append(p.answers, answer{status: got.Status, slug: got.Problem.Slug(), id: got.ID()})
	}
	s.cancel(ctx, p)
}

// cancel asks for the cancellation once and notes the answer, if one comes.
func (s *shopper) cancel(ctx context.Context, p *purchase) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.cancelled = true
	got, err := s.shop().Cancel(ctx, p.id(), s.wait())
	if err == nil {
		p.answers = append(p.answers, answer{status: got.Status, slug: got.Problem.Slug(), id: got.ID(), cancel: true})
	}
}
