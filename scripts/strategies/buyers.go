//go:build unix

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"
)

// load is what each strategy is put under.
type load struct {
	buyers, attempts int
	units            int64
	rounds           int
}

func (l load) valid() error {
	if l.buyers < 1 || l.attempts < 1 || l.units < 1 || l.rounds < 1 {
		return errors.New("buyers, attempts, units and rounds must be at least 1")
	}
	if orders := int64(l.buyers) * int64(l.attempts); orders <= l.units {
		return fmt.Errorf("%d orders do not sell %d units out", orders, l.units)
	}
	return nil
}

// errGaveUp is an order whose every transaction had to be repeated. Its buyer does not know whether there are units.
var errGaveUp = errors.New("gave up")

// buyer places one order after the other.
type buyer struct {
	held, refused, gaveUp int64
	took                  []time.Duration // for each unit held
	last                  time.Duration   // when the last unit was held
}

// run lets all buyers buy at once and returns what they saw. An error that no repetition mends ends it.
func (l load) run(ctx context.Context, buy buy) (result, error) {
	buyers := make([]buyer, l.buyers)
	all, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	for i := range buyers {
		all.Go(func() error { return buyers[i].shop(ctx, l, i, begin, buy) })
	}
	if err := all.Wait(); err != nil {
		return result{}, err
	}
	r := result{units: l.units, ended: time.Since(begin)}
	for _, b := range buyers {
		r.told += b.held
		r.refused += b.refused
		r.gaveUp += b.gaveUp
		r.latencies = append(r.latencies, b.took...)
		r.took = max(r.took, b.last)
	}
	return r, nil
}

func (b *buyer) shop(ctx context.Context, l load, number int, begin time.Time, buy buy) error {
	for attempt := range l.attempts {
		asked := time.Now()
		held, err := buy(ctx, fmt.Sprintf("%d-%d", number, attempt))
		switch {
		case errors.Is(err, errGaveUp):
			b.gaveUp++
		case err != nil:
			return err
		case held:
			b.held++
			b.took = append(b.took, time.Since(asked))
			b.last = time.Since(begin)
		default:
			b.refused++
		}
	}
	return nil
}

// tally counts what made transactions start over.
type tally struct{ deadlocks, lockWaits, snapshots atomic.Int64 }

// maxTries is orderdb's.
const maxTries = 8

// transact runs fn in a transaction, and again as a whole where the server asks for that.
func (t *tally) transact(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	for range maxTries {
		if err := transactOnce(ctx, db, fn); err == nil || !t.repeats(err) {
			return err
		}
	}
	return errGaveUp
}

func transactOnce(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback() // what went wrong is known already
		return err
	}
	return tx.Commit()
}

// repeats counts an error after which the transaction may be repeated.
func (t *tally) repeats(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return false
	}
	switch e.Number {
	case 1213:
		t.deadlocks.Add(1)
	case 1205:
		t.lockWaits.Add(1)
	case 1020:
		t.snapshots.Add(1)
	default:
		return false
	}
	return true
}
