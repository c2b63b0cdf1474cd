package e2e_test

import (
	"encoding/json"
	"testing"
)

// TestStarterPlaysAFlashSale has the starter's command sell more than there is, as an operator does.
func TestStarterPlaysAFlashSale(t *testing.T) {
	t.Parallel()
	f := open(t)
	out, said, code := f.starter(t.Context(), "flash-sale", "--shoppers", "300", "--units", "100", "--output", "json")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	var report struct {
		Outcomes map[string]struct {
			Orders int `json:"orders"`
		} `json:"outcomes"`
		Units struct {
			OnSale    int64 `json:"on_sale"`
			Confirmed int64 `json:"confirmed"`
			Left      int64 `json:"left"`
		} `json:"units"`
		Holds bool `json:"holds"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	confirmed, soldOut := report.Outcomes["confirmed"].Orders, report.Outcomes["sold_out"].Orders+report.Outcomes["turned_away"].Orders
	if confirmed != 100 || soldOut != 200 {
		t.Errorf("%d confirmed and %d sold out, want 100 and 200: %s", confirmed, soldOut, out)
	}
	if u := report.Units; u.OnSale != 100 || u.Confirmed != 100 || u.Left != 0 || !report.Holds {
		t.Errorf("units %+v, the promises hold: %v", u, report.Holds)
	}
	f.quiet(t)
	f.left(t, "flash", 0)
}
