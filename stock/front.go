// Package stock is the fast front in Redis: it counts units down before anything else is asked, and
// turns most shoppers of a sold-out SKU away there. It holds no truth. A missing count means "not
// loaded" and is read from the order database; one that cannot be right is deleted, never set to a
// number. While Redis is away the front says so at once, and orders go on without it. Only app, the audit
// and programs import it; activities know it as a port.
package stock

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"holdfast/order"
)

// Source is where counts come from, and what tells the programs which of them may be trusted: the order
// database.
type Source interface {
	// Available reads the stock rows of those SKUs that exist; unknown ones are absent.
	Available(ctx context.Context, skus []string) (map[string]order.Available, error)
	// Epoch gives the epoch of the counts that may be trusted.
	Epoch(ctx context.Context) (int64, error)
	// NextEpoch ends the epoch that the caller knows, unless that is over, and gives the one that is
	// now: however many programs saw Redis go, one epoch ends.
	NextEpoch(ctx context.Context, known int64) (int64, error)
}

// Config sets how long things are remembered, and where the series go. Both times must be positive.
type Config struct {
	// ReservationTTL bounds how long a reservation, or the mark of a released one, is kept after its
	// last change. A reload is always right, so it only has to outlive the repeats of a request.
	ReservationTTL time.Duration
	// IdleTTL is how long a count is kept that nobody reserves from.
	IdleTTL time.Duration
	// Registerer takes the front's series; nil drops them.
	Registerer prometheus.Registerer
	// Hook sees each command; nil for none.
	Hook redis.Hook
}

// Front is the stock front on one Redis, Sentinel set or Cluster. It may be used from many goroutines.
type Front struct {
	rdb      redis.UniversalClient
	source   Source
	cfg      Config
	patience time.Duration // bounds one pipeline, connection included
	metrics  *frontMetrics
	presence *presence
	trust    *trust
	loads    flights
	// failedAt is the hash tag of the SKU at which Redis last failed: on a Cluster, that is the part to look at.
	failedAt atomic.Value
}

// New makes a front on a client whose addresses and credentials are set in options; the rest is set here.
// Close gives the client up.
//
// The client never retries by itself: after a read time-out a script may have run, and only the step knows
// that asking again is safe. I/O is bounded by the context, and a lost server is noticed in a fraction of a
// step's budget.
func New(options *redis.UniversalOptions, source Source, cfg Config) *Front {
	const patience = 500 * time.Millisecond
	set := *options
	set.MaxRetries = -1
	set.MaxRedirects = 1 // on a Cluster this is also how often a pipeline is repeated
	set.ContextTimeoutEnabled = true
	set.DialerRetries = 1
	set.DialTimeout = cmp.Or(set.DialTimeout, patience)
	set.ReadTimeout = cmp.Or(set.ReadTimeout, patience)
	set.WriteTimeout = cmp.Or(set.WriteTimeout, patience)
	f := &Front{source: source, cfg: cfg, metrics: newFrontMetrics()}
	// On a Cluster a pipeline dials and is repeated: all of that has to fit into one of a step's three tries.
	f.patience = set.ReadTimeout + 100*time.Millisecond
	f.trust = newTrust(source, f.metrics)
	f.presence = newPresence(f.probe, f.trust.doubt)
	set.OnConnect = f.trust.connected
	if set.MasterName == "" && (set.IsClusterMode || len(set.Addrs) > 1) {
		nodes := set.Cluster()
		nodes.ClusterStateReloadInterval = 2 * time.Second // of a failover, nothing else tells
		f.rdb = redis.NewClusterClient(nodes)
	} else {
		f.rdb = redis.NewUniversalClient(&set)
	}
	if cfg.Hook != nil {
		f.rdb.AddHook(cfg.Hook)
	}
	f.metrics.register(cfg.Registerer, f)
	return f
}

// Close waits for loads under way, which are short, and gives the client up.
func (f *Front) Close() error {
	f.loads.wait()
	return f.rdb.Close()
}

// Degraded tells whether Redis is thought to be away, so that orders go on without it.
func (f *Front) Degraded() bool { return f.presence.away() }

