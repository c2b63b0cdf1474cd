//go:build unix

package testserver

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"time"
)

// StartPrometheus starts a prometheus with a configuration file and further flags, which keeps its data in dir, which must exist, and
// returns once it is ready. ctx bounds only the start: the caller ends the server with Stop or Kill. The error is ErrNotFound if there is no prometheus.
func StartPrometheus(ctx context.Context, dir, configuration string, flags ...string) (*Server, error) {
	bin, err := lookUp("prometheus")
	if err != nil {
		return nil, err
	}
	s := &Server{name: "prometheus", dir: dir, ready: prometheusReady}
	s.command = func(ctx context.Context, addr string) *exec.Cmd {
		all := append([]string{"--config.file=" + configuration, "--storage.tsdb.path=" + dir, "--web.listen-address=" + addr}, flags...)
		return exec.CommandContext(ctx, bin, all...) //nolint:gosec // the arguments are the test's own
	}
	return s.launch(ctx)
}

func prometheusReady(ctx context.Context, addr string, _ int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/-/ready", http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ready: %s", res.Status)
	}
	return nil
}
