package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/order"
	"holdfast/orderdb"
)

// RedriveOrders implements the port of package activities: it looks at the next unsettled orders, a bounded
// number, and has those carried that no workflow carries. What is owed for each says its row: PENDING goes on,
// closed settles. beat is told now and then that it goes on, and from where it could.
//
// The progress moves past a page once each order of it was looked at. A repeat finds those that it started
// already carried.
func (r *Reconciler) RedriveOrders(ctx context.Context, p order.ReconcileProgress, beat func(order.ReconcileProgress)) (order.ReconcileProgress, error) {
	p.Found = p.Found.Clone()
	if p.Orders.Before.IsZero() {
		p.Orders.Before = time.Now().UTC().Add(-r.cfg.Grace)
	}
	for seen := 0; seen < r.orders && !p.Orders.Done; {
		after := orderdb.Position{CreatedAt: p.Orders.CreatedAt, ID: p.Orders.ID}
		records, err := r.cfg.Orders.Unsettled(ctx, after, p.Orders.Before, r.page)
		if err != nil {
			return p, err
		}
		fates, err := r.redrive(ctx, records, p.Found.DryRun, func() { beat(p) })
		if err != nil {
			return p, err
		}
		p.Found = p.Found.Clone() // what was handed to beat stays as it was
		for i, fate := range fates {
			fate.add(&p.Found, records[i].ID)
		}
		seen += len(records)
		if len(records) > 0 {
			last := records[len(records)-1]
			p.Orders.CreatedAt, p.Orders.ID = last.CreatedAt.UTC(), last.ID
		}
		p.Orders.Done = len(records) < r.page
		beat(p)
	}
	return p, nil
}

// fate is what became of one unsettled order. With a failure it may be neither carried nor known not to be.
type fate struct {
	carried   bool
	uncarried bool
	started   bool
	failure   error // why it could not be helped
}

func (f fate) add(found *order.Reconciliation, id order.ID) {
	found.Unsettled++
	if f.carried {
		found.Carried++
	}
	if f.uncarried {
		found.AddUncarried(id)
	}
	if f.started {
		found.Redriven++
	}
	if f.failure != nil {
		found.AddFailures(1, fmt.Sprintf("%s: %v", id, f.failure))
	}
}

// redrive finds the fate of each order. What goes wrong with one leaves the others alone; the error means that
// Temporal or the order database gave no answer for any of them.
func (r *Reconciler) redrive(ctx context.Context, records []orderdb.Record, dryRun bool, alive func()) ([]fate, error) {
	fates := make([]fate, len(records))
	var answered, silent atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.atOnce)
	for i, record := range records {
		group.Go(func() error {
			if groupCtx.Err() != nil {
				return groupCtx.Err()
			}
			var err error
			if fates[i], err = r.redriveOne(groupCtx, record, dryRun); err == nil {
				answered.Add(1)
				alive()
				return nil
			}
			fates[i].failure = err
			if silent.Add(1) >= int64(r.givingUp) && answered.Load() == 0 {
				return err
			}
			alive()
			return nil
		})
	}
	err := group.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case answered.Load() == 0 && silent.Load() > 0:
		return nil, fates[0].failure
	}
	return fates, nil
}

// redriveOne looks whether the order is carried, and if not whether it still has to be: a workflow may have ended
// since the page was read. The error is one that says nothing of this order.
func (r *Reconciler) redriveOne(ctx context.Context, record orderdb.Record, dryRun bool) (fate, error) {
	if record.OwesEvent && r.cfg.EventsAreCarried {
		return fate{carried: true}, nil
	}
	carried, err := r.cfg.Carrier.Carried(ctx, record.ID)
	if carried || err != nil {
		return ofThisOrder(fate{carried: carried}, err)
	}
	record, err = r.cfg.Orders.Get(ctx, record.ID)
	switch {
	case errors.Is(err, orderdb.ErrNotFound):
		return fate{failure: errors.New("its row is gone")}, nil
	case err != nil:
		return fate{}, err
	case record.SettledAt != nil:
		return fate{carried: true}, nil
	}
	if problem := unfit(record); problem != "" {
		return fate{uncarried: true, failure: errors.New(problem)}, nil
	}
	if dryRun {
		return fate{uncarried: true}, nil
	}
	started, err := r.cfg.Carrier.Carry(ctx, record.Order)
	switch {
	case err != nil:
		return ofThisOrder(fate{uncarried: true}, err)
	case !started:
		return fate{carried: true}, nil
	}
	return fate{uncarried: true, started: true, failure: r.takeBack(ctx, record)}, nil
}

// ofThisOrder sorts a carrier's failure: a final one is this order's, any other is Temporal's.
func ofThisOrder(f fate, err error) (fate, error) {
	if failure := order.AsFailure(err); failure != nil && failure.Class == order.Final {
		f.failure = err
		return f, nil
	}
	return f, err
}

// unfit says why no workflow could carry the order as it is on record, "" if one can. Only who changes a row by
// hand makes one that cannot be.
func unfit(record orderdb.Record) string {
	if err := record.Validate(); err != nil {
		return "its row was changed by hand and is no order: " + err.Error()
	}
	if record.Order.Fingerprint() != record.Fingerprint {
		return "its row or its lines were changed by hand: they do not have the fingerprint that is on record"
	}
	return ""
}

// takeBack takes back that a workflow which is gone asked for a person: nobody else would. The new one asks
// again if it has to, much later.
func (r *Reconciler) takeBack(ctx context.Context, record orderdb.Record) error {
	if record.AttentionSince == nil {
		return nil
	}
	if _, err := r.cfg.Orders.Attend(ctx, []order.Attention{{Key: record.Key()}}); err != nil {
		return fmt.Errorf("started, but it still asks for a person: %w", err)
	}
	return nil
}