// Reserve implements the port of package activities.
func (f *Front) Reserve(ctx context.Context, orders []order.Order) []order.Outcome[order.Reservation] {
	claims := make([]claim, 0, len(orders))
	for i, o := range orders {
		fingerprint := string(o.Fingerprint())
		for _, line := range o.Lines {
			claims = append(claims, claim{order: i, sku: line.SKU, call: f.reserveCall(o, line, fingerprint)})
		}
	}
	if err := f.claimAll(ctx, claims); err != nil {
		return f.unreserved(ctx, len(orders), err)
	}
	outcomes := make([]order.Outcome[order.Reservation], len(orders))
	for len(claims) > 0 {
		n := 1
		for n < len(claims) && claims[n].order == claims[0].order {
			n++
		}
		outcomes[claims[0].order] = reservation(claims[:n])
		claims = claims[n:]
	}
	return outcomes
}

// unreserved lets orders go on without Redis, once it is sure that no count from before will be trusted
// again: none of them knows what is sold meanwhile.
func (f *Front) unreserved(ctx context.Context, n int, err error) []order.Outcome[order.Reservation] {
	outcome := order.Decided(order.Reservation{Verdict: order.Unreserved})
	if err := f.instead(ctx, err); err != nil {
		outcome = order.Undecided[order.Reservation](err)
	} else {
		f.metrics.unreserved.Add(float64(n))
	}
	outcomes := make([]order.Outcome[order.Reservation], n)
	for i := range outcomes {
		outcomes[i] = outcome
	}
	return outcomes
}

// instead is what is done in the place of any correction to a count while Redis is away: all counts from
// before lose their trust. It returns any other error as it is.
func (f *Front) instead(ctx context.Context, err error) error {
	if errors.Is(err, errAway) {
		_, err = f.trust.current(ctx)
	}
	return err
}

// claim is one line on its way through Redis.
type claim struct {
	order  int // index into the batch
	sku    string
	call   call
	answer string // the script's word, once there is one
	err    error
}

// Answers of the scripts beside the verdicts that they share with package order.
const (
	answerFound      = "found"
	answerReserved   = "reserved"
	answerNotLoaded  = "not_loaded"
	answerSoldOut    = "sold_out"
	answerLimit      = "limit_exceeded"
	answerReleased   = "released"
	answerKeyReused  = "key_reused"
	answerUnknownSKU = "unknown_sku"
	answerTaken      = "taken"
	answerLoading    = "loading"
	answerLoaded     = "loaded"
	answerStale      = "stale"
	answerAligned    = "aligned"
	answerOutdated   = "outdated"
)

// claimAll runs the claims, loads what is not loaded, and runs those again, until each has an answer
// or an error. Its own error is errAway: nothing was asked, or not all of it.
func (f *Front) claimAll(ctx context.Context, claims []claim) error {
	open := make([]*claim, len(claims))
	for i := range claims {
		open[i] = &claims[i]
	}
	for len(open) > 0 {
		calls := make([]call, len(open))
		for i, c := range open {
			calls[i] = c.call
		}
		replies, err := f.run(ctx, calls)
		if err != nil {
			return err
		}
		for i, reply := range replies {
			open[i].answer, open[i].err = reply.text, reply.err
		}
		if open, err = f.load(ctx, notLoaded(open)); err != nil {
			return err
		}
	}
	return nil
}

func notLoaded(claims []*claim) []*claim {
	var cold []*claim
	for _, c := range claims {
		if c.err == nil && c.answer == answerNotLoaded {
			cold = append(cold, c)
		}
	}
	return cold
}

