//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"holdfast/order"
	"holdfast/orderdb"
)

// strategy is a way to hold units. Whatever it is, an order that gets its unit has a row of orders and one of
// order_lines, written in the transaction that decided it.
type strategy struct {
	name string
	open opener
	// times is how much of the load it is given, to be busy for some seconds.
	times int
	// uncounted tells that stock.reserved is not kept.
	uncounted bool
	// opaque tells that it repeats its transactions unseen by the tally.
	opaque bool
}

// opener fills an empty database and returns how a unit is bought there, until ctx ends.
type opener func(ctx context.Context, db *orderdb.DB, units int64, t *tally) (buy, error)

// buy asks for one unit, as the order of that id. False means sold out.
type buy func(ctx context.Context, id string) (held bool, err error)

var strategies = []strategy{
	{name: "FOR UPDATE, UPDATE", open: oneByOne(lockThenUpdate), times: 2},
	{name: "guarded UPDATE", open: oneByOne(guardedUpdate), times: 2},
	// Each order reads all that were before it, so that more of them would only be slower.
	{name: "INSERT SELECT WHERE", open: oneByOne(insertWhere), times: 1, uncounted: true},
	{name: "guarded UPDATE per batch", open: inBatches(perBatch(reserveAllOrEach)), times: 20},
	// What orderdb does, on the same tables as the others, and as it is.
	{name: "FOR UPDATE, guarded UPDATE per batch", open: inBatches(perBatch(lockThenReserve)), times: 20},
	{name: "orderdb.Open per batch", open: inBatches(openBatch), times: 10, opaque: true},
}

const sku = "mug"

// tables are orderdb's, less what no strategy here reads, and without the CHECK that would keep a wrong one from
// overselling.
var tables = []string{
	"CREATE TABLE stock (sku VARCHAR(64) NOT NULL PRIMARY KEY, on_hand BIGINT NOT NULL, reserved BIGINT NOT NULL) ENGINE = InnoDB",
	"CREATE TABLE orders (id VARCHAR(30) NOT NULL PRIMARY KEY, status VARCHAR(16) NOT NULL, created_at DATETIME(6) NOT NULL) ENGINE = InnoDB",
	// The second key is for INSERT SELECT WHERE, which adds up the lines of a SKU each time.
	"CREATE TABLE order_lines (order_id VARCHAR(30) NOT NULL, sku VARCHAR(64) NOT NULL, quantity BIGINT NOT NULL," +
		" PRIMARY KEY (order_id, sku), KEY (sku, quantity)) ENGINE = InnoDB",
}

