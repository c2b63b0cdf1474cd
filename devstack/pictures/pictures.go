// Package pictures takes the pictures of the README: it plays a sale with trouble in it on a stack, under a real Prometheus, draws the
// panels of the dashboards from what that has, and photographs the Web UI in a headless browser. devstack's main imports it.
package pictures

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/devstack/prom"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
)

// Options say where the pictures go and what they are made of.
type Options struct {
	Out        string // a folder that is there
	Dashboards string // the folder of Grafana's files
	Rules      string // Prometheus' rules
}

// studio is everything that runs for the pictures.
type studio struct {
	*shop.Client

	stack      *stack.Stack
	redis      *testserver.Server
	prometheus *prom.Prometheus
	began      time.Time
	progress   io.Writer
	closers    []func() error
}

// Run takes them all.
func Run(ctx context.Context, o Options, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "holdfast-pictures-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &studio{progress: progress}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(ctx, dir, o.Rules); err != nil {
		return err
	}
	s.say("a sale with trouble in it: %s", story.length())
	if err := s.play(ctx); err != nil {
		return err
	}
	if err := s.photograph(ctx, o.Out); err != nil {
		return err
	}
	for _, name := range []string{"sale", "saga", "stock"} {
		file := filepath.Join(o.Out, name+".png")
		if err := s.draw(ctx, filepath.Join(o.Dashboards, name+".json"), file); err != nil {
			return err
		}
		s.say("%s", file)
	}
	return nil
}

func (s *studio) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.progress, format+"\n", args...)
}

func (s *studio) open(ctx context.Context, dir, rules string) error {
	folder := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"redis", "mariadb", "stack", "prometheus"} {
		if err := os.MkdirAll(folder(name), 0o700); err != nil {
			return err
		}
	}
	var err error
	if s.redis, err = testserver.StartRedis(ctx, folder("redis")); err != nil {
		return err
	}
	s.closers = append(s.closers, func() error { s.redis.Kill(); return nil })
	const free = "127.0.0.1:0"
	s.stack, err = stack.Start(ctx, stack.Config{
		Data: folder("stack"), API: free, Temporal: free, UI: free, Gateway: free, Kafka: free, Redis: s.redis.Addr(),
		Settings: map[string]string{"HOLDFAST_RECONCILE_EVERY": "10s", "HOLDFAST_RECONCILE_GRACE": "1s", "HOLDFAST_AUDIT_EVERY": "10s"},
	})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.stack.Stop)
	s.Client = shop.New(s.stack.APIURL())
	address := func(url string) []string {
		return []string{strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")}
	}
	s.prometheus, err = prom.Start(ctx, folder("prometheus"), map[string][]string{
		"api": address(s.stack.APIURL()), "worker": address(s.stack.MetricsURL()),
	}, rules)
	if err == nil {
		s.closers = append(s.closers, func() error { s.prometheus.Stop(); return nil })
	}
	return err
}

func (s *studio) close() error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}
