package alerts

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	_ "github.com/go-sql-driver/mysql" // the driver of the order database, to write behind the programs' back
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"holdfast/devstack/program"
	"holdfast/devstack/prom"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/child"
	"holdfast/internal/testserver"
	"holdfast/order"
)

// settings make the programs notice within seconds what they would notice anyway.
var settings = map[string]string{
	"HOLDFAST_ATTENTION_AFTER":   "5s",
	"HOLDFAST_RECONCILE_EVERY":   "10s",
	"HOLDFAST_RECONCILE_GRACE":   "1s",
	"HOLDFAST_AUDIT_EVERY":       "10s",
	"HOLDFAST_HANDOFF_CRON":      "* * * * *",
	"HOLDFAST_HANDOFF_TIME_ZONE": "UTC",
	"HOLDFAST_EVENTS_TOPIC":      topic,
}

const (
	topic    = "holdfast.events"
	database = "alerts"
	free     = "127.0.0.1:0"
)

// site is a stack on real servers, whose api and worker are processes, and a Prometheus that asks them.
type site struct {
	*shop.Client

	dir        string
	stack      *stack.Stack
	redis      *testserver.Server
	mariadb    *testserver.Server
	kafkaAddr  string
	kafka      *kfake.Cluster
	workerAddr string
	worker     *program.Program
	prometheus *prom.Prometheus
	sold       order.ID // an order that was confirmed when all was well

	rdb      *redis.Client
	db       *sql.DB
	temporal client.Client
	closers  []func() error
}

func openSite(ctx context.Context, dir, rules string) (s *site, err error) {
	s = &site{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, step := range []func(context.Context) error{s.startServers, s.startKafka, s.startStack, s.startPrograms, s.connect} {
		if err := step(ctx); err != nil {
			return s, err
		}
	}
	data, err := s.folder("prometheus")
	if err != nil {
		return s, err
	}
	targets := map[string][]string{"api": {strings.TrimPrefix(s.API, "http://")}, "worker": {s.workerAddr}}
	if s.prometheus, err = prom.Start(ctx, data, targets, rules); err == nil {
		s.onClose(func() error { s.prometheus.Stop(); return nil })
	}
	return s, err
}

func (s *site) onClose(closer func() error) { s.closers = append(s.closers, closer) }

func (s *site) close() error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

func (s *site) folder(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

func (s *site) startServers(ctx context.Context) error {
	dir, err := s.folder("redis")
	if err == nil {
		s.redis, err = testserver.StartRedis(ctx, dir)
	}
	if err != nil {
		return err
	}
	s.onClose(func() error { s.redis.Kill(); return nil })
	if dir, err = s.folder("mariadb"); err == nil {
		s.mariadb, err = testserver.StartMariaDB(ctx, dir)
	}
	if err != nil {
		return err
	}
	s.onClose(func() error { s.mariadb.Kill(); return nil })
	root, err := sql.Open("mysql", testserver.DSN(s.mariadb.Addr(), ""))
	if err != nil {
		return err
	}
	defer root.Close()
	_, err = root.ExecContext(ctx, "CREATE DATABASE "+database)
	return err
}

// startKafka starts a broker, where the one before was.
func (s *site) startKafka(ctx context.Context) (err error) {
	if s.kafkaAddr == "" {
		if s.kafkaAddr, err = child.FreeAddr(ctx); err != nil {
			return err
		}
		s.onClose(func() error { s.kafka.Close(); return nil })
	}
	_, text, err := net.SplitHostPort(s.kafkaAddr)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err == nil {
		s.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.SeedTopics(1, topic))
	}
	return err
}

func (s *site) startStack(ctx context.Context) (err error) {
	api, err := child.FreeAddr(ctx)
	if err != nil {
		return err
	}
	s.Client = shop.New("http://" + api)
	all := map[string]string{"HOLDFAST_KAFKA_BROKERS": s.kafkaAddr}
	maps.Copy(all, settings)
	data, err := s.folder("stack")
	if err != nil {
		return err
	}
	s.stack, err = stack.Start(ctx, stack.Config{
		Data: data, API: api, Temporal: free, UI: free, Gateway: free, InfraOnly: true,
		Redis: s.redis.Addr(), MySQL: testserver.DSN(s.mariadb.Addr(), database), Settings: all,
	})
	if err == nil {
		s.onClose(s.stack.Stop)
	}
	return err
}

func (s *site) startPrograms(ctx context.Context) (err error) {
	if s.workerAddr, err = child.FreeAddr(ctx); err != nil {
		return err
	}
	if err := s.startWorker(ctx); err != nil {
		return err
	}
	s.onClose(func() error { s.worker.Kill(); return nil })
	api, err := program.Start(ctx, "", "api", strings.TrimPrefix(s.API, "http://"), s.stack.Env(), s.dir)
	if err == nil {
		s.onClose(func() error { api.Kill(); return nil })
	}
	return err
}

// startWorker starts a worker, where the one before was.
func (s *site) startWorker(ctx context.Context) (err error) {
	s.worker, err = program.Start(ctx, "", "worker", s.workerAddr, s.stack.Env(), s.dir)
	return err
}

func (s *site) connect(context.Context) (err error) {
	s.rdb = redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	s.onClose(s.rdb.Close)
	if s.db, err = sql.Open("mysql", testserver.DSN(s.mariadb.Addr(), database)); err != nil {
		return err
	}
	s.onClose(s.db.Close)
	s.temporal, err = client.NewLazyClient(client.Options{
		HostPort: s.stack.TemporalAddr(), Namespace: stack.Namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err == nil {
		s.onClose(func() error { s.temporal.Close(); return nil })
	}
	return err
}
