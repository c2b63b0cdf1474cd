// Package holdfast_test holds the tree to its rules: which package may import which, and why.
package holdfast_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath string   `json:"ImportPath"`
	Name       string   `json:"Name"`
	Doc        string   `json:"Doc"`
	GoFiles    []string `json:"GoFiles"` // without tests
	Imports    []string `json:"Imports"`
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Doc,GoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p goPackage
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 10 {
		t.Fatalf("go list found only %d packages", len(packages))
	}
	return packages
}

// onlyImports says of a package what it may import beside the standard library. A path stands for
// everything below it as well.
var onlyImports = []struct {
	pkg     string
	allowed []string
	why     string
}{
	{"holdfast/order", nil, "the domain depends on nothing"},
	{
		"holdfast/workflows",
		[]string{"holdfast/order", "holdfast/activities", "go.temporal.io"},
		"a workflow must be deterministic, so it reaches the world only through the names of steps",
	},
	{"holdfast/warehouse/sandbox", nil, "the warehouse is somebody else's system: it shares no code with its client"},
	{"holdfast/payment/sandbox", nil, "the provider is somebody else's system: it shares no code with its client"},
	{
		"holdfast/payment/paymenttest",
		[]string{"holdfast/order", "holdfast/activities"},
		"it holds every adapter to the port, so it knows no provider",
	},
	{
		"holdfast/metrics",
		[]string{"github.com/prometheus", "go.opentelemetry.io/otel", "go.temporal.io/sdk"},
		"each package owns its own series, so the registry knows none of them",
	},
	{
		"holdfast/reconcile",
		[]string{"holdfast/order", "holdfast/orderdb", "golang.org/x/sync"},
		"what to heal and to re-drive does not depend on how Redis is asked, or what carries an order",
	},
	{
		"holdfast/admission",
		[]string{"holdfast/order", "holdfast/internal/gather", "github.com/prometheus", "github.com/hashicorp/golang-lru"},
		"who goes when does not depend on what carries him",
	},
	{"holdfast/starter/flashsale", []string{"holdfast/order"}, "what shoppers do does not depend on how their orders are sent"},
	{"holdfast/internal/gather", nil, "gathering look-ups has nothing to do with orders"},
	{
		"holdfast/tracing",
		[]string{"holdfast/order", "go.opentelemetry.io", "go.temporal.io/sdk", "github.com/XSAM/otelsql", "github.com/redis/go-redis"},
		"it wraps what others use, and must not depend on what they do with it",
	},
	{"holdfast/config", []string{"github.com/caarlos0/env", "github.com/robfig/cron"}, "configuration is read, not acted on"},
}

// mayImport says of a package who may import it. Only packages of this module are asked.
var mayImport = []struct {
	pkg       string
	importers []string
	why       string
}{
	{
		"holdfast/config",
		[]string{"holdfast/app", "holdfast/api", "holdfast/worker", "holdfast/starter"},
		"everything else is given what it needs",
	},
	{"holdfast/app", []string{"holdfast/api", "holdfast/worker"}, "only programs put the whole together"},
	{"holdfast/payment/sandbox", []string{"holdfast/payment/sandbox"}, "the product never links a simulator"},
	{"holdfast/warehouse/sandbox", []string{"holdfast/warehouse/sandbox"}, "the product never links a simulator"},
	{"holdfast/warehouse", []string{"holdfast/app", "holdfast/audit", "holdfast/warehouse/sandbox"}, "activities know it as a port"},
	{"holdfast/payment/paymenttest", nil, "it is part of tests, and links package testing"},
	{"holdfast/events", []string{"holdfast/app", "holdfast/starter"}, "activities know it as a port"},
	{"holdfast/stock", []string{"holdfast/app", "holdfast/audit"}, "activities and handlers know it as a port"},
	{"holdfast/workflows", []string{"holdfast/app", "holdfast/api", "holdfast/starter"}, "workflows are started and registered, never called"},
	{"holdfast/admission", []string{"holdfast/app", "holdfast/api"}, "orders come in through the API"},
	{"holdfast/starter/flashsale", []string{"holdfast/starter"}, "a load is made by the starter, never by the product"},
	{"holdfast/tracing", []string{"holdfast/app", "holdfast/api", "holdfast/activities"}, "what implements a port is given what it wraps itself with"},
	{"holdfast/reconcile", []string{"holdfast/app"}, "activities know it as a port"},
	{"holdfast/internal/testserver", []string{"holdfast/scripts/strategies"}, "only tests and measurements start servers"},
	{"holdfast/internal/testorders", nil, "it is part of tests, and links package testing"},
}

// implementsPorts are the packages behind the ports of package activities.
var implementsPorts = []string{"holdfast/stock", "holdfast/orderdb", "holdfast/payment", "holdfast/warehouse", "holdfast/events"}

func TestImportsFollowTheRules(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		for _, imported := range p.Imports {
			for _, rule := range onlyImports {
				if p.ImportPath == rule.pkg && !isStandard(imported) && !within(imported, rule.allowed) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, rule.why)
				}
			}
			for _, rule := range mayImport {
				if imported == rule.pkg && !within(p.ImportPath, rule.importers) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, rule.why)
				}
			}
			for _, implementation := range implementsPorts {
				if p.ImportPath == implementation && within(imported, []string{"holdfast"}) && imported != "holdfast/order" {
					t.Errorf("%s imports %s: what implements a port knows the domain alone", p.ImportPath, imported)
				}
				if p.ImportPath == "holdfast/activities" && imported == implementation {
					t.Errorf("activities imports %s: it declares the port and must not know who implements it", imported)
				}
			}
		}
	}
}

func TestTheTemporalServerNeverEntersTheProduct(t *testing.T) {
	t.Parallel()
	mod, err := os.Open("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mod.Close() }()
	lines := bufio.NewScanner(mod)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "go.temporal.io/server") {
			t.Errorf("go.mod requires the Temporal server (%q): it belongs to devstack's module alone", lines.Text())
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " + p.ImportPath[strings.LastIndexByte(p.ImportPath, '/')+1:] + " "
		}
		if len(p.GoFiles) > 0 && !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: its comment must begin %q, not %q", p.ImportPath, want, p.Doc)
		}
	}
}

func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != "holdfast"
}

func within(path string, roots []string) bool {
	for _, root := range roots {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}
