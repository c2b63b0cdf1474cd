package matrix_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"holdfast/activities"
	"holdfast/audit"
	"holdfast/devstack/temporalserver"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/payment"
	"holdfast/payment/sandbox"
	"holdfast/stock"
	"holdfast/workflows"
)

const (
	namespace = "matrix"
	sku       = "mug"
	units     = 10
	price     = 300
	// patience bounds every wait: a worker that is gone is missed after a quarter of a minute, and a step's repeats may
	// pause for half a one.
	patience = 3 * time.Minute
	// asideCases is how many cases run at a time. They mostly wait.
	asideCases = "32"
)

// temporal is the server of all cases, each of which has its own task queue, databases and provider.
var temporal client.Client

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", asideCases)
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "holdfast-matrix-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server, err := temporalserver.Start(context.Background(), temporalserver.Config{
		Dir: dir, Frontend: "127.0.0.1:0", Namespace: namespace, SearchAttributes: workflows.SearchAttributes(),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	defer server.Stop()
	temporal, err = client.Dial(client.Options{HostPort: server.Addr(), Namespace: namespace, Logger: quiet})
	if err != nil {
		panic(err)
	}
	defer temporal.Close()
	return m.Run()
}

// quiet drops what the SDK says of the failures that are made here.
var quiet = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))

// store is a shop of its own, with one SKU.
type store struct {
	t        *testing.T
	queue    string
	redis    *miniredis.Miniredis
	front    *stock.Front
	db       *orderdb.DB
	provider *sandbox.Server
	payments *payment.Client
	end      context.Context //nolint:containedctx // of the test
	over     func()          // ends it
	tend     func()          // done again and again while the test waits
}

func openStore(t *testing.T, initial int64) *store {
	t.Helper()
	end, over := context.WithCancel(context.Background())
	s := &store{t: t, queue: t.Name(), redis: miniredis.RunT(t), end: end, over: over, tend: func() {}}
	var err error
	if s.db, err = orderdb.OpenSQLite(filepath.Join(t.TempDir(), "orders.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Disconnect() })
	if _, _, err := s.db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.db.SetStock(t.Context(), sku, orderdb.Setting{OnHand: initial}, 0); err != nil {
		t.Fatal(err)
	}
	s.front = stock.New(&redis.UniversalOptions{Addrs: []string{s.redis.Addr()}}, s.db,
		stock.Config{ReservationTTL: time.Hour, IdleTTL: time.Hour})
	t.Cleanup(func() { _ = s.front.Close() })
	s.provider = sandbox.New(sandbox.Config{Addr: "127.0.0.1:0", AsyncDelay: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err := s.provider.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.provider.Stop(context.Background()) })
	s.payments, err = payment.New(payment.Config{URL: s.provider.URL(), Timeout: 5 * time.Second, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(over)
	return s
}

// hire sets a worker to work, whose ports have the trap. It works until it is gone, dismissed, or the test is over.
func (s *store) hire(t *trap) (dismiss func()) {
	s.t.Helper()
	w := worker.New(temporal, s.queue, worker.Options{
		MaxConcurrentWorkflowTaskPollers: 2, MaxConcurrentActivityTaskPollers: 1, DisableRegistrationAliasing: true,
	})
	workflows.Workflows{AttentionAfter: time.Hour}.Register(w)
	steps := &activities.Activities{
		Stock: trappedStock{s.front, t}, Orders: trappedOrders{s.db, t}, Payments: trappedPayments{s.payments, t},
		Metrics: activities.NewMetrics(prometheus.NewRegistry()), KeyMemory: time.Hour, PaymentDeadline: time.Hour,
		DirectOpens: activities.NewDirectOpens(8),
	}
	steps.Register(w)
	if err := w.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, dismissed := context.WithCancel(s.end)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ctx.Done():
		case <-t.died():
		}
		w.Stop()
	}()
	s.t.Cleanup(func() { s.over(); <-stopped }) // what hangs lets go first
	return func() { dismissed(); <-stopped }
}

func (s *store) order(key, method string, quantity int64) order.Order {
	s.t.Helper()
	o, err := order.New("c-"+key, s.t.Name()+key, "EUR", method, []order.Line{{SKU: sku, Quantity: quantity, UnitPrice: price}})
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *store) start(options client.StartWorkflowOptions, workflow string, input ...any) client.WorkflowRun {
	s.t.Helper()
	options.EnableEagerStart = false
	run, err := temporal.ExecuteWorkflow(s.t.Context(), options, workflow, input...)
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

func (s *store) place(o order.Order) client.WorkflowRun {
	s.t.Helper()
	return s.start(workflows.PlaceOrderOptions(o, s.queue), workflows.PlaceOrderName, o)
}

func (s *store) placeTogether(orders ...order.Order) client.WorkflowRun {
	s.t.Helper()
	batch := make(workflows.Batch, len(orders))
	for i, o := range orders {
		text, err := json.Marshal(o)
		if err != nil {
			s.t.Fatal(err)
		}
		batch[i] = text
	}
	return s.start(workflows.PlaceOrdersOptions(fmt.Sprintf("%s-%d", s.t.Name(), time.Now().UnixNano()), s.queue, len(orders)), workflows.PlaceOrdersName, batch)
}

func (s *store) cancel(o order.Order) client.WorkflowRun {
	s.t.Helper()
	return s.start(workflows.CancelOrderOptions(o, s.queue), workflows.CancelOrderName, o)
}

// settled waits until nothing is owed for the order, and gives its row.
func (s *store) settled(o order.Order) orderdb.Record {
	s.t.Helper()
	var record orderdb.Record
	var err error
	s.watch(func() bool {
		record, err = s.db.Get(s.t.Context(), o.ID)
		return err == nil && record.SettledAt != nil
	}, func() string { return fmt.Sprintf("%s is not settled: %+v, %v", o.ID, record, err) })
	return record
}

// watch returns once something is true.
func (s *store) watch(done func() bool, otherwise func() string) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatal(otherwise())
		}
		s.tend()
	}
}

