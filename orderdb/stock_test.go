//go:build unix

package orderdb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/order"
	"holdfast/orderdb"
)

func TestStockIsCreatedAndThenChangedOnlyByWhoKnowsItsVersion(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		set := func(onHand, version int64, want error) orderdb.Stock {
			t.Helper()
			s, _, err := db.SetStock(t.Context(), "mug", orderdb.Setting{OnHand: onHand}, version)
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("set to %d at version %d: %v, want %v", onHand, version, err, want)
			}
			return s
		}
		set(10, 1, orderdb.ErrStale) // no such SKU
		s, created, err := db.SetStock(t.Context(), "mug", orderdb.Setting{OnHand: 10}, 0)
		if err != nil || !created || s != (orderdb.Stock{SKU: "mug", OnHand: 10, Version: 1}) {
			t.Errorf("created %t as %+v, %v", created, s, err)
		}
		set(11, 0, orderdb.ErrVersionRequired)
		set(10, 0, orderdb.ErrVersionRequired)
		set(11, 2, orderdb.ErrStale)
		if s := set(12, 1, nil); s.OnHand != 12 || s.Version != 2 {
			t.Errorf("changed to %+v", s)
		}
		set(13, 1, orderdb.ErrStale)
		if s := set(12, 2, nil); s.OnHand != 12 || s.Version != 2 {
			t.Errorf("the same value made %+v", s)
		}
		db.open(t, newOrder(t, 1, 5))
		set(5, 2, orderdb.ErrStale) // the reservation changed the row
		set(4, 3, orderdb.ErrBelowReserved)
		if s := set(5, 3, nil); s.OnHand != 5 || s.Reserved != 5 || s.Available() != 0 {
			t.Errorf("changed to %+v", s)
		}
		db.wantStock(t, "mug", 5, 5)
	})
}

func TestStockStaysWithinItsBounds(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, c := range []struct {
			onHand int64
			want   error
		}{
			{-1, orderdb.ErrBelowReserved},
			{-1 << 63, orderdb.ErrBelowReserved},
			{order.MaxUnits + 1, orderdb.ErrTooMany},
			{1<<63 - 1, orderdb.ErrTooMany},
			{order.MaxUnits, nil},
			{0, nil},
		} {
			sku := fmt.Sprint("new", c.onHand)
			if _, _, err := db.SetStock(t.Context(), strings.ReplaceAll(sku, "-", "m"), orderdb.Setting{OnHand: c.onHand}, 0); !errors.Is(err, c.want) {
				t.Errorf("create with %d units: %v, want %v", c.onHand, err, c.want)
			}
			sku = "old" + sku
			db.stocked(t, sku, 5)
			if _, _, err := db.SetStock(t.Context(), sku, orderdb.Setting{OnHand: c.onHand}, 1); !errors.Is(err, c.want) {
				t.Errorf("change to %d units: %v, want %v", c.onHand, err, c.want)
			}
		}
	})
}

func TestOneOfManyCreatesASKU(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const callers = 8
		var created [callers]bool
		atOnce(callers, func(i int) {
			var err error
			if _, created[i], err = db.SetStock(t.Context(), "mug", orderdb.Setting{OnHand: 10}, 0); err != nil && !errors.Is(err, orderdb.ErrVersionRequired) {
				t.Error(err)
			}
		})
		n := 0
		for _, c := range created {
			if c {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d callers created the SKU", n)
		}
	})
}

func TestAReceiptCountsOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const callers = 8
		db.stocked(t, "mug", 10)
		var repeats [callers]bool
		atOnce(callers, func(i int) {
			s, repeated, err := db.Receive(t.Context(), "mug", 5, "delivery-1", "from the potter")
			if err != nil || s.OnHand != 15 || s.Version != 2 {
				t.Errorf("received: %+v, %v", s, err)
			}
			repeats[i] = repeated
		})
		n := 0
		for _, repeated := range repeats {
			if !repeated {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the receipt counted %d times", n)
		}
		db.wantStock(t, "mug", 15, 0)
		if _, _, err := db.Receive(t.Context(), "mug", 6, "delivery-1", ""); !errors.Is(err, orderdb.ErrReferenceReused) {
			t.Errorf("another quantity: %v", err)
		}
		// References of another SKU, and of what SetStock records, are others.
		db.stocked(t, "plate", 1)
		for sku, reference := range map[string]string{"plate": "delivery-1", "mug": "1"} {
			if _, repeated, err := db.Receive(t.Context(), sku, 5, reference, ""); err != nil || repeated {
				t.Errorf("%s of %s: repeated %t, %v", reference, sku, repeated, err)
			}
		}
	})
}

