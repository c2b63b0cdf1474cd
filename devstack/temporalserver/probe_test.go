package temporalserver_test
import ("testing";"time";"os";"sync";"fmt";"log/slog";"holdfast/devstack/temporalserver";"go.temporal.io/sdk/client";"context";"strings")
func TestFlood(t *testing.T) {
	if os.Getenv("FLOOD") == "" { t.Skip() }
	cfg := config(t.TempDir())
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := temporalserver.Start(t.Context(), cfg)
	if err != nil { t.Fatal(err) }
	c := dial(t, s); w := work(t, c)
	a := time.Now()
	var wg sync.WaitGroup
	var bad sync.Map
	for g := range 500 { wg.Go(func() { for i := range 20 {
		id := fmt.Sprint("f", g, "-", i)
		r, err := c.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, echoWorkflow, id)
		if err == nil { err = r.Get(context.Background(), nil) }
		if err != nil { bad.Store(err.Error(), 1) }
	}})}
	wg.Wait()
	bad.Range(func(k, _ any) bool { t.Log(k); return true })
	t.Log("10000 in", time.Since(a))
	w.Stop(); c.Close()
	b := time.Now(); s.Stop(); t.Log("stop", time.Since(b))
	e, _ := os.ReadDir(cfg.Dir); for _, f := range e { i, _ := f.Info(); t.Log(f.Name(), i.Size()) }
}
func TestAddrs(t *testing.T) {
	for _, a := range []string{"localhost:0", ":0", "[::1]:0", "0.0.0.0:0"} {
		cfg := config(t.TempDir()); cfg.Frontend = a; cfg.UI = a
		s := start(t, cfg)
		c := dial(t, s); w := work(t, c); finish(t, c, "x")
		st, _ := get(t, s, "/")
		t.Log(a, s.Addr(), s.UIURL(), st)
		b, _ := os.ReadFile("/proc/self/net/tcp"); t.Log(strings.Count(string(b), " 0A "))
		w.Stop(); c.Close(); s.Stop()
	}
}
