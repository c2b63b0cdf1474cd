package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
	"unique"

	"holdfast/order"
	"holdfast/orderdb"
)

const (
	// ledgerWindow is how many orders are held in memory at a time, about 80 MB. The ledger, which is
	// sorted by time and not by order, is read once for each window.
	ledgerWindow = 500_000
	// maxRowless bounds the memory for charges without a row, and maxStale that for orders to look at
	// once more. If there are more of them, the first will do.
	maxRowless = 10_000
	maxStale   = 10_000
)

// account is an order with its money, and with its arrivals in the warehouse.
type account struct {
	standing

	net int64 // charged minus reversed, in minor units
	// odd is the part of net that is in another currency than the order's.
	odd      int64
	arrivals int
}

// standing is what of an order's row its money and its whereabouts are judged by.
type standing struct {
	status   order.Status // "" if the order has no row
	currency order.Currency
	total    int64 // minor units
	settled  bool
}

// standingOf shares the texts, of which there are few: a window is full of standings.
func standingOf(end orderdb.End) standing {
	return standing{
		status: unique.Make(end.Status).Value(), currency: unique.Make(end.Currency).Value(), total: end.Total, settled: end.SettledAt != nil,
	}
}

// window is a range of order ids with all the money that bears them.
type window struct {
	after, upTo order.ID // after is outside
	last        bool     // it has no upper end
	accounts    map[order.ID]*account
	rowless     int // accounts without a row
	foreign     int // ledger entries that bear no order's id
}

// money holds the provider's ledger against the orders. Orders are read before the ledger: what an
// order had paid when it was read, the ledger then shows.
func (r *run) money(ctx context.Context) error {
	foreign := 0
	for w := (&window{}); !w.last; {
		var err error
		if w, err = r.readOrders(ctx, w.upTo); err != nil {
			return err
		}
		entries, err := r.addLedger(ctx, w)
		if err != nil {
			return err
		}
		r.report.Checked.LedgerEntries = entries // of the last reading, if the ledger grew meanwhile
		foreign += w.foreign
		if err := r.addArrivals(ctx, w); err != nil {
			return err
		}
		if err := r.followSuspects(ctx, w.accounts); err != nil {
			return err
		}
		r.ordersUpTo = w.upTo
	}
	if foreign > 0 {
		r.notef("%d entries of the payment provider's ledger bear no order's id. They were not looked at.", foreign)
	}
	return nil
}

// readOrders reads the window of orders that begins behind the given id.
func (r *run) readOrders(ctx context.Context, after order.ID) (*window, error) {
	w := &window{after: after, upTo: after, accounts: make(map[order.ID]*account)}
	for len(w.accounts) < r.window {
		ends, err := ask(ctx, r, OrderDatabase, func() ([]orderdb.End, error) {
			return r.cfg.Orders.Ends(ctx, w.upTo, min(page, r.window-len(w.accounts)))
		})
		if err != nil {
			return nil, err
		}
		if len(ends) == 0 {
			w.last = true
			return w, r.lostLines(ctx, w.upTo, "")
		}
		if err := r.rows(ctx, ends); err != nil {
			return nil, err
		}
		last := ends[len(ends)-1].ID
		if err := r.lostLines(ctx, w.upTo, last); err != nil {
			return nil, err
		}
		for _, end := range ends {
			w.accounts[end.ID] = &account{standing: standingOf(end)}
			r.countOrder(end)
		}
		w.upTo = last
	}
	return w, nil
}

func (r *run) countOrder(end orderdb.End) {
	if end.Purged {
		r.report.Checked.Purged++
		return
	}
	r.report.Checked.Orders++
	if end.SettledAt != nil {
		return
	}
	r.inFlight(end)
	if end.OnlyEvent || end.Status.Sold() {
		if time.Since(end.CreatedAt) > r.cfg.Grace {
			r.untold++
		}
		return
	}
	if time.Since(end.CreatedAt) > r.cfg.Grace && len(r.stale) < maxStale {
		r.stale = append(r.stale, end.ID)
	}
}

