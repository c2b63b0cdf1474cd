//go:build unix

package testserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"holdfast/internal/child"
)

// daemon is what mariadbd and mysqld differ in.
type daemon struct {
	name, bin string
	// args are for a server with this data directory.
	args func(data string) []string
	// initialise creates the data directory.
	initialise func(ctx context.Context, data string) error
}

// start starts a server in dir, with the caller's own args last.
func (d daemon) start(ctx context.Context, dir string, args []string) (*Server, error) {
	// The server changes its working directory and resolves symbolic links.
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", d.name, err)
	}
	data := filepath.Join(dir, "data")
	if err := complete(ctx, data, d.initialise); err != nil {
		return nil, fmt.Errorf("initialise %s: %w", d.name, err)
	}
	s := &Server{name: d.name, dir: dir}
	s.command = func(ctx context.Context, addr string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(addr) // of our own making
		all := append(d.args(data), args...)
		all = append(all, "--bind-address="+host, "--port="+port)
		return exec.CommandContext(ctx, d.bin, all...) //nolint:gosec // the arguments are the test's own
	}
	s.ready = func(ctx context.Context, addr string, _ int) error { return daemonReady(ctx, addr, data) }
	return s.launch(ctx)
}

// daemonArgs are those that both servers know.
func daemonArgs(data string) []string {
	args := []string{
		"--no-defaults", // must be first: the machine's own configuration must not decide a test
		"--datadir=" + data,
		// Relative to the data directory: the path of a Unix socket is limited to about 100 bytes.
		"--socket=server.sock",
		"--pid-file=server.pid",
		// Of its own: a server that starts removes the temporary tables that it finds there, whoever uses them.
		"--tmpdir=" + filepath.Dir(data),
		"--skip-log-bin",
		"--character-set-server=utf8mb4",
		"--max-connections=500",
		"--innodb-flush-log-at-trx-commit=1", // as in production: an answered commit survives a kill
		"--innodb-buffer-pool-size=64M",
		"--key-buffer-size=1M",
		"--performance-schema=OFF",
	}
	if os.Geteuid() == 0 {
		// Both refuse root unless told so, and to another user they would switch after the start, whereupon
		// the kernel forgets the parent-death signal.
		args = append(args, "--user=root")
	}
	return args
}

// complete has a directory made, unless it is there. It is made under another name first, so that one cut short is
// not taken for whole.
func complete(ctx context.Context, dir string, create func(ctx context.Context, partial string) error) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := create(ctx, partial); err != nil {
		return err
	}
	return os.Rename(partial, dir)
}

// output runs a program that ends by itself. What it printed is part of the error.
func output(cmd *exec.Cmd) error {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	// A child of its own ends by itself: it reads what to do from a pipe.
	cmd.WaitDelay = time.Second
	p, err := child.Start(cmd)
	if err != nil {
		return err
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("%w:\n%s", err, out.String())
	}
	return nil
}

// daemonReady compares the data directory, since another server may hold the port.
func daemonReady(ctx context.Context, addr, data string) error {
	cfg := config(addr, "")
	cfg.Logger = &mysql.NopLogger{} // refused connections are expected here, and this process's log is not the place
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var actual string
	if err := db.QueryRowContext(ctx, "SELECT @@datadir").Scan(&actual); err != nil {
		return err
	}
	if filepath.Clean(actual) != data {
		return fmt.Errorf("another server answers at %s", addr)
	}
	return nil
}

// DSN is a data source name for github.com/go-sql-driver/mysql: root at a server of StartMariaDB or StartMySQL, with
// the settings that the product asks for. An empty database selects none.
func DSN(addr, database string) string { return config(addr, database).FormatDSN() }

func config(addr, database string) *mysql.Config {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName = "root", "tcp", addr, database
	cfg.ParseTime, cfg.Loc = true, time.UTC
	cfg.InterpolateParams = true
	cfg.RejectReadOnly = true
	// The driver waits for ever by default, and a test pauses servers. A lock wait (50 s) must end first.
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 5*time.Second, 60*time.Second, 60*time.Second
	return cfg
}

// createDatabase creates a database with a random name and returns the name.
func createDatabase(ctx context.Context, addr string) (string, error) {
	name := fmt.Sprintf("holdfast_%08x", randomN(1<<31))
	if err := exec1(ctx, addr, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return name, nil
}

// dropDatabase gives up after a few seconds on a database with a transaction still open in it.
func dropDatabase(ctx context.Context, addr, name string) error {
	return exec1(ctx, addr, "DROP DATABASE "+name)
}

// exec1 runs one statement on a connection of its own.
func exec1(ctx context.Context, addr, statement string) error {
	cfg := config(addr, "")
	cfg.Params = map[string]string{"lock_wait_timeout": "5"} // seconds; a day or a year by default
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
