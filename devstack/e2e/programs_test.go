package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/devstack/program"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/child"
)

// shopFloor is a stack whose api and workers are processes of their own.
type shopFloor struct {
	shopFront

	dir     string // has the executables
	apiAddr string
	api     *program.Program
}

// openFloor starts the servers, and an api that the provider's webhooks reach. Workers are hired by the test.
func openFloor(t *testing.T, adapt ...func(*stack.Config)) *shopFloor {
	t.Helper()
	addr, err := child.FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	front := open(t, append(adapt, func(cfg *stack.Config) { cfg.InfraOnly, cfg.API = true, addr })...)
	front.Client = shop.New("http://" + addr)
	f := &shopFloor{shopFront: front, dir: t.TempDir(), apiAddr: addr}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "worker"} { // see TestMain
		if err := os.Symlink(self, filepath.Join(f.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f.openAPI(t)
	return f
}

// openAPI starts the api, where the one before was.
func (f *shopFloor) openAPI(t *testing.T) {
	t.Helper()
	f.api = f.start(t, "api", f.apiAddr)
}

// hire starts one more worker. A setting is NAME=value.
func (f *shopFloor) hire(t *testing.T, settings ...string) *program.Program {
	t.Helper()
	return f.start(t, "worker", "", settings...)
}

func (f *shopFloor) start(t *testing.T, name, addr string, settings ...string) *program.Program {
	t.Helper()
	env := f.Env()
	for _, setting := range settings {
		variable, value, _ := strings.Cut(setting, "=")
		env[variable] = value
	}
	p, err := program.Start(t.Context(), f.dir, name, addr, env, f.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}
