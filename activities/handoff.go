package activities

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"holdfast/order"
)

// Warehouse takes confirmed orders at the day's end.
//
// An error that is order.Final says that the warehouse read this very manifest and takes nothing of it. After any other error it may
// have taken it, or not.
type Warehouse interface {
	// Deliver sends a page, under the page's name as idempotency key, and tells which of its orders the warehouse does not
	// take; it has all the others then. A repeat is answered the same.
	Deliver(ctx context.Context, manifest order.Manifest) ([]order.Refusal, error)
}

// Pages are the pages of hand-offs in the order database. Each call is one transaction, and may be repeated.
type Pages interface {
	// Assign gives a page its orders: up to limit of those that are CONFIRMED, were placed up to the cutoff, are on no page, and were
	// not rejected at this cutoff or a later one. From then on the page stays as it is, and its orders cannot be cancelled. It
	// does nothing if the page has orders, or there are none.
	Assign(ctx context.Context, key order.PageKey, cutoff time.Time, limit int) error
	// Manifest reads a page. The delivery is not nil if there is nothing to deliver: it was delivered before, or never had orders.
	Manifest(ctx context.Context, key order.PageKey) (order.Manifest, *order.Delivery, error)
	// Deliver records that the warehouse has the page's orders but for the rejected, which ask for a person and are on no page
	// any more. Of a page that was delivered before it tells how that went.
	Deliver(ctx context.Context, key order.PageKey, rejected []order.Refusal) (order.Delivery, error)
	// Refuse records why the warehouse does not take the page, whose orders then ask for a person.
	Refuse(ctx context.Context, key order.PageKey, problem string) (order.Delivery, error)
	// Undelivered gives pages, of whichever hand-off, that were assigned and not delivered, the oldest first.
	// after continues behind a page; its zero value begins.
	Undelivered(ctx context.Context, after order.PagePlace, limit int) ([]order.PagePlace, error)
	// CountUnassigned counts the orders that a hand-off with that cutoff would take, and those on pages that are not delivered, at most limit.
	CountUnassigned(ctx context.Context, cutoff time.Time, limit int) (int, error)
}

// The activities of a hand-off. Changing a name breaks running workflows.
const (
	// HandOffPage gives a page its orders, unless it has them, and brings it to the warehouse.
	HandOffPage = "HandOffPage"
	// FindPages looks for pages that were assigned and not delivered.
	FindPages = "FindUndeliveredPages"
	// LeavePage notes why a page has no answer for long, so that a person looks.
	LeavePage = "LeavePage"
	// CountToHandOff counts what a hand-off would take.
	CountToHandOff = "CountToHandOff"
)

// PageInput is the input of HandOffPage.
type PageInput struct {
	order.PageKey

	Cutoff time.Time `json:"cutoff,omitzero"` // zero for a page that was assigned before
}

// HandOffs are these activities on their ports. All but Warehouse are required.
type HandOffs struct {
	Pages     Pages
	Warehouse Warehouse // nil if none is configured: orders can be counted, and not handed off
	PageSize  int       // orders on a page
	// Publications tell others of a page that was delivered.
	Publications *Publications
	Metrics      *HandOffMetrics
}

// Register makes the activities known to a worker.
func (h *HandOffs) Register(r worker.ActivityRegistry) {
	r.RegisterActivityWithOptions(h.page, activity.RegisterOptions{Name: HandOffPage})
	r.RegisterActivityWithOptions(h.find, activity.RegisterOptions{Name: FindPages})
	r.RegisterActivityWithOptions(h.leave, activity.RegisterOptions{Name: LeavePage})
	r.RegisterActivityWithOptions(h.count, activity.RegisterOptions{Name: CountToHandOff})
}

