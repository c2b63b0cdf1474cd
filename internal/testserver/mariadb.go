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

// StartMariaDB starts a mariadbd that keeps its files in dir, which must exist, and returns once it answers. A dir
// without a database is initialised first; root connects from 127.0.0.1 without a password, see DSN.
//
// Commits are flushed to disk as in production; buffers are small unless args, in mariadbd's own form
// ("--innodb-buffer-pool-size=1G"), say otherwise. ctx bounds only the start: the caller ends the server with Stop
// or Kill. The error is ErrNotFound if there is no mariadbd or no mariadb-install-db.
func StartMariaDB(ctx context.Context, dir string, args ...string) (*Server, error) {
	bin, err := lookUp("mariadbd")
	if err != nil {
		return nil, err
	}
	// mariadbd changes its working directory and resolves symbolic links.
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("start mariadbd: %w", err)
	}
	data := filepath.Join(dir, "data")
	if err := initMariaDB(ctx, data); err != nil {
		return nil, err
	}
	s := &Server{name: "mariadbd", dir: dir}
	s.command = func(ctx context.Context, addr string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(addr) // of our own making
		all := append(mariadbArgs(data), args...)
		all = append(all, "--bind-address="+host, "--port="+port)
		return exec.CommandContext(ctx, bin, all...) //nolint:gosec // the arguments are the test's own
	}
	s.ready = func(ctx context.Context, addr string, _ int) error { return mariadbReady(ctx, addr, data) }
	return s.launch(ctx)
}

// DSN is a data source name for github.com/go-sql-driver/mysql: root at a server of StartMariaDB, with the settings
// that the product asks for. An empty database selects none.
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

// mariadbArgs are shared by the initialisation and the server.
func mariadbArgs(data string) []string {
	args := []string{
		"--no-defaults", // must be first: the machine's own configuration must not decide a test
		"--datadir=" + data,
		// Relative to the data directory: the path of a Unix socket is limited to about 100 bytes.
		"--socket=mariadbd.sock",
		"--pid-file=mariadbd.pid",
		"--skip-name-resolve",
		"--skip-log-bin",
		"--character-set-server=utf8mb4",
		"--max-connections=500",
		"--innodb-flush-log-at-trx-commit=1", // as in production: an answered commit survives a kill
		"--innodb-log-file-size=32M",
		"--innodb-buffer-pool-size=64M",
		"--key-buffer-size=1M",
		"--aria-pagecache-buffer-size=8M",
		"--performance-schema=OFF",
	}
	if os.Geteuid() == 0 {
		// mariadbd refuses root unless told so, and to another user it would switch after the start, whereupon
		// the kernel forgets the parent-death signal.
		args = append(args, "--user=root")
	}
	return args
}

// initMariaDB creates the data directory, unless it is complete already.
func initMariaDB(ctx context.Context, data string) error {
	_, err := os.Stat(data)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("initialise mariadbd: %w", err)
	}
	bin, err := lookUp("mariadb-install-db")
	if err != nil {
		return err
	}
	// Under another name first, so that an initialisation cut short is not taken for a database.
	partial := data + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("initialise mariadbd: %w", err)
	}
	args := append(mariadbArgs(partial),
		"--auth-root-authentication-method=normal",
		"--skip-test-db",
		"--force", // even if the machine's own name does not resolve: only 127.0.0.1 matters
	)
	cmd := exec.CommandContext(ctx, bin, args...) //nolint:gosec // the arguments are the test's own
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	// The script's own child ends by itself: it reads what to do from a pipe.
	cmd.WaitDelay = time.Second
	p, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("initialise mariadbd: %w", err)
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("initialise mariadbd: %w:\n%s", err, out.String())
	}
	if err := os.Rename(partial, data); err != nil {
		return fmt.Errorf("initialise mariadbd: %w", err)
	}
	return nil
}

// mariadbReady compares the data directory, since another server may hold the port.
func mariadbReady(ctx context.Context, addr, data string) error {
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
		return fmt.Errorf("another mariadbd answers at %s", addr)
	}
	return nil
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
	return exec1(ctx, addr, "SET STATEMENT lock_wait_timeout=5 FOR DROP DATABASE "+name)
}

// exec1 runs one statement on a connection of its own.
func exec1(ctx context.Context, addr, statement string) error {
	db, err := sql.Open("mysql", DSN(addr, ""))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
