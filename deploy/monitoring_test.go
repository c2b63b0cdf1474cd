package deploy_test

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"holdfast/internal/testserver"
)

func TestPrometheusTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	promtool := testserver.Program(t, "promtool")
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", "prometheus/prometheus.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	promtool := testserver.Program(t, "promtool")
	if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", "prometheus/rules_test.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestEachAlertIsTestedAndExplained: it is shown to fire and not to, and its section says what it means, how to look and what to do.
func TestEachAlertIsTestedAndExplained(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations struct{ Summary, Runbook string }
			}
		}
	}
	readYAML(t, "prometheus/rules/holdfast.yml", &rules)
	var cases struct{ Tests []struct{ Name string } }
	readYAML(t, "prometheus/rules_test.yml", &cases)
	text, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts := 0
	sections := strings.Split(string(text), "\n## ")[1:]
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" {
				continue
			}
			alerts++
			for _, name := range []string{rule.Alert + " fires", rule.Alert + " does not fire"} {
				if !slices.ContainsFunc(cases.Tests, func(test struct{ Name string }) bool { return test.Name == name }) {
					t.Errorf("no test shows that %s", name)
				}
			}
			if rule.Annotations.Summary == "" || rule.Annotations.Runbook != "docs/runbook.md#"+strings.ToLower(rule.Alert) {
				t.Errorf("%s is annotated with %+v", rule.Alert, rule.Annotations)
			}
			at := slices.IndexFunc(sections, func(section string) bool { return strings.HasPrefix(section, rule.Alert+"\n") })
			if at < 0 {
				t.Errorf("the runbook has no section %s", rule.Alert)
				continue
			}
			for _, part := range []string{"**Means.** ", "**Look.** ", "**Do.** "} {
				if !strings.Contains(sections[at], part) {
					t.Errorf("the runbook's section %s does not have its part %s", rule.Alert, part)
				}
			}
		}
	}
	if alerts == 0 || alerts != len(sections) {
		t.Errorf("%d alerts, and the runbook has %d sections", alerts, len(sections))
	}
}

func TestPrometheusAsksWhoeverHasMetrics(t *testing.T) {
	t.Parallel()
	var prometheus struct {
		Scrape []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names []string
				Port  string
			} `yaml:"dns_sd_configs"`
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus/prometheus.yml", &prometheus)
	asked := make(map[string]string)
	for _, job := range prometheus.Scrape {
		for _, dns := range job.DNS {
			asked[job.Job] = strings.Join(dns.Names, ",") + ":" + dns.Port
		}
		for _, static := range job.Static {
			asked[job.Job] = strings.Join(static.Targets, ",")
		}
	}
	for job, addr := range map[string]string{
		"prometheus": "localhost:9090", "temporal": "temporal:8000",
		"api": "api:" + listensOn["api"][0], "worker": "worker:" + listensOn["worker"][0],
	} {
		if asked[job] != addr {
			t.Errorf("the job %s asks %q, and not %s", job, asked[job], addr)
		}
	}
	if at := readCompose(t).Services["temporal"].Environment["PROMETHEUS_ENDPOINT"]; at != "0.0.0.0:8000" {
		t.Errorf("Temporal has its metrics at %q", at)
	}
}

func TestGrafanaFindsPrometheusAndTheDashboards(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	var sources struct {
		Datasources []struct{ UID, URL string }
	}
	readYAML(t, "grafana/provisioning/datasources/prometheus.yml", &sources)
	if s := sources.Datasources; len(s) != 1 || s[0].UID != "prometheus" || s[0].URL != "http://prometheus:"+listensOn["prometheus"][0] {
		t.Errorf("the data sources are %+v", s)
	} else if u, err := url.Parse(s[0].URL); err != nil || c.Services[u.Hostname()].Image == "" {
		t.Errorf("no service is at %s", s[0].URL)
	}
	var provider struct {
		Providers []struct {
			Options struct{ Path string }
		}
	}
	readYAML(t, "grafana/provisioning/dashboards/holdfast.yml", &provider)
	if len(provider.Providers) != 1 || !slices.Contains(c.Services["grafana"].Volumes, "./deploy/grafana/dashboards:"+provider.Providers[0].Options.Path+":ro") {
		t.Errorf("the dashboards are looked for where nothing is mounted: %+v", provider.Providers)
	}
	dashboards, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range dashboards {
		text, err := os.ReadFile(file)
		if err != nil || !json.Valid(text) {
			t.Errorf("%s is no JSON (%v)", file, err)
		}
	}
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