// page may be repeated at any point: the page has its orders once, the warehouse knows its name, and the first record of its
// delivery stands.
func (h *HandOffs) page(ctx context.Context, in PageInput) (order.Delivery, error) {
	delivery, err := h.deliver(ctx, in)
	if err != nil {
		h.Metrics.pages.WithLabelValues("undecided").Inc()
		return order.Delivery{}, temporalError(order.AsFailure(err))
	}
	h.Metrics.count(delivery)
	h.Publications.page(ctx, in.PageKey)
	return delivery, nil
}

func (h *HandOffs) deliver(ctx context.Context, in PageInput) (order.Delivery, error) {
	if h.Warehouse == nil {
		return order.Delivery{}, order.Failf(order.Final, "no warehouse is configured, see HOLDFAST_WAREHOUSE_URL")
	}
	if !in.Cutoff.IsZero() {
		if err := h.Pages.Assign(ctx, in.PageKey, in.Cutoff, h.PageSize); err != nil {
			return order.Delivery{}, err
		}
	}
	manifest, delivered, err := h.Pages.Manifest(ctx, in.PageKey)
	if err != nil {
		return order.Delivery{}, err
	}
	if delivered != nil {
		return *delivered, nil
	}
	rejected, err := h.Warehouse.Deliver(ctx, manifest)
	if failure, ok := errors.AsType[*order.Failure](err); ok && failure.Class == order.Final {
		return h.Pages.Refuse(ctx, in.PageKey, failure.Message)
	}
	if err != nil {
		return order.Delivery{}, err
	}
	return h.Pages.Deliver(ctx, in.PageKey, rejected)
}

// maxFound bounds how many pages that were left are found at once.
const maxFound = 500

// pageAge is from when on a page that was left counts as one that the warehouse did not take: whoever had it may have been ended before he
// asked for a person.
const pageAge = 15 * time.Minute

func (h *HandOffs) find(ctx context.Context, after order.PagePlace) ([]order.PagePlace, error) {
	places, err := h.Pages.Undelivered(ctx, after, maxFound)
	for i, place := range places {
		if place.Problem || time.Since(place.AssignedAt) <= pageAge {
			continue
		}
		if err := h.leave(ctx, place.PageKey, "it does not have it after "+pageAge.String()); err != nil {
			return nil, err
		}
		places[i].Problem = true
	}
	return places, err
}

func (h *HandOffs) leave(ctx context.Context, page order.PageKey, why string) error {
	_, err := h.Pages.Refuse(ctx, page, why)
	if failure, ok := errors.AsType[*order.Failure](err); ok && failure.Class == order.Final {
		return nil // it could not even be assigned, so that no order is on it
	}
	return err
}

func (h *HandOffs) count(ctx context.Context, cutoff time.Time) (int, error) {
	return h.Pages.CountUnassigned(ctx, cutoff, order.MaxCounted)
}

// HandOffMetrics are the series that hand-offs own.
type HandOffMetrics struct {
	pages  *prometheus.CounterVec
	orders *prometheus.CounterVec
}

// NewHandOffMetrics registers the series with reg.
func NewHandOffMetrics(reg prometheus.Registerer) *HandOffMetrics {
	m := &HandOffMetrics{
		pages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_handoff_pages_total",
			Help: "Tries to bring a page of orders to the warehouse, by result (delivered, refused, undecided). A repeat counts again.",
		}, []string{"result"}),
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_handoff_orders_total",
			Help: "Orders on delivered pages, by result (handed_off, rejected). A repeat counts again.",
		}, []string{"result"}),
	}
	reg.MustRegister(m.pages, m.orders)
	return m
}

func (m *HandOffMetrics) count(d order.Delivery) {
	switch {
	case d.Orders == 0:
	case d.Refused != "":
		m.pages.WithLabelValues("refused").Inc()
	default:
		m.pages.WithLabelValues("delivered").Inc()
		m.orders.WithLabelValues("handed_off").Add(float64(d.HandedOff))
		m.orders.WithLabelValues("rejected").Add(float64(d.Rejected))
	}
}
