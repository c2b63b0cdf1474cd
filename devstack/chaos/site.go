package chaos

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/child"
	"holdfast/internal/testserver"
	"holdfast/orderdb"
	warehouse "holdfast/warehouse/sandbox"
)

// site is everything that runs: real servers, the programs, and a proxy in front of each server.
type site struct {
	dir       string
	kept      map[string]*kept
	proxies   map[string]*toxiproxy.Proxy
	addrs     map[string]string // of the processes, HOST:PORT
	given     map[string]bool   // addresses that are taken, whether or not somebody listens
	shops     []*shop.Client    // one for each api
	rdb       *redis.Client     // past the proxy, as are the following
	temporal  client.Client
	all       sync.WaitGroup
	closers   []func()
	stopAll   context.CancelFunc
	database  *testserver.Server
	warehouse *warehouse.Server
	redisProc *testserver.Server
}

// settings make the programs notice within a short run what they would notice anyway.
var settings = map[string]string{
	"HOLDFAST_RECONCILE_EVERY": "10s",
	"HOLDFAST_RECONCILE_GRACE": "5s",
	// Counts and reservations expire in the middle of it.
	"HOLDFAST_STOCK_IDLE_TTL":  "5s",
	"HOLDFAST_RESERVATION_TTL": "20s",
	"HOLDFAST_LOG_LEVEL":       "WARN",
	// Orders are handed off in the middle of it, a few at a time.
	"HOLDFAST_HANDOFF_CRON":      "* * * * *",
	"HOLDFAST_HANDOFF_TIME_ZONE": "UTC",
	"HOLDFAST_HANDOFF_PAGE":      "20",
}

// openSite starts everything, with its files in dir.
func openSite(ctx context.Context, o Options, dir string) (s *site, err error) {
	s = &site{
		dir: dir, kept: make(map[string]*kept), proxies: make(map[string]*toxiproxy.Proxy),
		addrs: make(map[string]string), given: make(map[string]bool),
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopAll = stop
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, step := range []func(context.Context, Options) error{s.startServers, s.startWarehouse, s.addHelpers, s.openProxies, s.migrate, s.addPrograms} {
		if err := step(ctx, o); err != nil {
			return s, err
		}
		s.keepAll(run)
		for _, k := range s.kept {
			wait, cancel := context.WithTimeout(ctx, time.Minute)
			err := k.wait(wait)
			cancel()
			if err != nil {
				return s, err
			}
		}
	}
	err = s.connect()
	return s, err
}

// keepAll keeps what is not kept yet.
func (s *site) keepAll(run context.Context) {
	for _, k := range s.kept {
		k.once.Do(func() { s.all.Go(func() { k.keep(run) }) })
	}
}

func (s *site) startServers(ctx context.Context, _ Options) error {
	for _, name := range servers[:2] {
		if err := os.MkdirAll(filepath.Join(s.dir, name), 0o700); err != nil {
			return err
		}
	}
	var err error
	s.redisProc, err = testserver.StartRedis(ctx, filepath.Join(s.dir, redisServer), "--appendonly", "yes")
	if err != nil {
		return fmt.Errorf("chaos needs a real redis-server: %w", err)
	}
	s.closers = append(s.closers, s.redisProc.Kill)
	s.database, err = testserver.StartMariaDB(ctx, filepath.Join(s.dir, mariadb))
	if err != nil {
		return fmt.Errorf("chaos needs a real mariadbd: %w", err)
	}
	s.closers = append(s.closers, s.database.Kill)
	s.addrs[redisServer], s.addrs[mariadb] = s.redisProc.Addr(), s.database.Addr()
	s.kept[redisServer], s.kept[mariadb] = keptServer(redisServer, s.redisProc), keptServer(mariadb, s.database)
	return nil
}

// startWarehouse starts the one server that nothing happens to: the audit and the books compare with it.
func (s *site) startWarehouse(ctx context.Context, _ Options) error {
	s.warehouse = warehouse.New(warehouse.Config{Addr: "127.0.0.1:0"})
	if err := s.warehouse.Start(ctx); err != nil {
		return fmt.Errorf("start the warehouse: %w", err)
	}
	s.closers = append(s.closers, func() { _ = s.warehouse.Stop(ctx) })
	return nil
}

// addHelpers adds the Temporal server and the provider, which tells the first api of decided payments.
func (s *site) addHelpers(ctx context.Context, o Options) error {
	for _, name := range processes[2:] {
		addr, err := s.freeAddr(ctx)
		if err != nil {
			return err
		}
		s.addrs[name] = addr
	}
	dir := filepath.Join(s.dir, temporal)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	self := o.Executable
	s.kept[temporal] = keptHelper(temporal, self, []string{"chaos", temporal, "--dir", dir, "--addr", s.addrs[temporal]}, s.dir, s.temporalServes)
	s.kept[provider] = keptHelper(provider, self, []string{
		"chaos", provider, "--journal", filepath.Join(s.dir, "ledger.jsonl"), "--addr", s.addrs[provider],
		"--webhook", "http://" + s.addrs["api-1"] + "/v1/payments/webhook", "--secret", o.secret,
	}, s.dir, func(ctx context.Context) error {
		_, err := shop.New("").Ledger(ctx, "http://"+s.addrs[provider])
		return err
	})
	return nil
}

// freeAddr is an address that nobody has, and none of those that were given out and nobody listens at yet.
func (s *site) freeAddr(ctx context.Context) (addr string, err error) {
	for addr == "" || s.given[addr] {
		if addr, err = child.FreeAddr(ctx); err != nil {
			return "", err
		}
	}
	s.given[addr] = true
	return addr, nil
}

func (s *site) temporalServes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: s.addrs[temporal], Namespace: stack.Namespace, Logger: quiet})
	if err == nil {
		c.Close()
	}
	return err
}

