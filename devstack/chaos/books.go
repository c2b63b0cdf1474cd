package chaos

import (
	"context"
	"database/sql"
	"fmt"

	_ "github.com/go-sql-driver/mysql" // registers "mysql"

	"holdfast/devstack/shop"
	"holdfast/internal/testserver"
	"holdfast/order"
)

// books are what is on record when all is quiet, read past holdfast: from the database and the provider.
type books struct {
	orders map[order.ID]record
	stock  map[string]shop.Stock
	// arrived is how often the warehouse has each order that it has.
	arrived map[order.ID]int
}

func (s *site) readBooks(ctx context.Context) (books, error) {
	b := books{orders: make(map[order.ID]record), stock: make(map[string]shop.Stock), arrived: make(map[order.ID]int)}
	db, err := sql.Open("mysql", testserver.DSN(s.database.Addr(), schema))
	if err != nil {
		return b, err
	}
	defer db.Close()
	for _, read := range []func(context.Context, *sql.DB) error{b.readOrders, b.readStock} {
		if err := read(ctx, db); err != nil {
			return b, fmt.Errorf("read the database: %w", err)
		}
	}
	entries, err := s.shops[0].Ledger(ctx, s.providerURL())
	if err != nil {
		return b, fmt.Errorf("read the provider's ledger: %w", err)
	}
	for _, e := range entries {
		r := b.orders[e.Reference]
		if e.Kind == "charge" {
			r.net += e.Amount
			r.charges++
		} else {
			r.net -= e.Amount
			r.reversals++
		}
		b.orders[e.Reference] = r
	}
	arrivals, err := s.shops[0].Arrivals(ctx, s.warehouse.URL())
	if err != nil {
		return b, fmt.Errorf("read the warehouse's arrivals: %w", err)
	}
	for _, id := range arrivals {
		b.arrived[id]++
	}
	return b, nil
}

func (b books) readOrders(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT id, status, reason, total, settled_at IS NOT NULL FROM orders")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var o shop.Order
		if err := rows.Scan(&o.ID, &o.Status, &o.Reason, &o.Total, &o.Settled); err != nil {
			return err
		}
		b.orders[o.ID] = record{order: o}
	}
	return rows.Err()
}

func (b books) readStock(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT sku, on_hand, reserved FROM stock")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s shop.Stock
		if err := rows.Scan(&s.SKU, &s.OnHand, &s.Reserved); err != nil {
			return err
		}
		b.stock[s.SKU] = s
	}
	return rows.Err()
}

// judgeStock compares the units on hand with what came in and what was sold to whom. received is by SKU.
func (b books) judgeStock(purchases []*purchase, received map[string]int64) (violations []string) {
	sold := make(map[string]int64)
	for _, p := range purchases {
		if !b.orders[p.id()].order.Status.Sold() {
			continue
		}
		for _, line := range p.request.Lines {
			sold[line.SKU] += line.Quantity
		}
	}
	for sku, in := range received {
		if s := b.stock[sku]; s.OnHand != in-sold[sku] || s.Reserved != 0 {
			violations = append(violations, fmt.Sprintf("%s: %d units came in and %d were sold; %d are on hand, %d reserved",
				sku, in, sold[sku], s.OnHand, s.Reserved))
		}
	}
	return violations
}

// judgeArrivals holds what the warehouse has against the orders: each that is handed off once, and beside those only some that are
// confirmed and on their way.
func (b books) judgeArrivals() (violations []string) {
	for id, n := range b.arrived {
		if status := b.orders[id].order.Status; n > 1 || !status.Sold() {
			violations = append(violations, fmt.Sprintf("%s: the warehouse has it %d times, and on record it is %s", id, n, b.orders[id].words()))
		}
	}
	for id, r := range b.orders {
		if r.order.Status == order.HandedOff && b.arrived[id] == 0 {
			violations = append(violations, fmt.Sprintf("%s: it is handed off, and the warehouse does not have it", id))
		}
	}
	return violations
}

// judgeStrangers finds orders and charges that nobody asked for.
func (b books) judgeStrangers(purchases []*purchase) (violations []string) {
	asked := make(map[order.ID]bool, len(purchases))
	for _, p := range purchases {
		asked[p.id()] = true
	}
	for id, r := range b.orders {
		if !asked[id] {
			violations = append(violations, fmt.Sprintf("%s: nobody placed it, and it is %s with %d minor units", id, r.words(), r.net))
		}
	}
	return violations
}