// placeAgain has the order carried from the top once more, whatever became of it.
func (s *store) placeAgain(o order.Order) client.WorkflowRun {
	s.t.Helper()
	return s.start(workflows.RedriveOptions(o, s.queue), workflows.PlaceOrderName, o)
}

// carried waits until no workflow carries the order.
func (s *store) carried(o order.Order) {
	s.t.Helper()
	for _, id := range workflows.WorkflowIDs(o.ID) {
		s.ended(temporal.GetWorkflow(s.t.Context(), id, ""))
	}
}

// ended waits for a workflow, however it ended.
func (s *store) ended(run client.WorkflowRun) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	_ = run.Get(ctx, nil)
	if ctx.Err() != nil {
		s.t.Fatalf("%s never ended", run.GetID())
	}
}

// conserves checks units and money of all orders that were ever placed here, with and without the audit's help.
func (s *store) conserves(initial int64, orders ...order.Order) {
	s.t.Helper()
	sold := int64(0)
	for _, o := range orders {
		record, err := s.db.Get(s.t.Context(), o.ID)
		if err != nil {
			s.t.Errorf("%s: %v", o.ID, err)
			continue
		}
		want := int64(0)
		if record.Status.Sold() {
			want = o.Total().Minor
			sold += o.Lines[0].Quantity
		}
		if net, err := s.payments.Net(s.t.Context(), o.ID); err != nil || net != want {
			s.t.Errorf("%s is %s and the provider holds %d minor units, %v", o.ID, record.Status, net, err)
		}
	}
	rows, err := s.db.GetStocks(s.t.Context(), []string{sku})
	if err != nil || len(rows) != 1 || rows[0].OnHand != initial-sold || rows[0].Reserved != 0 {
		s.t.Errorf("%d of %d units were sold, and the row says %+v, %v", sold, initial, rows, err)
	}
	report, err := audit.New(audit.Config{Orders: s.db, Front: s.front, Ledger: s.payments, Pause: time.Millisecond}).Run(s.t.Context())
	if err != nil || !report.Holds || report.InFlight > 0 {
		s.t.Errorf("the audit: %+v, %v", report, err)
	}
}
