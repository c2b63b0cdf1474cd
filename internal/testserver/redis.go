//go:build unix

package testserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// StartRedis starts a redis-server that keeps its files in dir, which must exist, and returns once it answers.
// Nothing is persisted unless args, in redis-server's own form ("--appendonly", "yes"), say so; port, address and
// directory cannot be overridden. ctx bounds only the start: the caller ends the server with Stop or Kill.
// The error is ErrNotFound if there is no redis-server.
func StartRedis(ctx context.Context, dir string, args ...string) (*Server, error) {
	bin, err := lookUp("redis-server")
	if err != nil {
		return nil, err
	}
	s := &Server{name: "redis-server", dir: dir, ready: redisReady}
	s.command = func(ctx context.Context, addr string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(addr) // of our own making
		all := append([]string{"--save", "", "--appendonly", "no"}, args...)
		all = append(all, "--bind", host, "--port", port, "--dir", dir, "--daemonize", "no")
		return exec.CommandContext(ctx, bin, all...) //nolint:gosec // the arguments are the test's own
	}
	return s.launch(ctx)
}

// redisReady asks over a bare connection, so that no client's retries or pool blur the answer.
func redisReady(ctx context.Context, addr string, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\nQUIT\r\n"); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	pong, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	if strings.HasPrefix(pong, "-NOAUTH") {
		return nil // args set a password: it serves, and more cannot be asked
	}
	if !strings.HasPrefix(pong, "+PONG") {
		return fmt.Errorf("ping: %s", strings.TrimSpace(pong)) // -LOADING
	}
	info, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if !strings.Contains(string(info), "process_id:"+strconv.Itoa(pid)+"\r\n") {
		return fmt.Errorf("another redis-server answers at %s", addr)
	}
	return nil
}