// followSuspects looks a second time at the orders whose money, or whose whereabouts, seem wrong.
func (r *run) followSuspects(ctx context.Context, accounts map[order.ID]*account) error {
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		a := accounts[id]
		if kind, _ := judge(a.standing, a.net, a.odd); kind != "" {
			if err := r.follow(ctx, id, a.odd); err != nil {
				return err
			}
		}
		if kind, _ := judgeArrivals(a.standing, false, a.arrivals); kind != "" && r.cfg.Warehouse != nil {
			if err := r.followArrivals(ctx, id, a.arrivals); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow reads the row, asks the provider, and reads the row again. An order that moved in between is
// in flight, and proves nothing. The provider's entries never change, and of odd there is no second look.
func (r *run) follow(ctx context.Context, id order.ID, odd int64) error {
	if r.full() {
		return nil
	}
	before, err := r.end(ctx, id)
	if err != nil {
		return err
	}
	net, err := ask(ctx, r, PaymentLedger, func() (int64, error) { return r.cfg.Ledger.Net(ctx, id) })
	if err != nil {
		return err
	}
	after, err := r.end(ctx, id)
	if err != nil {
		return err
	}
	if before != after {
		return nil
	}
	if kind, message := judge(after, net, odd); kind != "" {
		r.violationf(kind, string(id), "%s", message)
	}
	return nil
}

// end reads where an order stands; it has no status if there is no row.
func (r *run) end(ctx context.Context, id order.ID) (standing, error) {
	ends, err := r.endsOf(ctx, []order.ID{id})
	if err != nil || len(ends) == 0 {
		return standing{}, err
	}
	return standingOf(ends[0]), nil
}

func (r *run) endsOf(ctx context.Context, ids []order.ID) ([]orderdb.End, error) {
	return ask(ctx, r, OrderDatabase, func() ([]orderdb.End, error) { return r.cfg.Orders.EndsOf(ctx, ids) })
}

// rowless makes accounts for those of the orders that have no row, unless there are too many. Most that a window does not know are only
// younger than it, and the next audit's business.
func (r *run) rowless(ctx context.Context, w *window, ids []order.ID) (map[order.ID]*account, error) {
	accounts := make(map[order.ID]*account)
	if len(ids) == 0 {
		return accounts, nil
	}
	ends, err := r.endsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, found := slices.BinarySearchFunc(ends, id, func(end orderdb.End, id order.ID) int { return cmp.Compare(end.ID, id) }); found {
			continue
		}
		if w.rowless++; w.rowless > maxRowless {
			r.report.Omitted++
			continue
		}
		accounts[id] = &account{}
	}
	maps.Copy(w.accounts, accounts)
	return accounts, nil
}

// judge says what is wrong with an order's money. An order that is PENDING, or closed and not settled,
// is on its way: its charge may be there or not.
func judge(s standing, net, odd int64) (kind Kind, message string) {
	switch {
	case s.status == "" && net != 0:
		return ChargeWithoutOrder, fmt.Sprintf("the provider holds %d for an order that has no row", net)
	case s.status.Sold() && net == 0 && s.total != 0:
		return NotCharged, fmt.Sprintf("the order is %s, and its total of %d is not charged", s.status, s.total)
	case s.status.Sold() && net != s.total:
		return WrongCharge, fmt.Sprintf("the order is %s with a total of %d, and %d is charged", s.status, s.total, net)
	case s.status.Sold() && odd != 0:
		return WrongCurrency, fmt.Sprintf("the order is %s in %s, and %d of its charge is in another currency", s.status, s.currency, odd)
	case s.status.Closed() && s.settled && net != 0:
		return ChargedForNothing, fmt.Sprintf("the order is %s and settled, and %d is still charged", s.status, net)
	}
	return "", ""
}