func createTables(ctx context.Context, db *sql.DB, units int64) error {
	for _, statement := range tables {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err := db.ExecContext(ctx, "INSERT INTO stock VALUES (?, ?, 0)", sku, units)
	return err
}

// oneByOne gives each order a transaction of its own.
func oneByOne(hold func(ctx context.Context, tx *sql.Tx, id string) (bool, error)) opener {
	return func(ctx context.Context, db *orderdb.DB, units int64, t *tally) (buy, error) {
		if err := createTables(ctx, db.Pool(), units); err != nil {
			return nil, err
		}
		return func(ctx context.Context, id string) (held bool, err error) {
			err = t.transact(ctx, db.Pool(), func(tx *sql.Tx) error {
				held, err = hold(ctx, tx, id)
				return err
			})
			return held, err
		}, nil
	}
}

// lockThenUpdate decides in the program, by the row that it locked.
func lockThenUpdate(ctx context.Context, tx *sql.Tx, id string) (bool, error) {
	available, err := lock(ctx, tx)
	if err != nil || available < 1 {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE stock SET reserved = reserved + 1 WHERE sku = ?", sku); err != nil {
		return false, err
	}
	return true, record(ctx, tx, id)
}

// guardedUpdate lets the condition of the UPDATE decide.
func guardedUpdate(ctx context.Context, tx *sql.Tx, id string) (bool, error) {
	held, err := reserve(ctx, tx, 1)
	if err != nil || !held {
		return false, err
	}
	return true, record(ctx, tx, id)
}

// insertWhere keeps no counter: the lines are what is held, and one is inserted only where their sum leaves room.
func insertWhere(ctx context.Context, tx *sql.Tx, id string) (bool, error) {
	result, err := tx.ExecContext(ctx, "INSERT INTO order_lines (order_id, sku, quantity)"+
		" SELECT ?, s.sku, 1 FROM stock s WHERE s.sku = ?"+
		" AND (SELECT COALESCE(SUM(l.quantity), 0) FROM order_lines l WHERE l.sku = ?) + 1 <= s.on_hand", id, sku, sku)
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return true, insertOrders(ctx, tx, id)
}

// perBatch gives a batch one transaction and one INSERT for each table.
func perBatch(hold func(ctx context.Context, tx *sql.Tx, orders int) (held []bool, err error)) batchOpener {
	return func(ctx context.Context, db *orderdb.DB, units int64, t *tally) (decide, error) {
		if err := createTables(ctx, db.Pool(), units); err != nil {
			return nil, err
		}
		return func(ctx context.Context, ids []string) (held []bool, err error) {
			err = t.transact(ctx, db.Pool(), func(tx *sql.Tx) error {
				if held, err = hold(ctx, tx, len(ids)); err != nil {
					return err
				}
				var holding []string
				for i, id := range ids {
					if held[i] {
						holding = append(holding, id)
					}
				}
				return record(ctx, tx, holding...)
			})
			return held, err
		}, nil
	}
}

// reserveAllOrEach asks for the units of the whole batch at once, and for those of each order where that is more than
// there are.
func reserveAllOrEach(ctx context.Context, tx *sql.Tx, orders int) (held []bool, err error) {
	held = make([]bool, orders)
	all, err := reserve(ctx, tx, orders)
	for i := 0; i < orders && err == nil; i++ {
		if held[i] = all; !all {
			held[i], err = reserve(ctx, tx, 1)
		}
	}
	return held, err
}

// lockThenReserve decides each order by the row that it locked, and asks for what they come to.
func lockThenReserve(ctx context.Context, tx *sql.Tx, orders int) (held []bool, err error) {
	available, err := lock(ctx, tx)
	if err != nil {
		return nil, err
	}
	held = make([]bool, orders)
	units := int(min(available, int64(orders)))
	if units == 0 {
		return held, nil
	}
	for i := range units {
		held[i] = true
	}
	fits, err := reserve(ctx, tx, units)
	if err == nil && !fits {
		err = fmt.Errorf("a locked row with %d units has no %d", available, units)
	}
	return held, err
}

// openBatch is the product itself: wider tables with more keys, and a row for each refused order too.
func openBatch(ctx context.Context, db *orderdb.DB, units int64, _ *tally) (decide, error) {
	if _, _, err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	if _, _, err := db.SetStock(ctx, sku, orderdb.Setting{OnHand: units}, 0); err != nil {
		return nil, err
	}
	return func(ctx context.Context, ids []string) ([]bool, error) {
		openings := make([]order.Opening, len(ids))
		for i, id := range ids {
			o, err := order.New("ada", id, "EUR", "tok_ok", []order.Line{{SKU: sku, Quantity: 1, UnitPrice: 1999}})
			if err != nil {
				return nil, err
			}
			openings[i] = order.Opening{
				Order: o, WorkflowID: "order/" + string(o.ID),
				Reservation: order.Reservation{Verdict: order.Reserved, Taken: true},
			}
		}
		rows, err := db.Open(ctx, openings)
		held := make([]bool, len(rows))
		for i, row := range rows {
			held[i] = row.Status == order.Pending
		}
		return held, err
	}, nil
}

// lock reads what is available and keeps it so.
func lock(ctx context.Context, tx *sql.Tx) (available int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT on_hand - reserved FROM stock WHERE sku = ? FOR UPDATE", sku).Scan(&available)
	return available, err
}

// reserve is the guarded UPDATE.
func reserve(ctx context.Context, tx *sql.Tx, units int) (held bool, err error) {
	result, err := tx.ExecContext(ctx, "UPDATE stock SET reserved = reserved + ? WHERE sku = ? AND reserved + ? <= on_hand", units, sku, units)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// record writes the rows of orders that hold their units.
func record(ctx context.Context, tx *sql.Tx, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	if err := insertOrders(ctx, tx, ids...); err != nil {
		return err
	}
	return insert(ctx, tx, "INSERT INTO order_lines (order_id, sku, quantity) VALUES ", "(?, '"+sku+"', 1)", ids)
}

func insertOrders(ctx context.Context, tx *sql.Tx, ids ...string) error {
	return insert(ctx, tx, "INSERT INTO orders (id, status, created_at) VALUES ", "(?, '"+string(order.Pending)+"', NOW(6))", ids)
}

// insert writes one row for each id, all in one statement.
func insert(ctx context.Context, tx *sql.Tx, into, row string, ids []string) error {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	_, err := tx.ExecContext(ctx, into+strings.Repeat(row+", ", len(ids)-1)+row, args...)
	return err
}
