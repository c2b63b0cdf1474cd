package compose_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/mysql" // which the server chooses by its name
	"go.temporal.io/server/temporal"
	sqltool "go.temporal.io/server/tools/sql"
	"google.golang.org/protobuf/types/known/durationpb"

	"holdfast/devstack/prom"
	"holdfast/internal/child"
	"holdfast/internal/testserver"
	"holdfast/starter/cli"
)

// TestMain lets this program be Temporal's own, under their names.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "temporal-sql-tool":
		_ = sqltool.RunTool(os.Args) // it exits 1 by itself
	case "temporal-server":
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		m.Run()
	}
}

// serve is what the server's image runs: all is in the environment.
func serve() error {
	cfg, err := config.Load(config.WithEmbedded())
	if err != nil {
		return err
	}
	server, err := temporal.NewServer(temporal.ForServices(temporal.DefaultServices), temporal.WithConfig(cfg), temporal.InterruptOn(temporal.InterruptCh()))
	if err != nil {
		return err
	}
	return server.Start()
}

// TestTemporalComesUpOnMySQL with the users, the schema and the environment of docker-compose.yml, and holdfast can migrate. Addresses
// alone are the test's.
func TestTemporalComesUpOnMySQL(t *testing.T) {
	t.Parallel()
	database := testserver.MySQL(t)
	testserver.RunSQL(t, database, root+"/deploy/mysql/users.sql")
	host, port, err := net.SplitHostPort(database.Addr())
	if err != nil {
		t.Fatal(err)
	}
	project := load(t)

	schema := project.Services["temporal-schema"]
	script := root + "/deploy/temporal/schema.sh"
	if want := []string{"/bin/sh", "/schema.sh"}; !slices.Equal(schema.Entrypoint, want) || schema.Volumes[0].Target != want[1] {
		t.Fatalf("temporal-schema runs %q, and not %s", schema.Entrypoint, script)
	}
	for range 2 { // the second time there is nothing to do
		cmd := exec.CommandContext(t.Context(), "/bin/sh", script)
		cmd.Env = environ(schema.Environment, "SQL_HOST="+host, "SQL_PORT="+port, "PATH="+named(t, "temporal-sql-tool"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}

	frontend, metrics := freeAddr(t), freeAddr(t)
	variables := []string{
		"MYSQL_SEEDS=" + host, "DB_PORT=" + port, "BIND_ON_IP=127.0.0.1", "PROMETHEUS_ENDPOINT=" + metrics,
		"DYNAMIC_CONFIG_FILE_PATH=" + root + "/deploy/temporal/dynamicconfig.yml", "FRONTEND_GRPC_PORT=" + portOf(frontend),
	}
	for _, other := range []string{
		"FRONTEND_HTTP", "FRONTEND_MEMBERSHIP", "MATCHING_GRPC", "MATCHING_MEMBERSHIP", "HISTORY_GRPC", "HISTORY_MEMBERSHIP",
		"WORKER_GRPC", "WORKER_MEMBERSHIP",
	} {
		variables = append(variables, other+"_PORT="+portOf(freeAddr(t)))
	}
	log := startServer(t, environ(project.Services["temporal"].Environment, variables...))
	if err := register(t.Context(), frontend); err != nil {
		t.Fatalf("%v, its log ends with:\n%s", err, tail(log))
	}

	migrate := environ(project.Services["migrate"].Environment, "TEMPORAL_ADDRESS="+frontend,
		"HOLDFAST_MYSQL_DSN="+strings.Replace(*project.Services["migrate"].Environment["HOLDFAST_MYSQL_DSN"], "mysql:3306", database.Addr(), 1))
	var said bytes.Buffer
	if code := cli.Main(t.Context(), []string{"migrate"}, cli.Env{Environ: migrate, Stdout: &said, Stderr: &said}); code != 0 {
		t.Errorf("migrate exits %d: %s, and Temporal's log ends with:\n%s", code, said.String(), tail(log))
	}
	wantServersMetrics(t, get(t, "http://"+metrics+"/metrics"))
}

var serversMetric = regexp.MustCompile(`\b(service|persistence)_\w+`)

// wantServersMetrics checks that a scrape of Temporal's server has what the dashboards show of it.
func wantServersMetrics(t *testing.T, scrape string) {
	t.Helper()
	d, err := prom.ReadDashboard(root + "/deploy/grafana/dashboards/machine-room.json")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			if !strings.Contains(target.Expr, `job="temporal"`) {
				continue
			}
			asked++
			for _, name := range serversMetric.FindAllString(target.Expr, -1) {
				if !strings.Contains(scrape, "\n"+name+"{") {
					t.Errorf("%s: %s names %s, which Temporal's server does not have", d.Title, panel.Title, name)
				}
			}
		}
	}
	if asked == 0 {
		t.Error("no dashboard shows Temporal's server")
	}
}

