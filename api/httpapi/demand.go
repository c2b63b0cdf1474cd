package httpapi

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// shownSKUs is how many SKUs have series of their own, however many there are.
	shownSKUs = 20
	// watchedSKUs is how many SKUs are counted to find these.
	watchedSKUs = 10 * shownSKUs
	// demandHalfLife is how soon demand is forgotten by half: a SKU is shown during its sale, and not for long after.
	demandHalfLife = time.Minute
	// demandBudget bounds how long a scrape waits for the units of the SKUs shown.
	demandBudget = time.Second
)

// demand knows the SKUs that are wanted most. It counts as Space-Saving does (Metwally et al., 2005): of the SKUs that are watched, a
// new one takes the place and the count of the least wanted. It is a prometheus.Collector of their units.
type demand struct {
	stock Stock
	front Front

	mu      sync.Mutex
	wanted  map[string]float64
	shown   []string // at the last scrape
	decayed time.Time
}

var demandDesc = prometheus.NewDesc("holdfast_stock_sku_units",
	"Units of the SKUs that are wanted most at this api, 20 at most, by state; redis is what Redis would still reserve, if the SKU is loaded there.",
	[]string{"sku", "state"}, nil)

func newDemand(stock Stock, front Front) *demand {
	return &demand{stock: stock, front: front, wanted: make(map[string]float64, watchedSKUs), decayed: time.Now()}
}

// note counts an order of these SKUs.
func (d *demand) note(skus []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decay(time.Now())
	for _, sku := range skus {
		if _, watched := d.wanted[sku]; !watched && len(d.wanted) >= watchedSKUs {
			least := d.least()
			d.wanted[sku] = d.wanted[least]
			delete(d.wanted, least)
		}
		d.wanted[sku]++
	}
}

func (d *demand) least() (least string) {
	n := -1.0
	for sku, wanted := range d.wanted {
		if n < 0 || wanted < n {
			least, n = sku, wanted
		}
	}
	return least
}

// forgotten is the demand below which a SKU is not watched any more.
const forgotten = 0.5

func (d *demand) decay(now time.Time) {
	for ; now.Sub(d.decayed) >= demandHalfLife; d.decayed = d.decayed.Add(demandHalfLife) {
		for sku, wanted := range d.wanted {
			if d.wanted[sku] = wanted / 2; d.wanted[sku] < forgotten {
				delete(d.wanted, sku)
			}
		}
		if len(d.wanted) == 0 {
			d.decayed = now
			return
		}
	}
}

// clearly is how many times as much a SKU has to be wanted as one that is shown, to be shown in its place. SKUs that are wanted alike
// would take turns, and each would have series.
const clearly = 2

// most gives the SKUs that are wanted most, in SKU order.
func (d *demand) most() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decay(time.Now())
	wanted := func(sku string) float64 {
		n := d.wanted[sku]
		if slices.Contains(d.shown, sku) {
			n *= clearly
		}
		return n
	}
	skus := slices.Collect(maps.Keys(d.wanted))
	slices.SortFunc(skus, func(a, b string) int { return cmp.Or(cmp.Compare(wanted(b), wanted(a)), cmp.Compare(a, b)) })
	skus = slices.Clone(skus[:min(len(skus), shownSKUs)])
	slices.Sort(skus)
	d.shown = skus
	return skus
}

// Describe implements prometheus.Collector.
func (d *demand) Describe(ch chan<- *prometheus.Desc) { ch <- demandDesc }

// Collect implements prometheus.Collector. What cannot be read has no series.
func (d *demand) Collect(ch chan<- prometheus.Metric) {
	skus := d.most()
	if len(skus) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), demandBudget)
	defer cancel()
	gauge := func(sku, state string, units int64) {
		ch <- prometheus.MustNewConstMetric(demandDesc, prometheus.GaugeValue, float64(units), sku, state)
	}
	stocks, err := d.stock.GetStocks(ctx, skus)
	if err != nil {
		return
	}
	for _, s := range stocks {
		gauge(s.SKU, "on_hand", s.OnHand)
		gauge(s.SKU, "reserved", s.Reserved)
		gauge(s.SKU, "available", s.OnHand-s.Reserved)
	}
	counts, err := d.front.Counts(ctx, skus)
	if err != nil {
		return
	}
	for _, s := range stocks {
		if units, loaded := counts[s.SKU]; loaded {
			gauge(s.SKU, "redis", units)
		}
	}
}
