// Package healthcheck lets a program ask the one that serves beside it, in the same container, whether it is well: images that
// are built from scratch have nothing else to ask with. Programs import it, and app.
package healthcheck

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Usage describes the flag --healthcheck of every program that serves.
const Usage = "serve nothing, but ask the one that serves here whether it is well, and exit 0 or 1"

// timeout is shorter than that of the health checks in docker-compose.yml, so that the reason is seen.
const timeout = 3 * time.Second

// Ask is nil if the program that listens on addr, as HOST:PORT or :PORT, answers a GET of the path with 200.
func Ask(ctx context.Context, addr, path string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1" // it listens on every address, so on this one
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	const enough = 1000 // bytes that tell why
	why, _ := io.ReadAll(io.LimitReader(answer.Body, enough))
	return fmt.Errorf("%s answers %s: %s", path, answer.Status, why)
}
