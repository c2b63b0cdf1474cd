//go:build unix

package orderdb_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"holdfast/activities"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/orderdb"
)

var _ activities.Orders = (*orderdb.DB)(nil)

func TestMain(m *testing.M) {
	orderdb.InParts(3)
	testserver.Main(m)
}

// database is an order database that a test has for itself.
type database struct {
	*orderdb.DB
	source string // the DSN, or SQLite's file
	mysql  bool   // or MariaDB
	// meddled tells that the test wrote behind the program's back, so that the units need not add up.
	meddled bool
}

// engines make an empty database, each on its engine.
var engines = map[string]func(testing.TB) *database{"sqlite": emptySQLite, "mariadb": emptyMariaDB, "mysql": emptyMySQL}

// onEach runs the situation on every engine, on a migrated database of its own, and then checks that
// no unit was made or lost.
func onEach(t *testing.T, situation func(t *testing.T, db *database)) {
	t.Helper()
	t.Parallel()
	for name, empty := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, empty(t), situation)
		})
	}
}

// onEachServer is onEach for what only a server can do.
func onEachServer(t *testing.T, situation func(t *testing.T, db *database)) {
	t.Helper()
	t.Parallel()
	for name, empty := range engines {
		if name == "sqlite" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, empty(t), situation)
		})
	}
}

func run(t *testing.T, db *database, situation func(t *testing.T, db *database)) {
	t.Helper()
	migrate(t, db)
	situation(t, db)
	if !db.meddled {
		wantConserved(t, db)
	}
}

func emptySQLite(tb testing.TB) *database {
	tb.Helper()
	db := &database{source: filepath.Join(tb.TempDir(), "orders.db")}
	db.DB = db.again(tb)
	return db
}

func emptyMariaDB(tb testing.TB) *database {
	tb.Helper()
	return emptyServer(tb, testserver.MariaDBDatabase(tb))
}

func emptyMySQL(tb testing.TB) *database {
	tb.Helper()
	return emptyServer(tb, testserver.MySQLDatabase(tb))
}

func emptyServer(tb testing.TB, dsn string) *database {
	tb.Helper()
	db := &database{source: dsn, mysql: true}
	db.DB = db.again(tb)
	return db
}

// again opens the same database as another program would. On a server, settings change the DSN.
func (db *database) again(tb testing.TB, settings ...func(*mysql.Config)) *orderdb.DB {
	tb.Helper()
	open := func() (*orderdb.DB, error) { return orderdb.OpenSQLite(db.source) }
	if db.mysql {
		cfg, err := mysql.ParseDSN(db.source)
		if err != nil {
			tb.Fatal(err)
		}
		for _, set := range settings {
			set(cfg)
		}
		open = func() (*orderdb.DB, error) { return orderdb.OpenMySQL(cfg.FormatDSN(), 16) }
	}
	other, err := open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := other.Disconnect(); err != nil {
			tb.Error(err)
		}
	})
	return other
}

func migrate(tb testing.TB, db *database) {
	tb.Helper()
	if _, _, err := db.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// wantConserved checks both conservation equations of every SKU.
func wantConserved(t *testing.T, db *database) {
	t.Helper()
	const page = 50
	for after := ""; ; {
		balances, err := db.Balances(t.Context(), after, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range balances {
			if b.OnHand != b.Moved-b.Sold || b.Reserved != b.Held || b.Reserved < 0 || b.Reserved > b.OnHand {
				t.Errorf("%s: on hand %d, but %d moved less %d sold; reserved %d, but %d held by open orders",
					b.SKU, b.OnHand, b.Moved, b.Sold, b.Reserved, b.Held)
			}
			after = b.SKU
		}
		if len(balances) < page {
			return
		}
	}
}

func (db *database) stocked(t *testing.T, sku string, units int64) {
	t.Helper()
	if _, _, err := db.SetStock(t.Context(), sku, orderdb.Setting{OnHand: units}, 0); err != nil {
		t.Fatal(err)
	}
}

func (db *database) wantStock(t *testing.T, sku string, onHand, reserved int64) {
	t.Helper()
	stocks, err := db.GetStocks(t.Context(), []string{sku})
	if err != nil || len(stocks) != 1 {
		t.Fatalf("stock of %s: %v, %v", sku, stocks, err)
	}
	if s := stocks[0]; s.OnHand != onHand || s.Reserved != reserved || s.Available() != onHand-reserved {
		t.Errorf("%s: on hand %d, reserved %d, want %d, %d", sku, s.OnHand, s.Reserved, onHand, reserved)
	}
}

// exec writes behind the program's back.
func (db *database) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := db.Pool().ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// newOrder makes alice's order of that key, at one cent a unit: units of "mug" unless lines are given.
func newOrder(tb testing.TB, key any, units int64, lines ...order.Line) order.Order {
	tb.Helper()
	if lines == nil {
		lines = []order.Line{{SKU: "mug", Quantity: units, UnitPrice: 1}}
	}
	o, err := order.New("alice", fmt.Sprint(key), "EUR", "tok_ok", lines)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// opening asks for the order as it is when Redis reserved all its units.
func opening(o order.Order) order.Opening {
	return order.Opening{
		Order: o, WorkflowID: "order/" + string(o.ID),
		Reservation: order.Reservation{Verdict: order.Reserved, Taken: true},
	}
}

func openings(orders ...order.Order) []order.Opening {
	batch := make([]order.Opening, len(orders))
	for i, o := range orders {
		batch[i] = opening(o)
	}
	return batch
}

func keys(orders ...order.Order) []order.Key {
	batch := make([]order.Key, len(orders))
	for i, o := range orders {
		batch[i] = o.Key()
	}
	return batch
}

func cancelling(o order.Order) order.Closing {
	return order.Closing{Order: o, Status: order.Cancelled, Reason: order.ReasonRequested, WorkflowID: "order/" + string(o.ID)}
}

func rejecting(o order.Order) order.Closing {
	return order.Closing{
		Order: o, Status: order.Rejected, Reason: order.ReasonPaymentDeclined, Detail: "no funds", WorkflowID: "order/" + string(o.ID),
	}
}

// open opens orders that must find their units.
func (db *database) open(t *testing.T, orders ...order.Order) {
	t.Helper()
	rows := must(db.Open(t.Context(), openings(orders...)))(t)
	for i, row := range rows {
		if row.Status != order.Pending {
			t.Fatalf("order %d of %d was opened as %+v", i, len(orders), row)
		}
	}
}

// must gives the value of a call that may not fail.
func must[T any](value T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return value
	}
}

// wantRows compares the rows, times aside: a row that exists has one.
func wantRows(t *testing.T, got []order.Row, want ...order.Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i, row := range got {
		if exists := row.Status != ""; exists == row.CreatedAt.IsZero() {
			t.Errorf("row %d: created at %s", i, row.CreatedAt)
		}
		row.CreatedAt, row.Holds = want[i].CreatedAt, want[i].Holds // tests of their own look at the holds
		if !reflect.DeepEqual(row, want[i]) {
			t.Errorf("row %d:\n got %+v\nwant %+v", i, row, want[i])
		}
	}
}

// atOnce runs n functions that start together, and returns when all have ended.
func atOnce(n int, run func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	all.Wait()
}

// wantClass checks that a failure is one of the class.
func wantClass(t *testing.T, err error, class order.Class) {
	t.Helper()
	if failure, ok := errors.AsType[*order.Failure](err); !ok || failure.Class != class {
		t.Errorf("%v is not %s", err, class)
	}
}
