package audit_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"holdfast/order"
	"holdfast/orderdb"
)

// TestRows: a row that does not fit its lines, or is as no transition leaves it, is found.
func TestRows(t *testing.T) {
	for name, test := range map[string]struct {
		plant func(*world)
		want  string
	}{
		"a total above its lines": {func(w *world) {
			o := w.confirmed("k")
			w.exec("UPDATE orders SET total = 601 WHERE id = ?", o.ID)
			w.ledger.entries[len(w.ledger.entries)-1].Amount.Minor = 601
		}, "total_differs"},
		"a price changes": {func(w *world) {
			w.exec("UPDATE order_lines SET unit_price = 1 WHERE order_id = ?", w.pending("k").ID)
		}, "total_differs"},
		"the lines of a settled order vanish": {func(w *world) {
			w.exec("DELETE FROM order_lines WHERE order_id = ?", w.rejected("k", true).ID)
		}, "order_without_lines"},
		"the row of a settled order vanishes": {func(w *world) {
			w.exec("DELETE FROM orders WHERE id = ?", w.rejected("k", true).ID)
		}, "lines_without_order"},
		"pending and settled": {func(w *world) {
			w.exec("UPDATE orders SET settled_at = updated_at WHERE id = ?", w.pending("k").ID)
		}, "impossible_state"},
		"closed without a reason": {func(w *world) {
			w.exec("UPDATE orders SET reason = '' WHERE id = ?", w.rejected("k", true).ID)
		}, "impossible_state"},
		"confirmed with a reason": {func(w *world) {
			w.exec("UPDATE orders SET reason = 'requested' WHERE id = ?", w.confirmed("k").ID)
		}, "impossible_state"},
		"a status of nobody": {func(w *world) {
			w.exec("UPDATE orders SET status = 'LOST' WHERE id = ?", w.rejected("k", true).ID)
		}, "impossible_state"},
	} {
		for engine := range engines {
			t.Run(name+" on "+engine, func(t *testing.T) {
				w := newWorldOn(t, engine)
				w.confirmed("z")
				test.plant(w)
				w.wants(w.run(), test.want+" "+string(idOf("k")))
			})
		}
	}
}

// TestLinesOfNobody: lines without a row are found below, between and above the orders, and without any.
func TestLinesOfNobody(t *testing.T) {
	w := newWorld(t)
	var want []string
	for _, id := range []order.ID{"ord_", "ord_m", "ord_zz"} {
		w.exec("INSERT INTO order_lines (order_id, sku, quantity, unit_price) VALUES (?, 'mug', 1, 1)", id)
		want = append(want, "lines_without_order "+string(id))
	}
	w.wants(w.run(), want...)
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		w.confirmed(key)
	}
	w.wants(w.run(), want...)
}

// hasty shows rows before their lines, at first sight only.
type hasty struct{ *orderdb.DB }

func (h hasty) Ends(ctx context.Context, after order.ID, limit int) ([]orderdb.End, error) {
	ends, err := h.DB.Ends(ctx, after, limit)
	for i := range ends {
		ends[i].Lines, ends[i].LineTotal, ends[i].Reason = 0, 0, "failed"
	}
	return ends, err
}

// TestRowsSeenOnce: a suspicion that the second look does not share is no violation.
func TestRowsSeenOnce(t *testing.T) {
	w := newWorld(t)
	w.confirmed("a")
	w.pending("b")
	cfg := w.config()
	cfg.Orders = hasty{w.db}
	w.wants(w.audit(cfg))
}

// TestEveryKindIsPlanted: a kind without a planted case is a check that may find nothing.
func TestEveryKindIsPlanted(t *testing.T) {
	var tests strings.Builder
	for _, name := range []string{"arrivals_test.go", "audit_test.go", "money_test.go", "rows_test.go", "stock_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	kinds := kinds(t)
	if len(kinds) < 18 {
		t.Fatalf("there are kinds %v, want 18 and more", kinds)
	}
	for name, kind := range kinds {
		planted := strings.Contains(tests.String(), `"`+kind) || strings.Contains(tests.String(), "}, audit."+name+"}")
		if !planted {
			t.Errorf("no test plants %s", name)
		}
	}
}

// kinds reads the kind constants of report.go: their values by their names.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "report.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Kind" {
			return true
		}
		value, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is no plain text", spec.Names[0])
		}
		found[spec.Names[0].Name] = strings.Trim(value.Value, `"`)
		return true
	})
	return found
}
