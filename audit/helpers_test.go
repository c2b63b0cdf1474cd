package audit_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/audit"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/payment"
)

// world is an order database, a Redis and a provider that agree with each other until a test plants
// something.
type world struct {
	t      *testing.T
	db     *orderdb.DB
	front  *front
	ledger *ledger
	// unchecked turns the CHECK constraints of a connection off and on.
	unchecked [2]string
}

func TestMain(m *testing.M) { testserver.Main(m) }

// engines open an empty order database, each on its engine.
var engines = map[string]func(*testing.T) (*orderdb.DB, error){
	"SQLite": func(t *testing.T) (*orderdb.DB, error) {
		t.Helper()
		return orderdb.OpenSQLite(filepath.Join(t.TempDir(), "orders.db"))
	},
	"MariaDB": func(t *testing.T) (*orderdb.DB, error) {
		t.Helper()
		return orderdb.OpenMySQL(testserver.MariaDBDatabase(t), 4)
	},
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, "SQLite")
}

func newWorldOn(t *testing.T, engine string) *world {
	t.Helper()
	db, err := engines[engine](t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Disconnect() })
	if _, _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, front: &front{counts: map[string]int64{}}, ledger: &ledger{}}
	w.unchecked = [2]string{"PRAGMA ignore_check_constraints = ON", "PRAGMA ignore_check_constraints = OFF"}
	if engine == "MariaDB" {
		w.unchecked = [2]string{"SET check_constraint_checks = 0", "SET check_constraint_checks = 1"}
	}
	for _, sku := range []string{"mug", "pen"} {
		if _, _, err := db.SetStock(t.Context(), sku, orderdb.Setting{OnHand: 100}, 0); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// order makes an order of 2 mugs at 300 for the key.
func (w *world) order(key string) order.Order {
	w.t.Helper()
	o, err := order.New("c-1", key, "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: 2, UnitPrice: 300}})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) pending(key string) order.Order {
	w.t.Helper()
	o := w.order(key)
	_, err := w.db.Open(w.t.Context(), []order.Opening{{Order: o, WorkflowID: "order/" + string(o.ID)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) confirmed(key string) order.Order {
	w.t.Helper()
	o := w.pending(key)
	w.ledger.charge(o.ID)
	if _, err := w.db.Commit(w.t.Context(), []order.Key{o.Key()}); err != nil {
		w.t.Fatal(err)
	}
	return o
}

// rejected is closed, and settled if so wished.
func (w *world) rejected(key string, settled bool) order.Order {
	w.t.Helper()
	o := w.pending(key)
	_, err := w.db.Close(w.t.Context(), []order.Closing{{Order: o, Status: order.Rejected, Reason: order.ReasonPaymentDeclined}})
	if err == nil && settled {
		_, err = w.db.Settle(w.t.Context(), []order.Key{o.Key()})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// exec changes the order database behind holdfast's back.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	conn, err := w.db.Pool().Conn(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(w.t.Context(), w.unchecked[0]); err != nil {
		w.t.Fatal(err)
	}
	if _, err := conn.ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatal(err)
	}
	if _, err := conn.ExecContext(w.t.Context(), w.unchecked[1]); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) config() audit.Config {
	return audit.Config{Orders: w.db, Front: w.front, Ledger: w.ledger, Pause: time.Millisecond, Patience: time.Nanosecond}
}

func (w *world) run() audit.Report {
	w.t.Helper()
	return w.audit(w.config())
}

func (w *world) audit(cfg audit.Config) audit.Report {
	w.t.Helper()
	report, err := audit.New(cfg).Run(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if report.Holds != (report.Complete && len(report.Violations) == 0 && report.Omitted == 0) {
		w.t.Errorf("holds is %v beside %d violations", report.Holds, len(report.Violations))
	}
	return report
}

// found gives the violations as "kind subject".
func found(r audit.Report) []string {
	var all []string
	for _, v := range r.Violations {
		all = append(all, string(v.Kind)+" "+v.Subject)
	}
	return all
}

func (w *world) wants(r audit.Report, want ...string) {
	w.t.Helper()
	if got := found(r); !slices.Equal(got, want) {
		w.t.Errorf("violations are %q, want %q", got, want)
	}
}

func noted(r audit.Report, words string) bool {
	return slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, words) })
}

var errAway = errors.New("away")

// front is a Redis that counts as it is told to.
type front struct {
	counts map[string]int64
	asked  func(*front)
	err    error
}

func (f *front) Counts(_ context.Context, skus []string) (map[string]int64, error) {
	if f.err != nil {
		return nil, f.err
	}
	counts := make(map[string]int64)
	for _, sku := range skus {
		if n, ok := f.counts[sku]; ok {
			counts[sku] = n
		}
	}
	if f.asked != nil {
		f.asked(f)
	}
	return counts, nil
}

// ledger is a provider that keeps what it is told. Its pages hold two entries.
type ledger struct {
	entries []payment.Entry
	netting func(order.ID) // called before Net answers
	err     error
}

func (l *ledger) move(kind payment.Kind, reference string, minor int64) {
	l.entries = append(l.entries, payment.Entry{
		Number: int64(len(l.entries)) + 1, Kind: kind, Reference: reference,
		Amount: order.Amount{Minor: minor, Currency: "EUR"}, At: time.Now(),
	})
}

// charge and reverse move the total of an order of world.order.
func (l *ledger) charge(id order.ID)  { l.move(payment.KindCharge, string(id), 600) }
func (l *ledger) reverse(id order.ID) { l.move(payment.KindReversal, string(id), 600) }

func (l *ledger) Ledger(_ context.Context, after int64, limit int) ([]payment.Entry, int64, error) {
	if l.err != nil {
		return nil, 0, l.err
	}
	rest := l.entries[min(int(after), len(l.entries)):]
	if n := min(limit, 2); len(rest) > n {
		return rest[:n], rest[n-1].Number, nil
	}
	return rest, 0, nil
}

func (l *ledger) Net(_ context.Context, id order.ID) (int64, error) {
	if l.netting != nil {
		l.netting(id)
	}
	var net int64
	for _, e := range l.entries {
		switch {
		case e.Reference != string(id):
		case e.Kind == payment.KindCharge:
			net += e.Amount.Minor
		default:
			net -= e.Amount.Minor
		}
	}
	return net, l.err
}
