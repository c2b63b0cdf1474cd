package flashsale

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxTroubles bounds the different troubles that are told: words of lost connections differ in their ports.
const maxTroubles = 5

// tally counts while the sale is on.
type tally struct {
	arrived, late     atomic.Int64
	requests, repeats atomic.Int64
	ended, confirmed  atomic.Int64

	mu           sync.Mutex
	groups       map[Outcome]*group
	units        map[string]int64
	troubles     map[string]int
	lastDefinite time.Time
	lastEnd      time.Time
}

// group is the orders of one outcome.
type group struct {
	wasFull   int
	latencies []time.Duration
}

func newTally() tally {
	groups := make(map[Outcome]*group)
	for _, o := range Outcomes() {
		groups[o] = &group{}
	}
	return tally{groups: groups, units: make(map[string]int64), troubles: make(map[string]int)}
}

// end counts a shopper who leaves.
func (t *tally) end(o Order, v visit, latency time.Duration) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groups[v.outcome]
	g.latencies = append(g.latencies, latency)
	if v.wasFull {
		g.wasFull++
	}
	t.lastEnd = now
	if v.outcome.Definite() {
		t.lastDefinite = now
	}
	if v.outcome == Confirmed {
		t.confirmed.Add(1)
		for _, line := range o.Lines {
			t.units[line.SKU] += line.Quantity
		}
	}
	if v.words != "" && (len(t.troubles) < maxTroubles || t.troubles[v.words] > 0) {
		t.troubles[v.words]++
	}
	t.ended.Add(1)
}

// Progress is how far a sale has come. All are shoppers.
type Progress struct {
	Arrived   int64
	Ended     int64 // of those, they who have left
	Confirmed int64 // of those, they whose order is confirmed
}

// Progress tells how far the sale has come. It may be asked at any time.
func (s *Sale) Progress() Progress {
	// In this order, so that no number is above the one that it is a part of.
	confirmed, ended := s.tally.confirmed.Load(), s.tally.ended.Load()
	return Progress{Arrived: s.tally.arrived.Load(), Ended: ended, Confirmed: min(confirmed, ended)}
}

// Result is what came of a sale.
type Result struct {
	Arrived  int64
	Late     int64 // shoppers of the open loop who were let in well after their time
	Requests int64 // for orders
	Repeats  int64 // of those, they that were not the first for their order

	Groups map[Outcome]Group // one for each of Outcomes
	Units  map[string]int64  // of confirmed orders, by SKU
	// Troubles are what the last answers said of orders without a good end, most frequent first. There may be
	// others than these.
	Troubles []Trouble

	Elapsed time.Duration // until the last shopper left
	// Definite is how many orders reached a definite outcome, within DefiniteIn.
	Definite   int
	DefiniteIn time.Duration

	Interrupted bool // the context ended before the sale
	TimedOut    bool
}

// Group is the orders of one outcome.
type Group struct {
	Orders  int
	WasFull int // of those, they that were once answered that the API is full
	Latency Latency
}

// Trouble is what was said of a number of orders.
type Trouble struct {
	Words  string
	Orders int
}

func (t *tally) result(began time.Time) Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Result{
		Arrived: t.arrived.Load(), Late: t.late.Load(), Requests: t.requests.Load(), Repeats: t.repeats.Load(),
		Groups: make(map[Outcome]Group, len(t.groups)), Units: t.units,
		Elapsed: since(began, t.lastEnd), DefiniteIn: since(began, t.lastDefinite),
	}
	for outcome, g := range t.groups {
		r.Groups[outcome] = Group{Orders: len(g.latencies), WasFull: g.wasFull, Latency: measure(g.latencies)}
		if outcome.Definite() {
			r.Definite += len(g.latencies)
		}
	}
	for _, words := range slices.Sorted(maps.Keys(t.troubles)) {
		r.Troubles = append(r.Troubles, Trouble{words, t.troubles[words]})
	}
	slices.SortStableFunc(r.Troubles, func(a, b Trouble) int { return cmp.Compare(b.Orders, a.Orders) })
	return r
}

// since is 0 if there is no end.
func since(began, ended time.Time) time.Duration {
	if ended.IsZero() {
		return 0
	}
	return ended.Sub(began)
}

// PerSecond gives the rate at which n of the definite outcomes came; 0 if there were none.
func (r Result) PerSecond(n int) float64 {
	if r.DefiniteIn <= 0 {
		return 0
	}
	return float64(n) / r.DefiniteIn.Seconds()
}
