//go:build unix

package stock_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"holdfast/activities"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/stock"
)

var _ activities.Stock = (*stock.Front)(nil)

var ttl = stock.Config{ReservationTTL: 10 * time.Minute, IdleTTL: 5 * time.Minute}

// shop is a front with what stands behind it.
type shop struct {
	*stock.Front
	*shelves
	rdb   redis.UniversalClient
	addrs []string
	mini  *miniredis.Miniredis // nil on a real server
}

// onEach runs the situation on miniredis and on a real Redis that it has for itself.
func onEach(t *testing.T, situation func(t *testing.T, s *shop)) {
	t.Helper()
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		mini := miniredis.RunT(t)
		s := newShop(t, mini.Addr())
		s.mini = mini
		situation(t, s)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		situation(t, newShop(t, testserver.Redis(t).Addr()))
	})
}

func newShop(t *testing.T, addrs ...string) *shop {
	t.Helper()
	s := &shop{shelves: newShelves(), addrs: addrs}
	s.Front = s.again(t)
	s.rdb = s.Client()
	return s
}

// again is a front of another program on the same Redis and the same shelves. It is the real one but for
// its patience: a machine that is busy with other things must not fail a test.
func (s *shop) again(t *testing.T) *stock.Front {
	t.Helper()
	const patience = 30 * time.Second
	return s.open(t, &redis.UniversalOptions{
		Addrs:       s.addrs,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
	})
}

func (s *shop) open(t *testing.T, options *redis.UniversalOptions) *stock.Front {
	t.Helper()
	front := stock.New(options, s.shelves, ttl)
	t.Cleanup(func() { _ = front.Close() })
	return front
}

// newHastyShop is a shop with the patience that programs have.
func newHastyShop(t *testing.T, addr string) *shop {
	t.Helper()
	s := newShop(t, addr)
	s.Front = s.open(t, &redis.UniversalOptions{Addrs: []string{addr}})
	return s
}

// shelves stand for the order database.
type shelves struct {
	mu       sync.Mutex
	units    map[string]int64
	versions map[string]int64
	limits   map[string]int64 // of one customer; none where there is none
	epoch    int64
	loads    map[string]int // how often each SKU was asked for
	fail     error          // answer this
	pause    func()         // called after reading, before answering
}

func newShelves() *shelves {
	return &shelves{
		units: map[string]int64{"mug": 10, "plate": 5}, versions: map[string]int64{"mug": 1, "plate": 1},
		limits: map[string]int64{}, epoch: 1, loads: map[string]int{},
	}
}

func (s *shelves) Available(ctx context.Context, skus []string) (map[string]order.Available, error) {
	s.mu.Lock()
	found := map[string]order.Available{}
	for _, sku := range skus {
		s.loads[sku]++
		if units, exists := s.units[sku]; exists {
			found[sku] = order.Available{Units: units, Version: s.versions[sku], Limit: s.limits[sku]}
		}
	}
	fail, pause := s.fail, s.pause
	s.mu.Unlock()
	if pause != nil {
		pause()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return found, fail
}

func (s *shelves) Epoch(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch, s.fail
}

func (s *shelves) NextEpoch(_ context.Context, known int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil && s.epoch == known {
		s.epoch++
	}
	return s.epoch, s.fail
}

// change changes the shelves as another program would.
func (s *shelves) change(change func(*shelves)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := maps.Clone(s.units)
	change(s)
	for sku, units := range s.units {
		if units != before[sku] {
			s.versions[sku]++
		}
	}
}

// hold takes an order's units off the shelves, as its row does when it is opened.
func (s *shelves) hold(o order.Order) order.Held {
	s.change(func(s *shelves) {
		for _, l := range o.Lines {
			s.units[l.SKU] -= l.Quantity
		}
	})
	h := order.Held{Order: o, New: true}
	for _, l := range o.Lines {
		h.Holds = append(h.Holds, order.Hold{SKU: l.SKU, From: s.versions[l.SKU]})
	}
	return h
}

// old is what a repeat of the step that wrote the row says of it.
func old(h order.Held) order.Held {
	h.New = false
	return h
}

// give puts the units back, as the row does when it is closed, and tells how to release them.
func (s *shelves) give(h order.Held) order.Releasing {
	s.change(func(s *shelves) {
		for _, l := range h.Order.Lines {
			s.units[l.SKU] += l.Quantity
		}
	})
	r := order.Releasing{Order: h.Order, Taken: true}
	for _, hold := range h.Holds {
		hold.Until = s.versions[hold.SKU]
		r.Holds = append(r.Holds, hold)
	}
	return r
}

func (s *shelves) wantLoads(t *testing.T, sku string, want int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loads[sku] != want {
		t.Errorf("%s was loaded %d times, want %d", sku, s.loads[sku], want)
	}
}

// newOrder makes alice's order of units of "mug" unless lines are given.
func newOrder(tb testing.TB, key any, units int64, lines ...order.Line) order.Order {
	tb.Helper()
	return orderOf(tb, "alice", key, units, lines...)
}

func orderOf(tb testing.TB, customer string, key any, units int64, lines ...order.Line) order.Order {
	tb.Helper()
	if lines == nil {
		lines = []order.Line{{SKU: "mug", Quantity: units, UnitPrice: 1}}
	}
	o, err := order.New(customer, fmt.Sprint(key), "EUR", "tok_ok", lines)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

var reserved = order.Reservation{Verdict: order.Reserved, Taken: true}

func soldOut(skus ...string) order.Reservation {
	return order.Reservation{Verdict: order.SoldOut, SKUs: skus}
}

func (s *shop) align(t *testing.T, held ...order.Held) {
	t.Helper()
	if err := s.Align(t.Context(), held); err != nil {
		t.Error(err)
	}
}

func (s *shop) forget(t *testing.T, skus ...string) {
	t.Helper()
	if err := s.Forget(t.Context(), skus); err != nil {
		t.Error(err)
	}
}

func (s *shop) wantReserve(t *testing.T, o order.Order, want order.Reservation) {
	t.Helper()
	wantReservations(t, s.Reserve(t.Context(), []order.Order{o}), want)
}

func wantReservations(t *testing.T, got []order.Outcome[order.Reservation], want ...order.Reservation) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d outcomes, want %d", len(got), len(want))
	}
	for i, w := range want {
		a := got[i].Answer
		if got[i].Failure != nil || a.Verdict != w.Verdict || a.Taken != w.Taken || !slices.Equal(a.SKUs, w.SKUs) {
			t.Errorf("outcome %d: %+v, %v, want %+v", i, a, got[i].Failure, w)
		}
	}
}

