//go:build unix

package testserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// StartNginx starts an nginx on the configuration that it is given for the address to listen on, HOST:PORT. It keeps its
// files in dir. The error is ErrNotFound if there is no nginx.
func StartNginx(ctx context.Context, dir string, configuration func(addr string) string) (*Server, error) {
	bin, err := lookUp("nginx")
	if err != nil {
		return nil, err
	}
	file, pidFile := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "nginx.pid")
	s := &Server{name: "nginx", dir: dir}
	s.command = func(ctx context.Context, addr string) *exec.Cmd {
		_ = os.WriteFile(file, []byte(configuration(addr)), 0o600) // without it nginx says so
		// One process alone: workers would outlive a master that is killed.
		own := "daemon off; master_process off; pid " + pidFile + ";"
		return exec.CommandContext(ctx, bin, "-e", "/dev/stderr", "-c", file, "-g", own) //nolint:gosec // the test's own
	}
	// It writes its id once it listens.
	s.ready = func(_ context.Context, addr string, pid int) error {
		text, err := os.ReadFile(pidFile)
		if err == nil && strings.TrimSpace(string(text)) != strconv.Itoa(pid) {
			err = fmt.Errorf("nothing listens on %s yet", addr)
		}
		return err
	}
	return s.launch(ctx)
}