// reservation folds the lines' answers into the order's. What was reserved beside a refused line stays
// so until the order's row is closed: only then may anything be released.
func reservation(lines []claim) order.Outcome[order.Reservation] {
	r := order.Reservation{Verdict: order.Reserved}
	var soldOut, unknown, beyond []string
	reused := false
	for _, line := range lines {
		if line.err != nil {
			return order.Undecided[order.Reservation](line.err)
		}
		switch line.answer {
		case answerReserved, answerFound:
			r.Taken = true
		case answerSoldOut:
			soldOut = append(soldOut, line.sku)
		case answerLimit:
			beyond = append(beyond, line.sku)
		case answerUnknownSKU:
			unknown = append(unknown, line.sku)
		case answerReleased:
			r.Verdict = order.Released
		case answerKeyReused:
			reused = true
		default:
			return order.Undecided[order.Reservation](errors.New("stock script answered " + strconv.Quote(line.answer)))
		}
	}
	switch {
	case reused:
		r.Verdict = order.KeyReused
	case len(unknown) > 0:
		r.Verdict, r.SKUs, r.AlsoRefused = order.UnknownSKU, unknown, slices.Concat(soldOut, beyond)
	case len(soldOut) > 0:
		r.Verdict, r.SKUs, r.AlsoRefused = order.SoldOut, soldOut, beyond
	case len(beyond) > 0:
		r.Verdict, r.SKUs = order.LimitExceeded, beyond
	}
	return order.Decided(r)
}

// Release implements the port of package activities.
func (f *Front) Release(ctx context.Context, releases []order.Releasing) []order.Outcome[order.Verdict] {
	var calls []call
	for _, r := range releases {
		fingerprint := string(r.Order.Fingerprint())
		for _, line := range r.Order.Lines {
			calls = append(calls, f.releaseCall(r, line, fingerprint))
		}
	}
	outcomes := make([]order.Outcome[order.Verdict], len(releases))
	replies, err := f.run(ctx, calls)
	if err != nil {
		err = f.instead(ctx, err)
		for i := range outcomes {
			if outcomes[i] = order.Decided(order.Released); err != nil {
				outcomes[i] = order.Undecided[order.Verdict](err)
			}
		}
		return outcomes
	}
	for i, r := range releases {
		outcomes[i] = order.Decided(order.Released)
		for _, reply := range replies[:len(r.Order.Lines)] {
			if err := reply.failed(answerReleased, answerKeyReused); err != nil {
				outcomes[i] = order.Undecided[order.Verdict](err)
			} else if reply.text == answerKeyReused && outcomes[i].Failure == nil {
				outcomes[i] = order.Decided(order.KeyReused)
			}
		}
		replies = replies[len(r.Order.Lines):]
	}
	return outcomes
}

// Align implements the port of package activities.
func (f *Front) Align(ctx context.Context, held []order.Held) error {
	var calls []call
	for _, h := range held {
		fingerprint := string(h.Order.Fingerprint())
		for _, line := range h.Order.Lines {
			calls = append(calls, f.alignCall(h, line, fingerprint))
		}
	}
	replies, err := f.run(ctx, calls)
	if err != nil {
		return f.instead(ctx, err)
	}
	for _, r := range replies {
		if err := r.failed(answerAligned, answerNotLoaded); err != nil {
			return err
		}
	}
	return nil
}

// Forget implements the port of package activities. It takes away the loaders' tokens as well, so that
// a count read before this call is never written after it.
func (f *Front) Forget(ctx context.Context, skus []string) error {
	if len(skus) == 0 {
		return nil
	}
	err := f.pipe(ctx, skus[0], func(pipe redis.Pipeliner) {
		for _, sku := range skus {
			pipe.Del(ctx, stockKey(sku), loaderKey(sku))
		}
	})
	if err == nil {
		f.metrics.forgotten.Add(float64(len(skus)))
	}
	return f.instead(ctx, err)
}

// Ping tells whether Redis answers, and if it was away, notices that it is back.
func (f *Front) Ping(ctx context.Context) error {
	if err := f.presence.admit(ctx); err != nil {
		return err
	}
	return f.rdb.Ping(ctx).Err()
}

// admit gives the epoch for a call that may be made. The error is errAway if Redis is away.
func (f *Front) admit(ctx context.Context) (int64, error) {
	if err := f.presence.admit(ctx); err != nil {
		return 0, err
	}
	return f.trust.current(ctx)
}

// probe tells whether Redis takes what orders ask of it again, where it last failed: a script that writes.
func (f *Front) probe(ctx context.Context) error {
	tag, _ := f.failedAt.Load().(string)
	keys := []string{"s:" + tag + " probe", "l:" + tag + " probe"} // no SKU has a blank
	answer, err := takeScript.Eval(ctx, f.rdb, keys, 0, "probe", (probePause / 2).Milliseconds()).Text()
	return reply{text: answer, err: err}.failed(answerTaken)
}
