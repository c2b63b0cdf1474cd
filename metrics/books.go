package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Books are what the order database says of all SKUs and orders together. What could not be read in time is nil, and has no
// gauges then; the rest has.
type Books struct {
	Readable  map[string]bool // by part: whether it could be read
	Units     *Units
	Attention *int64          // orders that need a person
	Owed      map[string]Owed // by status: orders for which more is owed than that others are told
	Untold    map[string]Owed // by kind: orders and receipts of which others are still to be told, if they are told of anything
	HandOff   *HandOff        // nil as well if there is no warehouse
}

// Units are those of all SKUs.
type Units struct{ OnHand, Reserved int64 }

// Owed is how much is waiting, and since when the oldest of it; zero if there is none.
type Owed struct {
	N     int64
	Since time.Time
}

// HandOff is what the warehouse does not have yet.
type HandOff struct {
	Oldest        time.Time // when the oldest order was placed that no hand-off has taken; zero if there is none
	Due           time.Time // the earliest cutoff up to which something is not delivered; zero if there is none
	Pages, Orders int64     // assigned, and not delivered
}

// booksCollector reads the books when it is scraped.
type booksCollector struct {
	read func(context.Context) Books

	mu     sync.Mutex
	latest Books
	readAt time.Time
}

const (
	// scrapeBudget bounds how long a scrape waits for the order database.
	scrapeBudget = 2 * time.Second
	// booksFresh is how long the books are not read again, however often they are scraped.
	booksFresh = time.Second
)

// RegisterBooks registers gauges of the books, read at each scrape. read gets a context that ends when a scrape cannot wait any longer.
func RegisterBooks(reg prometheus.Registerer, read func(context.Context) Books) {
	reg.MustRegister(&booksCollector{read: read})
}

var (
	unitsDesc      = prometheus.NewDesc("holdfast_stock_units", "Units of all SKUs in the order database, by state.", []string{"state"}, nil)
	attentionDesc  = prometheus.NewDesc("holdfast_orders_needing_attention", "Orders that need a person.", nil, nil)
	readableDesc   = prometheus.NewDesc("holdfast_books_readable", "1 if the order database answered this scrape, by the part of the books that was read.", []string{"part"}, nil)
	owedDesc       = prometheus.NewDesc("holdfast_orders_unsettled", "Orders for which more is owed than that others are told, by status: PENDING ones hold their units, closed ones are being undone. At most 10,000.", []string{"status"}, nil)
	owedSinceDesc  = prometheus.NewDesc("holdfast_orders_unsettled_oldest_seconds", "How long something is owed for the oldest of them: PENDING since it was placed, others since they were closed. 0 if there is none.", []string{"status"}, nil)
	untoldDesc     = prometheus.NewDesc("holdfast_events_waiting", "Orders and receipts of which Kafka is still to be told, by kind.", []string{"kind"}, nil)
	untoldAgeDesc  = prometheus.NewDesc("holdfast_events_waiting_oldest_seconds", "How long the oldest of them wait. 0 if there is none.", []string{"kind"}, nil)
	oldestDesc     = prometheus.NewDesc("holdfast_handoff_oldest_order_seconds", "Age of the oldest confirmed order that no hand-off has taken. 0 if there is none.", nil, nil)
	overdueDesc    = prometheus.NewDesc("holdfast_handoff_overdue_seconds", "How long ago the earliest cutoff was at which an order was due that the warehouse does not have. 0 if none is.", nil, nil)
	pagesDesc      = prometheus.NewDesc("holdfast_handoff_undelivered_pages", "Pages that were assigned and not delivered.", nil, nil)
	pageOrdersDesc = prometheus.NewDesc("holdfast_handoff_undelivered_orders", "Orders on these pages.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *booksCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		unitsDesc, attentionDesc, readableDesc, owedDesc, owedSinceDesc, untoldDesc, untoldAgeDesc, oldestDesc, overdueDesc, pagesDesc, pageOrdersDesc,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *booksCollector) Collect(ch chan<- prometheus.Metric) {
	books := c.books()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for part, answered := range books.Readable {
		readable := 0.0
		if answered {
			readable = 1
		}
		gauge(readableDesc, readable, part)
	}
	if n := books.Attention; n != nil {
		gauge(attentionDesc, float64(*n))
	}
	if u := books.Units; u != nil {
		gauge(unitsDesc, float64(u.OnHand), "on_hand")
		gauge(unitsDesc, float64(u.Reserved), "reserved")
		gauge(unitsDesc, float64(u.OnHand-u.Reserved), "available")
	}
	for status, owed := range books.Owed {
		gauge(owedDesc, float64(owed.N), status)
		gauge(owedSinceDesc, age(owed.Since), status)
	}
	for kind, owed := range books.Untold {
		gauge(untoldDesc, float64(owed.N), kind)
		gauge(untoldAgeDesc, age(owed.Since), kind)
	}
	if h := books.HandOff; h != nil {
		gauge(oldestDesc, age(h.Oldest))
		gauge(overdueDesc, age(h.Due))
		gauge(pagesDesc, float64(h.Pages))
		gauge(pageOrdersDesc, float64(h.Orders))
	}
}

func (c *booksCollector) books() Books {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.readAt) >= booksFresh {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeBudget)
		defer cancel()
		c.latest = c.read(ctx)
		c.readAt = time.Now()
	}
	return c.latest
}

// age is in seconds, 0 for the zero time and for what is still to come.
func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(time.Since(since).Seconds(), 0)
}