func TestTemporalKnowsItsDynamicConfiguration(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/deploy/temporal/dynamicconfig.yml")
	if err != nil {
		t.Fatal(err)
	}
	result := dynamicconfig.LoadYamlFile(text)
	if len(result.Map) == 0 || len(result.Errors) > 0 || len(result.Warnings) > 0 {
		t.Errorf("it reads %d settings, with the errors %v and the warnings %v", len(result.Map), result.Errors, result.Warnings)
	}
	server := load(t).Services["temporal"]
	file := server.Environment["DYNAMIC_CONFIG_FILE_PATH"]
	if file == nil || len(server.Volumes) != 1 || server.Volumes[0].Target != *file {
		t.Error("it is not mounted where the server looks: without a file it does not start")
	}
}

// TestTemporalIsWhatDevstackHas, or the tests here would say nothing of the images.
func TestTemporalIsWhatDevstackHas(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	project := load(t)
	for service, from := range map[string]struct{ image, module string }{
		"temporal":           {"temporalio/server", "go.temporal.io/server"},
		"temporal-schema":    {"temporalio/admin-tools", "go.temporal.io/server"},
		"temporal-namespace": {"temporalio/admin-tools", "go.temporal.io/server"},
		"temporal-ui":        {"temporalio/ui", "github.com/temporalio/ui-server/v2"},
	} {
		version := strings.TrimPrefix(project.Services[service].Image, from.image+":")
		if !strings.Contains(string(mod), "\t"+from.module+" v"+version+"\n") {
			t.Errorf("service %s is %s, which is not devstack's version", service, project.Services[service].Image)
		}
	}
}

// named makes a directory in which this program has the name.
func named(t *testing.T, name string) (dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// environ is a service's environment, with what is the test's own.
func environ(of map[string]*string, own ...string) []string {
	all := make(map[string]string)
	for name, value := range of {
		all[name] = *value
	}
	for _, variable := range own {
		name, value, _ := strings.Cut(variable, "=")
		all[name] = value
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, name+"="+all[name])
	}
	return list
}

// startServer starts Temporal's server, until the test ends. It returns the file of its log.
func startServer(t *testing.T, environ []string) string {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "temporal.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(named(t, "temporal-server"), "temporal-server"))
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, log, log
	server, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Kill() // its data is of no use to anyone
		_ = log.Close()
	})
	return log.Name()
}

// register waits until the server takes a namespace.
func register(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for {
		err := tryRegister(ctx, addr)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func tryRegister(ctx context.Context, addr string) error {
	namespaces, err := client.NewNamespaceClient(client.Options{HostPort: addr})
	if err != nil {
		return err
	}
	defer namespaces.Close()
	return namespaces.Register(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: "default", WorkflowExecutionRetentionPeriod: durationpb.New(7 * 24 * time.Hour),
	})
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err = errors.Join(err, statusError(res)); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func statusError(res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := child.FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// tail is the end of a file, for messages.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}