func (s *shop) wantRelease(t *testing.T, o order.Order, taken bool, want order.Verdict) {
	t.Helper()
	s.wantReleasing(t, order.Releasing{Order: o, Taken: taken}, want)
}

func (s *shop) wantReleasing(t *testing.T, r order.Releasing, want order.Verdict) {
	t.Helper()
	got := s.Release(t.Context(), []order.Releasing{r})
	if len(got) != 1 || got[0].Failure != nil || got[0].Answer != want {
		t.Errorf("released as %+v, want %s", got, want)
	}
}

// notLoaded is the count of a SKU that has none.
const notLoaded = -1_000_000

func (s *shop) wantCount(t *testing.T, sku string, want int64) {
	t.Helper()
	counts, err := s.Counts(t.Context(), []string{sku})
	if err != nil {
		t.Fatal(err)
	}
	got, loaded := counts[sku]
	if !loaded {
		got = notLoaded
	}
	if got != want {
		t.Errorf("the count of %s is %d, want %d", sku, got, want)
	}
}

// wantBalance checks that no unit was made or lost since the SKU was loaded: its count and the live
// reservations of its generation add up to what was loaded.
func (s *shop) wantBalance(t *testing.T, sku string, loaded int64) {
	t.Helper()
	count, err := s.rdb.HGetAll(t.Context(), "s:{"+sku+"}").Result()
	if err != nil {
		t.Fatal(err)
	}
	units, err := strconv.ParseInt(count["units"], 10, 64)
	if err != nil || units < 0 {
		t.Fatalf("the count of %s is %v", sku, count)
	}
	held := int64(0)
	for _, reservation := range s.reservations(t, sku) {
		if reservation[0] != "X" && reservation[1] == count["generation"] {
			quantity, err := strconv.ParseInt(reservation[2], 10, 64)
			if err != nil {
				t.Fatalf("a reservation of %s is %v", sku, reservation)
			}
			held += quantity
		}
	}
	if units+held != loaded {
		t.Errorf("%s: %d units are left and %d reserved, but %d were loaded", sku, units, held, loaded)
	}
}

// reservations are the words of every reservation of the SKU.
func (s *shop) reservations(t *testing.T, sku string) (all [][]string) {
	t.Helper()
	keys, err := s.rdb.Keys(t.Context(), "r:{"+sku+"}*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		value, err := s.rdb.Get(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(value)
		if len(words) != 4 {
			t.Fatalf("%s is %q", key, value)
		}
		all = append(all, words)
	}
	return all
}

// everything is what Redis holds, to compare before and after what must touch nothing.
func (s *shop) everything(t *testing.T) map[string]string {
	t.Helper()
	keys, err := s.rdb.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, key := range keys {
		if strings.HasPrefix(key, "s:") {
			all[key] = fmt.Sprint(s.rdb.HGetAll(t.Context(), key).Val())
		} else {
			all[key] = s.rdb.Get(t.Context(), key).Val()
		}
	}
	return all
}

func (s *shop) wantUntouched(t *testing.T, run func()) {
	t.Helper()
	before := s.everything(t)
	run()
	if after := s.everything(t); !maps.Equal(before, after) {
		t.Errorf("touched: before\n%v, after\n%v", before, after)
	}
}

// atOnce runs n functions that start together, and returns when all have ended.
func atOnce(n int, run func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	all.Wait()
}
