package temporalserver_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"holdfast/devstack/temporalserver"
)

func TestWorkflowRunsAndIsFoundByItsSearchAttribute(t *testing.T) {
	t.Parallel()
	srv := start(t, config(t.TempDir()))
	c := dial(t, srv)
	work(t, c)

	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID:                    "echo-1",
		TaskQueue:             queue,
		TypedSearchAttributes: temporal.NewSearchAttributes(orderID.ValueSet("ord_1")),
	}, echoWorkflow, "hello")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := run.Get(t.Context(), &got); err != nil || got != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	awaitListed(t, c, `OrderId = "ord_1"`, "echo-1")
}

func TestStateOutlivesAStop(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	first := start(t, cfg)
	c := dial(t, first)
	w := work(t, c)
	finish(t, c, "finished")
	begin(t, c, "waiting")
	w.Stop()
	c.Close()
	first.Stop()
	first.Stop() // safe to call twice

	c = dial(t, start(t, cfg))
	work(t, c)
	checkFinished(t, c, "finished")
	finishWaiting(t, c, "waiting")
}

func TestStateOutlivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := startVictim(t, dir)
	victim.kill(t)

	c := dial(t, start(t, config(dir)))
	work(t, c)
	checkFinished(t, c, "finished")
	finishWaiting(t, c, "waiting")
}

// What still unwinds when Stop returns must end by itself. The test is not parallel, so that no other one has
// a server running meanwhile.
func TestStopLeavesNothingRunning(t *testing.T) {
	srv := start(t, config(t.TempDir()))
	c := dial(t, srv)
	w := work(t, c)
	finish(t, c, "finished")
	w.Stop()
	c.Close()
	srv.Stop()
	await(t, "end of the server's goroutines", func() bool {
		stacks := make([]byte, 1<<20)
		return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("go.temporal.io/"))
	})
}

// A server that was never started over the directory and one that was killed before it had set everything
// up must not differ.
func TestStartsOverALeftoverOfAnEmptyFile(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	if err := os.WriteFile(filepath.Join(cfg.Dir, "temporal.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, start(t, cfg))
	work(t, c)
	finish(t, c, "finished")
}

func TestDirectoryMayHaveAnyName(t *testing.T) {
	t.Parallel()
	cfg := config(filepath.Join(t.TempDir(), "a b?c%20d#e"))
	if err := os.Mkdir(cfg.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	srv := start(t, cfg)
	srv.Stop()
	if _, err := os.Stat(filepath.Join(cfg.Dir, "visibility.db")); err != nil {
		t.Fatal(err)
	}
}

// The server keeps its search attributes under the path of the visibility file.
func TestDirectoryMayBeMoved(t *testing.T) {
	t.Parallel()
	cfg := config(filepath.Join(t.TempDir(), "before"))
	if err := os.Mkdir(cfg.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, cfg).Stop()
	moved := filepath.Join(filepath.Dir(cfg.Dir), "after")
	if err := os.Rename(cfg.Dir, moved); err != nil {
		t.Fatal(err)
	}

	cfg.Dir = moved
	c := dial(t, start(t, cfg))
	work(t, c)
	if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "echo-3", TaskQueue: queue,
		TypedSearchAttributes: temporal.NewSearchAttributes(orderID.ValueSet("ord_3")),
	}, echoWorkflow, ""); err != nil {
		t.Fatal(err)
	}
	awaitListed(t, c, `OrderId = "ord_3"`, "echo-3")
}

func TestLaterStartAddsSearchAttributes(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	start(t, cfg).Stop()

	cfg.SearchAttributes = map[string]enums.IndexedValueType{
		"OrderId":   enums.INDEXED_VALUE_TYPE_KEYWORD,
		"Attention": enums.INDEXED_VALUE_TYPE_BOOL,
	}
	c := dial(t, start(t, cfg))
	work(t, c)
	attention := temporal.NewSearchAttributeKeyBool("Attention")
	if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "echo-2", TaskQueue: queue,
		TypedSearchAttributes: temporal.NewSearchAttributes(attention.ValueSet(true), orderID.ValueSet("ord_2")),
	}, echoWorkflow, ""); err != nil {
		t.Fatal(err)
	}
	awaitListed(t, c, `Attention = true AND OrderId = "ord_2"`, "echo-2")
}

func TestSearchAttributeKeepsItsType(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	start(t, cfg).Stop()

	cfg.SearchAttributes = map[string]enums.IndexedValueType{"OrderId": enums.INDEXED_VALUE_TYPE_INT}
	_, err := temporalserver.Start(t.Context(), cfg)
	const want = "search attribute OrderId is Keyword in the files and cannot become Int"
	if err == nil || !contains(err, want) {
		t.Fatalf("got %v, want %q", err, want)
	}
}

func TestNamespaceKeepsFinishedWorkflowsForAWeek(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, config(t.TempDir())))
	answer, err := c.WorkflowService().DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); got != 7*24*time.Hour {
		t.Fatalf("retention is %s", got)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for what, set := range map[string]func(*temporalserver.Config, string){
		"Temporal frontend": func(c *temporalserver.Config, addr string) { c.Frontend = addr },
		"Temporal Web UI":   func(c *temporalserver.Config, addr string) { c.UI = addr },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cfg := config(t.TempDir())
			set(&cfg, taken.Addr().String())
			_, err := temporalserver.Start(t.Context(), cfg)
			var inUse *temporalserver.AddrInUseError
			if !errors.As(err, &inUse) || inUse.Addr != taken.Addr().String() || inUse.What != what {
				t.Fatalf("got %v", err)
			}
			if _, err := os.Stat(filepath.Join(cfg.Dir, "temporal.db")); !os.IsNotExist(err) {
				t.Fatalf("something was started before the address was checked: %v", err)
			}
		})
	}
}

func TestDirectoryInUse(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	srv := start(t, cfg)
	if _, err := temporalserver.Start(t.Context(), cfg); !errors.Is(err, temporalserver.ErrDirInUse) {
		t.Fatalf("got %v", err)
	}
	srv.Stop()
	start(t, cfg)
}

func TestInvalidConfigSaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "missing")
	_, err := temporalserver.Start(t.Context(), temporalserver.Config{Dir: dir, Frontend: "7233", UI: "8233"})
	for _, want := range []string{dir, "no namespace given", "frontend: address 7233", "web UI: address 8233"} {
		if err == nil || !contains(err, want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestServesOnlyOnLoopbackUnlessTold(t *testing.T) {
	t.Parallel()
	srv := start(t, config(t.TempDir()))
	host, _, err := net.SplitHostPort(srv.Addr())
	if err != nil || !net.ParseIP(host).IsLoopback() {
		t.Fatalf("frontend at %s, %v", srv.Addr(), err)
	}
	if !strings.HasPrefix(srv.UIURL(), "http://127.0.0.1:") {
		t.Fatalf("web UI at %s", srv.UIURL())
	}
}
