// Package stock is the fast front in Redis: it counts units down before anything else is asked, and
// turns most shoppers of a sold-out SKU away there. It holds no truth. A missing count means "not
// loaded" and is read from the order database; a wrong one is deleted, never corrected. Only app, the
// audit and programs import it; activities know it as a port.
package stock

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/order"
)

// Source is where counts come from: the order database.
type Source interface {
	// Available gives on hand minus reserved for each SKU that exists; unknown ones are absent.
	Available(ctx context.Context, skus []string) (map[string]int64, error)
}

// Config sets how long things are remembered. Both times must be positive.
type Config struct {
	// ReservationTTL bounds how long a reservation, or the mark of a released one, is kept after its
	// last change. A reload is always right, so it only has to outlive the repeats of a request.
	ReservationTTL time.Duration
	// IdleTTL is how long a count is kept that nobody reserves from.
	IdleTTL time.Duration
}

// Front is the stock front on one Redis, Sentinel set or Cluster. It may be used from many goroutines.
type Front struct {
	rdb    redis.UniversalClient
	source Source
	cfg    Config
}

// New makes a front. The client must not retry by itself and must keep to context deadlines; NewClient
// makes such a one.
func New(rdb redis.UniversalClient, source Source, cfg Config) *Front {
	return &Front{rdb: rdb, source: source, cfg: cfg}
}

// NewClient makes a client from options whose addresses and credentials are set. It never retries by
// itself: after a read time-out a script may have run, and only the step knows that asking again is
// safe. I/O is bounded by the context, and a lost server is noticed in a fraction of a step's budget.
func NewClient(options *redis.UniversalOptions) redis.UniversalClient {
	const patience = 500 * time.Millisecond
	options.MaxRetries = -1
	options.ContextTimeoutEnabled = true
	options.DialTimeout = patience
	options.DialerRetries = 1
	options.ReadTimeout = patience
	options.WriteTimeout = patience
	return redis.NewUniversalClient(options)
}

// Reserve implements the port of package activities.
func (f *Front) Reserve(ctx context.Context, orders []order.Order) []order.Outcome[order.Reservation] {
	claims := make([]claim, 0, len(orders))
	for i, o := range orders {
		fingerprint := string(o.Fingerprint())
		for _, line := range o.Lines {
			claims = append(claims, claim{order: i, sku: line.SKU, call: f.reserveCall(o.ID, line, fingerprint)})
		}
	}
	f.claimAll(ctx, claims)
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

// claim is one line on its way through Redis.
type claim struct {
	order  int // index into the batch
	sku    string
	call   call
	answer string // the script's word, once there is one
	err    error
}

// Answers of the reserve script beside the verdicts that it shares with package order, and of those of
// the loader.
const (
	answerFound      = "found"
	answerReserved   = "reserved"
	answerNotLoaded  = "not_loaded"
	answerSoldOut    = "sold_out"
	answerReleased   = "released"
	answerKeyReused  = "key_reused"
	answerUnknownSKU = "unknown_sku"
	answerTaken      = "taken"
	answerLoading    = "loading"
)

// claimAll runs the claims, loads what is not loaded, and runs those again, until each has an answer
// or an error.
func (f *Front) claimAll(ctx context.Context, claims []claim) {
	open := make([]*claim, len(claims))
	for i := range claims {
		open[i] = &claims[i]
	}
	for len(open) > 0 {
		calls := make([]call, len(open))
		for i, c := range open {
			calls[i] = c.call
		}
		for i, reply := range f.run(ctx, calls) {
			open[i].answer, open[i].err = reply.text, reply.err
		}
		open = f.load(ctx, notLoaded(open))
	}
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
	var soldOut, unknown []string
	reused := false
	for _, line := range lines {
		if line.err != nil {
			return order.Undecided[order.Reservation](line.err)
		}
		switch line.answer {
		case answerReserved, answerFound:
			r.Holds = true
		case answerSoldOut:
			soldOut = append(soldOut, line.sku)
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
		r.Verdict, r.SKUs = order.UnknownSKU, unknown
	case len(soldOut) > 0:
		r.Verdict, r.SKUs = order.SoldOut, soldOut
	}
	return order.Decided(r)
}

// Release implements the port of package activities.
func (f *Front) Release(ctx context.Context, releases []order.Releasing) []order.Outcome[order.Verdict] {
	var calls []call
	for _, r := range releases {
		fingerprint := string(r.Order.Fingerprint())
		for _, line := range r.Order.Lines {
			calls = append(calls, f.releaseCall(r, line.SKU, fingerprint))
		}
	}
	replies := f.run(ctx, calls)
	outcomes := make([]order.Outcome[order.Verdict], len(releases))
	for i, r := range releases {
		outcomes[i] = order.Decided(order.Released)
		for _, reply := range replies[:len(r.Order.Lines)] {
			if reply.err != nil {
				outcomes[i] = order.Undecided[order.Verdict](reply.err)
			} else if reply.text == answerKeyReused && outcomes[i].Failure == nil {
				outcomes[i] = order.Decided(order.KeyReused)
			}
		}
		replies = replies[len(r.Order.Lines):]
	}
	return outcomes
}

// Verify implements the port of package activities.
func (f *Front) Verify(ctx context.Context, orders []order.Order) error {
	var calls []call
	for _, o := range orders {
		fingerprint := string(o.Fingerprint())
		for _, sku := range o.SKUs() {
			calls = append(calls, verifyCall(o.ID, sku, fingerprint))
		}
	}
	for _, r := range f.run(ctx, calls) {
		if r.err != nil {
			return r.err
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
	pipe := f.rdb.Pipeline()
	for _, sku := range skus {
		pipe.Del(ctx, stockKey(sku), loaderKey(sku))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return failure(err)
	}
	return nil
}

// Counts gives the units that Redis would still reserve, for those SKUs that are loaded.
func (f *Front) Counts(ctx context.Context, skus []string) (map[string]int64, error) {
	pipe := f.rdb.Pipeline()
	replies := make([]*redis.StringCmd, len(skus))
	for i, sku := range skus {
		replies[i] = pipe.HGet(ctx, stockKey(sku), "units")
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, failure(err)
	}
	counts := make(map[string]int64, len(skus))
	for i, reply := range replies {
		units, err := reply.Int64()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return nil, failure(err)
		}
		counts[skus[i]] = units
	}
	return counts, nil
}

// Ping tells whether Redis answers.
func (f *Front) Ping(ctx context.Context) error { return f.rdb.Ping(ctx).Err() }
