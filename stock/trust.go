package stock

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/order"
)

// epochFresh is how long an epoch is believed in without asking: for so long a program may go on with counts that
// another one, cut off from Redis, has declared void.
const epochFresh = time.Second

// epochPatience bounds what asking then costs one caller a second while the order database is slow.
const epochPatience = 200 * time.Millisecond

// trust knows which of the counts in Redis may be trusted: those of the current epoch. An epoch ends when Redis was
// away, since orders went on without it, and when it was restarted, since it may have come back with an older
// state. The epoch is kept in the order database, for it has to outlive every program, and every count carries the
// one in which it was loaded.
type trust struct {
	source  Source
	metrics *frontMetrics

	epoch   atomic.Int64  // 0 until it was read
	doubted atomic.Int64  // the latest epoch that must not go on; unknownEpoch if none was known
	readAt  atomic.Int64  // when the epoch was last read or ended, in Unix nanoseconds
	asking  chan struct{} // holds a token while the epoch is asked for

	servers sync.Map // what a server said of itself, by its address
}

const unknownEpoch = math.MaxInt64

func newTrust(source Source, metrics *frontMetrics) *trust {
	return &trust{source: source, metrics: metrics, asking: make(chan struct{}, 1)}
}

// doubt ends the current epoch, as soon as somebody asks for it.
func (t *trust) doubt() {
	epoch := t.epoch.Load()
	if epoch == 0 {
		epoch = unknownEpoch
	}
	for {
		before := t.doubted.Load()
		if before >= epoch || t.doubted.CompareAndSwap(before, epoch) {
			return
		}
	}
}

// over tells whether an epoch is in doubt by now.
func (t *trust) over(epoch int64) bool { return epoch <= t.doubted.Load() }

// current gives the epoch, ending the known one first if that is in doubt.
func (t *trust) current(ctx context.Context) (int64, error) {
	if !t.over(t.epoch.Load()) {
		t.refresh(ctx)
		return t.epoch.Load(), nil
	}
	if err := t.lock(ctx); err != nil {
		return 0, err
	}
	defer t.unlock()
	known := t.epoch.Load()
	if known == 0 {
		var err error
		if known, err = t.source.Epoch(ctx); err != nil {
			return 0, err
		}
	}
	doubted := t.doubted.Load()
	if known > doubted { // someone else has ended it
		t.learn(known)
		return known, nil
	}
	next, err := t.source.NextEpoch(ctx, known)
	if err != nil {
		return 0, err
	}
	t.doubted.CompareAndSwap(unknownEpoch, known)
	t.metrics.epochs.Inc()
	t.learn(next)
	return next, nil
}

// refresh asks whether the epoch is over if nobody has for a while. It corrects nothing that is wrong by now, so
// neither its failure nor another's asking holds the caller up.
func (t *trust) refresh(ctx context.Context) {
	if time.Since(time.Unix(0, t.readAt.Load())) < epochFresh {
		return
	}
	select {
	case t.asking <- struct{}{}:
		defer t.unlock()
	default:
		return
	}
	t.readAt.Store(time.Now().UnixNano())
	ctx, cancel := context.WithTimeout(ctx, epochPatience)
	defer cancel()
	if epoch, err := t.source.Epoch(ctx); err == nil {
		t.learn(epoch)
	}
}

// reread is called by who found a count of a later epoch than the one given. The order database has the last word,
// also if it was restored from before that epoch.
func (t *trust) reread(ctx context.Context, epoch int64) (int64, error) {
	if err := t.lock(ctx); err != nil {
		return 0, err
	}
	defer t.unlock()
	if known := t.epoch.Load(); known > epoch {
		return known, nil // someone else was told as well
	}
	now, err := t.source.Epoch(ctx)
	if err == nil {
		t.learn(now)
	}
	return now, err
}

func (t *trust) learn(epoch int64) {
	t.epoch.Store(epoch)
	t.readAt.Store(time.Now().UnixNano())
}

// lock lets one caller at a time ask. The others wait no longer than they can.
func (t *trust) lock(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return order.Failf(order.Transient, "the epoch of the counts is being asked for: %w", ctx.Err())
	case t.asking <- struct{}{}:
		return nil
	}
}

func (t *trust) unlock() { <-t.asking }

// connected looks at the server behind a new connection: one that was restarted may have come back with counts from a
// while ago, and one that was a replica knows what its master had told it.
func (t *trust) connected(ctx context.Context, conn *redis.Conn) error {
	id, err := serverID(ctx, conn)
	if refused := redis.Error(nil); errors.As(err, &refused) {
		return nil // this user may not ask: a restart goes unnoticed, and rows and reconciliation correct what it brought
	}
	if err != nil {
		return err
	}
	before, known := t.servers.Swap(conn.String(), id)
	if known && before != id {
		t.doubt()
	}
	return nil
}
