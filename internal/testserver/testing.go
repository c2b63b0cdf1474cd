//go:build unix

package testserver

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
)

// Database is a MariaDB or MySQL server with one empty database in it.
type Database struct {
	*Server
	// DSN selects the database, see the function DSN.
	DSN string
}

// Redis starts a redis-server for this test alone, see StartRedis, and kills it when the test ends. Without a
// redis-server the test is skipped, or fails if HOLDFAST_REQUIRE_SERVERS is 1.
func Redis(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s, err := StartRedis(tb.Context(), tb.TempDir(), args...)
	require(tb, err)
	killAtEnd(tb, s)
	return s
}

// Nginx starts an nginx for this test alone, see StartNginx, and kills it when the test ends. Without an nginx the test is
// skipped, or fails if HOLDFAST_REQUIRE_SERVERS is 1.
func Nginx(tb testing.TB, configuration func(addr string) string) *Server {
	tb.Helper()
	s, err := StartNginx(tb.Context(), tb.TempDir(), configuration)
	require(tb, err)
	killAtEnd(tb, s)
	return s
}

// Program finds a program that is no server, such as promtool. Without it the test is skipped, or fails if
// HOLDFAST_REQUIRE_SERVERS is 1.
func Program(tb testing.TB, name string) (path string) {
	tb.Helper()
	path, err := lookUp(name)
	require(tb, err)
	return path
}

// MariaDB starts a mariadbd with a fresh data directory for this test alone, for tests that kill or pause it, and
// kills it when the test ends. It takes about a second: other tests use MariaDBDatabase. Without a mariadbd the
// test is skipped, or fails if HOLDFAST_REQUIRE_SERVERS is 1.
func MariaDB(tb testing.TB) *Database {
	tb.Helper()
	return ownDatabase(tb, StartMariaDB)
}

// MySQL is MariaDB for a mysqld, see StartMySQL.
func MySQL(tb testing.TB) *Database {
	tb.Helper()
	return ownDatabase(tb, StartMySQL)
}

// RunSQL runs a file of statements as root on a database's server.
func RunSQL(tb testing.TB, d *Database, file string) {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := config(d.Addr(), "")
	cfg.MultiStatements = true
	root, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		tb.Fatal(err)
	}
	defer root.Close()
	if _, err := root.ExecContext(tb.Context(), string(text)); err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
}

func ownDatabase(tb testing.TB, start startFunc) *Database {
	tb.Helper()
	s, err := start(tb.Context(), tb.TempDir())
	require(tb, err)
	killAtEnd(tb, s)
	name, err := createDatabase(tb.Context(), s.Addr())
	require(tb, err)
	return &Database{Server: s, DSN: DSN(s.Addr(), name)}
}

// MariaDBDatabase creates an empty database for this test on a mariadbd that all tests of the process share, and
// drops it when the test ends; connections must be closed by then. It returns its DSN. Without a mariadbd the test
// is skipped, or fails if HOLDFAST_REQUIRE_SERVERS is 1. Packages that use it have Main as their TestMain.
func MariaDBDatabase(tb testing.TB) (dsn string) {
	tb.Helper()
	return sharedMariaDB.database(tb)
}

// MySQLDatabase is MariaDBDatabase on a mysqld, see StartMySQL.
func MySQLDatabase(tb testing.TB) (dsn string) {
	tb.Helper()
	return sharedMySQL.database(tb)
}

// Main runs a package's tests, then ends the shared servers and removes their files:
//
//	func TestMain(m *testing.M) { testserver.Main(m) }
//
// Without it the servers die with the process all the same, but their files stay until the next process that starts
// a shared server.
func Main(m *testing.M) {
	m.Run() // the testing package exits with its result once TestMain returns
	sharedMariaDB.stop()
	sharedMySQL.stop()
}

// The database servers of this test process: one per test would spend most of its time on starting, and
// tests have no other common owner than the process.
var (
	sharedMariaDB = sharedServer{launch: StartMariaDB}
	sharedMySQL   = sharedServer{launch: StartMySQL}
)

// startFunc is StartMariaDB or StartMySQL.
type startFunc func(ctx context.Context, dir string, args ...string) (*Server, error)

type sharedServer struct {
	launch startFunc

	mu      sync.Mutex
	tried   bool
	server  *Server // nil if it could not be started
	err     error
	scratch *scratch // nil if it could not be claimed
}

// database creates a database for the test and drops it when the test ends.
func (s *sharedServer) database(tb testing.TB) (dsn string) {
	tb.Helper()
	server, err := s.start()
	require(tb, err)
	name, err := createDatabase(tb.Context(), server.Addr())
	require(tb, err)
	tb.Cleanup(func() {
		// The test's own context has ended.
		if err := dropDatabase(context.Background(), server.Addr(), name); err != nil {
			tb.Errorf("%v (is a transaction still open?)", err)
		}
	})
	return DSN(server.Addr(), name)
}

// start answers every call with the result of the first.
func (s *sharedServer) start() (*Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tried {
		return s.server, s.err
	}
	s.tried = true
	if s.scratch, s.err = claimScratch(scratchRoot()); s.err != nil {
		return nil, s.err
	}
	// It serves many tests, so the context of the one that came first must not end it.
	s.server, s.err = s.launch(context.Background(), s.scratch.dir)
	return s.server, s.err
}

func (s *sharedServer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.Kill() // its data is of no use to anyone
	}
	if s.scratch != nil {
		s.scratch.release()
	}
}

// require ends the test unless err is nil.
func require(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case !errors.Is(err, ErrNotFound):
		tb.Fatal(err)
	case os.Getenv("HOLDFAST_REQUIRE_SERVERS") == "1":
		tb.Fatalf("%v, and HOLDFAST_REQUIRE_SERVERS=1 demands it", err)
	default:
		tb.Skipf("%v: tests against the real server did not run; "+
			"install it and run again (sh scripts/test-servers.sh does that on Debian and Ubuntu)", err)
	}
}

// killAtEnd registers the server's end, and shows why a test failed as the server saw it.
func killAtEnd(tb testing.TB, s *Server) {
	tb.Helper()
	tb.Cleanup(func() {
		s.Kill() // its data is of no use to anyone
		if tb.Failed() {
			tb.Logf("the log of %s ends with:\n%s", s.name, s.logTail())
		}
	})
}

// randomN is a number from 0 to n-1, different in each process.
func randomN(n int) int {
	return rand.IntN(n) //nolint:gosec // to avoid collisions, not to keep a secret
}
