//go:build unix

package testserver

import (
	"context"
	"os/exec"
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
	d := daemon{name: "mariadbd", bin: bin, args: mariadbArgs, initialise: initMariaDB}
	return d.start(ctx, dir, args)
}

// mariadbArgs are shared by the initialisation and the server.
func mariadbArgs(data string) []string {
	return append(daemonArgs(data),
		"--skip-name-resolve",
		"--innodb-log-file-size=32M",
		"--aria-pagecache-buffer-size=8M",
	)
}

// initMariaDB creates the data directory.
func initMariaDB(ctx context.Context, data string) error {
	bin, err := lookUp("mariadb-install-db")
	if err != nil {
		return err
	}
	args := append(mariadbArgs(data),
		"--auth-root-authentication-method=normal",
		"--skip-test-db",
		"--force", // even if the machine's own name does not resolve: only 127.0.0.1 matters
	)
	return output(exec.CommandContext(ctx, bin, args...)) //nolint:gosec // the arguments are the test's own
}
