package audit_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"holdfast/audit"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/payment"
	"holdfast/warehouse"
)

// moody is a system of which each reading fails the first time.
type moody struct {
	*orderdb.DB
	*ledger
	*storeroom

	asked *sync.Map
}

func (m moody) fails(reading string) bool {
	_, before := m.asked.LoadOrStore(reading, true)
	return !before
}

func moodily[T any](m moody, reading string, read func() (T, error)) (answer T, err error) {
	if m.fails(reading) {
		return answer, errAway
	}
	return read()
}

func (m moody) Balances(ctx context.Context, after string, limit int) ([]orderdb.Balance, error) {
	return moodily(m, "balances", func() ([]orderdb.Balance, error) { return m.DB.Balances(ctx, after, limit) })
}

func (m moody) BalancesOf(ctx context.Context, skus []string) ([]orderdb.Balance, error) {
	return moodily(m, "balances again", func() ([]orderdb.Balance, error) { return m.DB.BalancesOf(ctx, skus) })
}

func (m moody) LostStock(ctx context.Context, limit int) ([]string, error) {
	return moodily(m, "lost stock", func() ([]string, error) { return m.DB.LostStock(ctx, limit) })
}

func (m moody) Ends(ctx context.Context, after order.ID, limit int) ([]orderdb.End, error) {
	return moodily(m, "orders", func() ([]orderdb.End, error) { return m.DB.Ends(ctx, after, limit) })
}

func (m moody) EndsOf(ctx context.Context, ids []order.ID) ([]orderdb.End, error) {
	return moodily(m, "orders again", func() ([]orderdb.End, error) { return m.DB.EndsOf(ctx, ids) })
}

func (m moody) LostLines(ctx context.Context, after, upTo order.ID, limit int) ([]order.ID, error) {
	return moodily(m, "lost lines", func() ([]order.ID, error) { return m.DB.LostLines(ctx, after, upTo, limit) })
}

func (m moody) Get(ctx context.Context, id order.ID) (orderdb.Record, error) {
	return moodily(m, "order", func() (orderdb.Record, error) { return m.DB.Get(ctx, id) })
}

func (m moody) List(ctx context.Context, f orderdb.Filter) ([]orderdb.Record, error) {
	return moodily(m, "list", func() ([]orderdb.Record, error) { return m.DB.List(ctx, f) })
}

func (m moody) Assigned(ctx context.Context, id order.ID) (bool, error) {
	return moodily(m, "assigned", func() (bool, error) { return m.DB.Assigned(ctx, id) })
}

func (m moody) Net(ctx context.Context, id order.ID) (int64, error) {
	return moodily(m, "net", func() (int64, error) { return m.ledger.Net(ctx, id) })
}

func (m moody) Ledger(ctx context.Context, after int64, limit int) ([]payment.Entry, int64, error) {
	if m.fails("ledger") {
		return nil, 0, errAway
	}
	return m.ledger.Ledger(ctx, after, limit)
}

func (m moody) Arrivals(ctx context.Context, after int64, limit int) ([]warehouse.Arrival, int64, error) {
	if m.fails("arrivals") {
		return nil, 0, errAway
	}
	return m.storeroom.Arrivals(ctx, after, limit)
}

// TestAnAuditOutlastsAReadingThatFails, each of its kinds.
func TestAnAuditOutlastsAReadingThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	notThere, uncharged, silent := w.handedOff("a"), w.confirmed("b"), w.pending("c")
	w.ledger.reverse(uncharged.ID)
	w.front.counts["pen"] = 1
	w.exec("UPDATE stock SET on_hand = 90 WHERE sku = 'mug'")
	w.exec("UPDATE orders SET created_at = ?, updated_at = ? WHERE id = ?", time.Now().Add(-2*time.Hour).UTC(), time.Now().Add(-2*time.Hour).UTC(), silent.ID)
	m := moody{DB: w.db, ledger: w.ledger, storeroom: &storeroom{}, asked: &sync.Map{}}
	cfg := w.config()
	cfg.Orders, cfg.Ledger, cfg.Warehouse, cfg.Patience = m, m, m, time.Minute
	report := w.audit(cfg)
	w.wants(report, string(audit.FrontDiffers)+" pen", string(audit.NotCharged)+" "+string(uncharged.ID),
		string(audit.NotDelivered)+" "+string(notThere.ID), string(audit.OnHandDiffers)+" mug", string(audit.Unsettled)+" "+string(silent.ID))
	for _, reading := range []string{
		"balances", "balances again", "lost stock", "orders", "orders again", "lost lines", "order", "list", "assigned", "net", "ledger", "arrivals",
	} {
		if m.fails(reading) {
			t.Errorf("nobody read the %s", reading)
		}
	}
}

// TestArrivalsYoungerThanTheWindowAreNotSuspicious, however many there are.
func TestArrivalsYoungerThanTheWindowAreNotSuspicious(t *testing.T) {
	t.Parallel()
	w, room := newWorld(t), &storeroom{}
	looked := 0
	room.asked = func() {
		if looked++; looked == 1 {
			for _, key := range []string{"a", "b", "c"} {
				room.take(w.handedOff(key).ID)
			}
		}
	}
	m := counted{DB: w.db, ends: new(int)}
	cfg := w.config()
	cfg.Orders, cfg.Warehouse = m, room
	w.wants(w.audit(cfg))
	if *m.ends > 2 {
		t.Errorf("%d times orders were looked at again; want once for each page of arrivals", *m.ends)
	}
}

// counted counts how often orders are looked at again.
type counted struct {
	*orderdb.DB

	ends *int
}

func (c counted) EndsOf(ctx context.Context, ids []order.ID) ([]orderdb.End, error) {
	*c.ends++
	return c.DB.EndsOf(ctx, ids)
}