func TestAReceiptStaysWithinBounds(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		db.open(t, newOrder(t, 1, 4))
		for i, c := range []struct {
			quantity int64
			want     error
		}{
			{-7, orderdb.ErrBelowReserved},
			{-1 << 63, orderdb.ErrBelowReserved},
			{-6, nil},
			{-1, orderdb.ErrBelowReserved},
			{order.MaxUnits - 3, orderdb.ErrTooMany},
			{1<<63 - 1, orderdb.ErrTooMany},
			{order.MaxUnits - 4, nil},
			{1, orderdb.ErrTooMany},
			{-order.MaxUnits + 4, nil},
		} {
			before := must(db.GetStocks(t.Context(), []string{"mug"}))(t)[0]
			s, repeated, err := db.Receive(t.Context(), "mug", c.quantity, fmt.Sprint("ref-", i), "")
			if !errors.Is(err, c.want) || c.want == nil && (err != nil || repeated || s.OnHand != before.OnHand+c.quantity || s.Version != before.Version+1) {
				t.Errorf("%+d units: %+v, %t, %v, want %v", c.quantity, s, repeated, err, c.want)
			}
		}
		if _, _, err := db.Receive(t.Context(), "plate", 1, "ref", ""); !errors.Is(err, orderdb.ErrNotFound) {
			t.Errorf("unknown SKU: %v", err)
		}
	})
}

// What is answered must be the row: the version goes out as the ETag that the next change needs.
func TestAReceiptOfNothingAnswersTheRow(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		s, _, err := db.Receive(t.Context(), "mug", 0, "delivery-1", "counted again")
		if err != nil {
			t.Fatal(err)
		}
		if row := must(db.GetStocks(t.Context(), []string{"mug"}))(t)[0]; s != row {
			t.Errorf("answered %+v, the row is %+v", s, row)
		}
	})
}

func TestWordsOfAReceiptFitTheirColumns(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		for name, c := range map[string]struct {
			reference, reason string
			wrong             string
		}{
			"long":                {strings.Repeat("r", 128), strings.Repeat("é", 255), ""},
			"other letters":       {"Lieferung für Jürgen 😀", "für", ""},
			"no reference":        {"", "", "reference"},
			"reference too long":  {strings.Repeat("r", 129), "", "reference"},
			"reference not UTF-8": {"\xff", "", "reference"},
			"reason too long":     {"ref", strings.Repeat("r", 256), "reason"},
			"reason not UTF-8":    {"ref", "\xff", "reason"},
		} {
			_, _, err := db.Receive(t.Context(), "mug", 1, c.reference, c.reason)
			invalid, ok := errors.AsType[*order.ValidationError](err)
			if c.wrong == "" && err != nil || c.wrong != "" && (!ok || invalid.Problems[0].Field != c.wrong) {
				t.Errorf("%s: %v", name, err)
			}
		}
		db.wantStock(t, "mug", 12, 0)
	})
}

// The last line of defence: even a statement that nobody checked cannot sell what is not there.
func TestTheDatabaseItselfRefusesToOversell(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		db.open(t, newOrder(t, 1, 4))
		for _, change := range []string{
			"reserved = 11", "reserved = reserved + 7", "on_hand = 3", "on_hand = -1, reserved = -1", "reserved = -1", "on_hand = on_hand - 7",
		} {
			if _, err := db.Pool().ExecContext(t.Context(), "UPDATE stock SET "+change); err == nil {
				t.Errorf("%s was allowed", change)
			}
		}
		if _, err := db.Pool().ExecContext(t.Context(),
			"INSERT INTO stock (sku, on_hand, reserved, created_at) VALUES ('plate', 1, 2, '2026-11-22 00:00:00')"); err == nil {
			t.Error("a row with more reserved than there is was allowed")
		}
		db.wantStock(t, "mug", 10, 4)
	})
}

func TestStockIsListedInPages(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, sku := range []string{"b", "a", "B", "a-1", "a.1", "a_1", "A", "1"} {
			db.stocked(t, sku, 1)
		}
		var listed []string
		for after := ""; ; {
			page := must(db.ListStock(t.Context(), after, 3))(t)
			for _, s := range page {
				listed = append(listed, s.SKU)
				after = s.SKU
			}
			if len(page) < 3 {
				break
			}
		}
		if got := strings.Join(listed, " "); got != "1 A B a a-1 a.1 a_1 b" {
			t.Errorf("listed %s", got)
		}
		if known := must(db.KnownSKUs(t.Context(), []string{"b", "nothing", "a"}))(t); strings.Join(known, " ") != "a b" {
			t.Errorf("known are %v", known)
		}
	})
}
