//go:build unix

package testserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// StartMySQL starts a mysqld that keeps its files in dir, in all else as StartMariaDB. It is the one in PATH, or the
// one that scripts/test-servers.sh unpacked. The error is ErrNotFound if there is neither.
func StartMySQL(ctx context.Context, dir string, args ...string) (*Server, error) {
	bin, version, err := lookUpMySQL(ctx)
	if err != nil {
		return nil, err
	}
	d := daemon{name: "mysqld", bin: bin, args: mysqlArgs}
	d.initialise = func(ctx context.Context, data string) error { return initMySQL(ctx, bin, version, data) }
	return d.start(ctx, dir, args)
}

// mysqlArgs are shared by the initialisation and the server. It may resolve names, or 127.0.0.1 would not be
// the localhost that root may come from.
func mysqlArgs(data string) []string {
	return append(daemonArgs(data),
		"--loose-innodb-redo-log-capacity=32M", // from 8.0.30
		"--mysqlx=0",                           // a second protocol, on a port of its own
		"--secure-file-priv=NULL",              // the default is a directory of the distribution's, which may be missing
	)
}

// lookUpMySQL finds a mysqld that is MySQL's own: MariaDB has a program of that name, too. The error is ErrNotFound.
func lookUpMySQL(ctx context.Context) (bin, version string, err error) {
	candidates := places("mysqld")
	if cache, err := cacheDir(); err == nil {
		candidates = append(candidates, filepath.Join(cache, "mysql", "mysqld"))
	}
	for _, name := range candidates {
		bin, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, bin, "--version").Output() //nolint:gosec // a program of the machine
		if ctx.Err() != nil {
			return "", "", ctx.Err()
		}
		if v := mysqldVersion.FindSubmatch(out); err == nil && v != nil && !strings.Contains(string(out), "MariaDB") {
			return bin, string(v[1]), nil
		}
	}
	return "", "", fmt.Errorf("MySQL's mysqld %w", ErrNotFound)
}

var mysqldVersion = regexp.MustCompile(`Ver ([\w.+~-]+)`)

// initMySQL creates the data directory as a copy of one that is initialised once for each user and version: that
// takes 2 s and the copy 0.1 s.
func initMySQL(ctx context.Context, bin, version, data string) error {
	initialise := func(ctx context.Context, data string) error {
		args := append(mysqlArgs(data), "--initialize-insecure") // root has no password
		return output(exec.CommandContext(ctx, bin, args...))    //nolint:gosec // the arguments are the test's own
	}
	cache, err := cacheDir()
	if err != nil {
		return initialise(ctx, data) // nowhere to keep one
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return err
	}
	template := filepath.Join(cache, "mysql-data-"+version)
	lock, err := lockFile(template+".lock", 0)
	if err != nil {
		return err
	}
	err = complete(ctx, template, initialise)
	_ = lock.Close() // who sees the template may copy it: nothing changes it any more
	if err != nil {
		return err
	}
	return os.CopyFS(data, os.DirFS(template))
}

// cacheDir is holdfast's directory below the user's cache directory, which scripts/test-servers.sh knows, too.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "holdfast"), err
}
