// Package prom runs a Prometheus beside a stack and asks it. The alerts' rehearsal and the tests of devstack import it.
package prom

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"holdfast/internal/testserver"
)

// Scrape is how often a stack is scraped and its rules are evaluated.
const Scrape = 500 * time.Millisecond

// Prometheus is one that runs.
type Prometheus struct {
	v1.API

	server *testserver.Server
}

var (
	minutes = regexp.MustCompile(`\b(\d+)m\b`)
	ofSixty = regexp.MustCompile(` \* 60\b`)
)

// quicken makes a second of each minute in rules: of their windows, of how long they wait, and of their thresholds.
func quicken(rules []byte) []byte {
	return ofSixty.ReplaceAll(minutes.ReplaceAll(rules, []byte("${1}s")), []byte(" * 1"))
}

// Start starts a Prometheus with its files in dir, which asks the targets, HOST:PORT by job, and evaluates the rules of a file, in
// which it takes a second for a minute. flags are Prometheus' own. The error is testserver.ErrNotFound if there is no prometheus on this machine.
func Start(ctx context.Context, dir string, targets map[string][]string, rules string, flags ...string) (*Prometheus, error) {
	text, err := os.ReadFile(rules) //nolint:gosec // the caller's own
	if err != nil {
		return nil, err
	}
	file, quick := filepath.Join(dir, "prometheus.yml"), filepath.Join(dir, "rules.yml")
	if err := os.WriteFile(quick, quicken(text), 0o600); err != nil { //nolint:gosec // the caller's own directory
		return nil, err
	}
	if err := os.WriteFile(file, []byte(configuration(targets, quick)), 0o600); err != nil {
		return nil, err
	}
	server, err := testserver.StartPrometheus(ctx, dir, file, flags...)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(api.Config{Address: "http://" + server.Addr()})
	if err != nil {
		server.Kill()
		return nil, err
	}
	return &Prometheus{v1.NewAPI(client), server}, nil
}

// Stop ends it. Its data is of no use any more.
func (p *Prometheus) Stop() { p.server.Kill() }

func configuration(targets map[string][]string, rules string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "global: {scrape_interval: %s, scrape_timeout: %[1]s, evaluation_interval: %[1]s}\n", Scrape)
	fmt.Fprintf(&text, "rule_files: [%q]\n", rules)
	text.WriteString("scrape_configs:\n")
	for _, job := range slices.Sorted(maps.Keys(targets)) {
		fmt.Fprintf(&text, "- {job_name: %s, static_configs: [{targets: ['%s']}]}\n", job, strings.Join(targets[job], "', '"))
	}
	return text.String()
}

// Firing gives the alerts that fire, by name, with what each says.
func (p *Prometheus) Firing(ctx context.Context) (map[string]string, error) {
	result, err := p.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	firing := make(map[string]string)
	for _, alert := range result.Alerts {
		if alert.State == v1.AlertStateFiring {
			firing[string(alert.Labels["alertname"])] = string(alert.Annotations["summary"])
		}
	}
	return firing, nil
}
