package httpapi

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/orderdb"
)

// warehouseOfAll has every SKU there is.
type warehouseOfAll struct{ Stock }

func (warehouseOfAll) GetStocks(_ context.Context, skus []string) ([]orderdb.Stock, error) {
	stocks := make([]orderdb.Stock, len(skus))
	for i, sku := range skus {
		stocks[i] = orderdb.Stock{SKU: sku, OnHand: 10, Reserved: 3}
	}
	return stocks, nil
}

// allLoaded has every SKU in Redis.
type allLoaded struct{ Front }

func (allLoaded) Counts(_ context.Context, skus []string) (map[string]int64, error) {
	counts := make(map[string]int64)
	for _, sku := range skus {
		counts[sku] = 7
	}
	return counts, nil
}

// shown gives the SKUs that have series, with the sum of their values.
func shown(t *testing.T, d *demand) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(d)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	skus := make(map[string]float64)
	series := 0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			series++
			skus[m.GetLabel()[0].GetValue()] += m.GetGauge().GetValue()
		}
	}
	if series > 4*shownSKUs {
		t.Errorf("%d series", series)
	}
	return skus
}

// TestAHundredThousandSKUsHaveFewSeries: however many SKUs are ordered, the hot ones are shown, and no more than a few.
func TestAHundredThousandSKUsHaveFewSeries(t *testing.T) {
	t.Parallel()
	d := newDemand(warehouseOfAll{}, allLoaded{})
	for i := range 100_000 {
		d.note([]string{fmt.Sprint("cold-", i)})
		if i%100 == 0 {
			for hot := range 10 {
				d.note([]string{fmt.Sprint("hot-", hot), "hottest"})
			}
		}
	}
	if len(d.wanted) > watchedSKUs {
		t.Errorf("%d SKUs are watched", len(d.wanted))
	}
	skus := shown(t, d)
	if len(skus) != shownSKUs {
		t.Errorf("%d SKUs are shown", len(skus))
	}
	for _, sku := range []string{"hottest", "hot-0", "hot-9"} {
		if skus[sku] != 10+3+7+7 {
			t.Errorf("%s is shown with %v units over all states", sku, skus[sku])
		}
	}
}

// TestSKUsThatAreWantedAlikeDoNotTakeTurns: each that is shown once would have series in Prometheus.
func TestSKUsThatAreWantedAlikeDoNotTakeTurns(t *testing.T) {
	t.Parallel()
	d := newDemand(warehouseOfAll{}, allLoaded{})
	ever := make(map[string]bool)
	for i := range 100_000 {
		d.note([]string{fmt.Sprint("sku-", i%1000)})
		if i%1000 == 0 {
			for _, sku := range d.most() {
				ever[sku] = true
			}
		}
	}
	if len(ever) > 3*shownSKUs {
		t.Errorf("%d SKUs were shown", len(ever))
	}
}

// TestDemandIsForgotten so that a sale of last week is not shown.
func TestDemandIsForgotten(t *testing.T) {
	t.Parallel()
	d := newDemand(warehouseOfAll{}, allLoaded{})
	for range 1000 {
		d.note([]string{"last-week"})
	}
	d.decayed = d.decayed.Add(-5 * demandHalfLife)
	d.note([]string{"now"})
	if skus := shown(t, d); len(skus) != 2 {
		t.Errorf("shown are %v", skus)
	}
	d.decay(time.Now().Add(8 * demandHalfLife))
	if skus := shown(t, d); len(skus) != 0 {
		t.Errorf("shown are %v", skus)
	}
}

// TestTheUnitsOfWhatIsOrderedAreShown, and of nothing that does not exist.
func TestTheUnitsOfWhatIsOrderedAreShown(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.post(goodBody)
	s.api.demand.note([]string{"no-such"})
	skus := shown(t, s.api.demand)
	if _, exists := skus["no-such"]; exists || len(skus) == 0 {
		t.Errorf("shown are %v", skus)
	}
}