func (s *site) openProxies(ctx context.Context, _ Options) error {
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for _, name := range servers {
		addr, err := s.freeAddr(ctx)
		if err != nil {
			return err
		}
		p := toxiproxy.NewProxy(api, name, addr, s.addrs[name])
		if err := p.Start(); err != nil {
			return fmt.Errorf("start the proxy of %s: %w", name, err)
		}
		s.proxies[name] = p
		s.closers = append(s.closers, p.Stop)
	}
	return nil
}

const schema = "chaos"

func (s *site) migrate(ctx context.Context, _ Options) error {
	root, err := sql.Open("mysql", testserver.DSN(s.database.Addr(), ""))
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.ExecContext(ctx, "CREATE DATABASE "+schema); err != nil {
		return err
	}
	db, err := orderdb.OpenMySQL(testserver.DSN(s.database.Addr(), schema), 2)
	if err != nil {
		return err
	}
	defer func() { _ = db.Disconnect() }()
	_, _, err = db.Migrate(ctx)
	return err
}

func (s *site) addPrograms(_ context.Context, o Options) error {
	env := map[string]string{
		"TEMPORAL_ADDRESS": s.proxies[temporal].Listen, "TEMPORAL_NAMESPACE": stack.Namespace,
		"HOLDFAST_REDIS_ADDRS": s.proxies[redisServer].Listen, "HOLDFAST_PAYMENT_URL": "http://" + s.proxies[provider].Listen,
		"HOLDFAST_MYSQL_DSN":              testserver.DSN(s.proxies[mariadb].Listen, schema),
		"HOLDFAST_PAYMENT_WEBHOOK_SECRET": o.secret,
		"HOLDFAST_WAREHOUSE_URL":          s.warehouse.URL(),
	}
	maps.Copy(env, settings)
	for _, name := range processes[4:] {
		kind := name[:len(name)-len("-1")]
		s.kept[name] = keptProgram(kind, name, o.Programs, s.addrs[name], env, s.dir)
		if kind == "api" {
			s.shops = append(s.shops, shop.New("http://"+s.addrs[name]))
		}
	}
	return nil
}

func (s *site) connect() (err error) {
	s.rdb = redis.NewClient(&redis.Options{Addr: s.addrs[redisServer], ContextTimeoutEnabled: true})
	s.closers = append(s.closers, func() { _ = s.rdb.Close() })
	s.temporal, err = client.NewLazyClient(client.Options{HostPort: s.addrs[temporal], Namespace: stack.Namespace, Logger: quiet})
	if err == nil {
		s.closers = append(s.closers, s.temporal.Close)
	}
	return err
}

func (s *site) providerURL() string { return "http://" + s.addrs[provider] }

// close ends everything at once: its data is of no use any more.
func (s *site) close() {
	s.stopAll()
	s.all.Wait()
	for _, c := range s.closers {
		c()
	}
}

// healthy waits until every process is up and both apis are ready.
func (s *site) healthy(ctx context.Context) error {
	for _, name := range processes {
		if err := s.kept[name].wait(ctx); err != nil {
			return err
		}
	}
	for _, c := range s.shops {
		for !ready(ctx, c) {
			if sleep(ctx, 100*time.Millisecond); ctx.Err() != nil {
				return fmt.Errorf("%s is not ready: %w", c.API, ctx.Err())
			}
		}
	}
	return nil
}

func ready(ctx context.Context, c *shop.Client) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.API+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// poison lets the answers of a server come through its proxy in a worse way for the length.
func (s *site) poison(ctx context.Context, name, toxic string, attributes map[string]int, length time.Duration) error {
	text, err := json.Marshal(map[string]any{"name": toxic, "type": toxic, "stream": "downstream", "attributes": attributes})
	if err != nil {
		return err
	}
	toxics := s.proxies[name].Toxics
	if _, err := toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
		return err
	}
	sleep(ctx, length)
	return toxics.RemoveToxic(context.WithoutCancel(ctx), toxic)
}

// cut closes all connections to a server; it can be dialled again at once.
func (s *site) cut(name string) error {
	s.proxies[name].Stop()
	return s.proxies[name].Start()
}

// newSecret is what the provider signs with in this run.
func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// quiet drops what the SDK says of a server that is away, which it is here all the time.
var quiet = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
