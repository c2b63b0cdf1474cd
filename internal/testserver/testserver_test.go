//go:build unix

package testserver

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// orphanDir and orphanServer have the test binary act as a parent that waits to be killed, see
// TestServersDieWithAKilledParent.
const (
	orphanDir    = "HOLDFAST_TESTSERVER_ORPHAN_DIR"
	orphanServer = "HOLDFAST_TESTSERVER_ORPHAN_SERVER"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(orphanDir); dir != "" {
		beKilledParent(dir, servers[os.Getenv(orphanServer)])
	}
	Main(m)
}

var servers = map[string]startFunc{"redis": StartRedis, "mariadb": StartMariaDB, "mysql": StartMySQL}

// onEachDatabase runs the situation on every database server.
func onEachDatabase(t *testing.T, situation func(t *testing.T, own func(testing.TB) *Database, database func(testing.TB) string)) {
	t.Helper()
	t.Run("mariadb", func(t *testing.T) { situation(t, MariaDB, MariaDBDatabase) })
	t.Run("mysql", func(t *testing.T) { situation(t, MySQL, MySQLDatabase) })
}

func TestRedisAnswersOnItsOwnPortAfterKillAndRestart(t *testing.T) {
	s := Redis(t)
	addr, first := s.Addr(), s.Pid()
	if got := ask(t, addr, "PING"); got != "+PONG" {
		t.Fatalf("PING answered %q", got)
	}

	s.Kill()
	if got := s.Pid(); got != 0 {
		t.Errorf("Pid is %d after Kill, want 0", got)
	}
	if err := dial(t.Context(), addr); err == nil {
		t.Error("the port still accepts connections after Kill")
	}

	restart(t, s)
	if s.Addr() != addr {
		t.Errorf("restarted on %s, want %s", s.Addr(), addr)
	}
	if s.Pid() == first {
		t.Error("restarted without a new process")
	}
	if got := ask(t, addr, "PING"); got != "+PONG" {
		t.Errorf("PING answered %q after Restart", got)
	}
}

func TestRedisForgetsByDefaultAndPersistsIfToldTo(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"by default", nil, "$-1"},
		{"append only", []string{"--appendonly", "yes", "--appendfsync", "always"}, "$1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Redis(t, tc.args...)
			if got := ask(t, s.Addr(), "SET k v"); got != "+OK" {
				t.Fatalf("SET answered %q", got)
			}
			s.Kill()
			restart(t, s)
			if got := ask(t, s.Addr(), "GET k"); got != tc.want {
				t.Errorf("GET after a kill answered %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPauseSilencesUntilResume(t *testing.T) {
	s := Redis(t)
	conn := connect(t, s.Addr())
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	if _, err := roundTrip(conn, "PING", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("PING to a paused server: error %v, want a time-out", err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if got, err := roundTrip(conn, "PING", 5*time.Second); got != "+PONG" {
		t.Errorf("PING to the resumed server: %q, %v", got, err)
	}
}

func TestStopAndKillEndAPausedServer(t *testing.T) {
	for name, end := range map[string]func(*Server){"Stop": (*Server).Stop, "Kill": (*Server).Kill} {
		t.Run(name, func(t *testing.T) {
			s := Redis(t)
			pid := s.Pid()
			if err := s.Pause(); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			end(s)
			if d := time.Since(begin); d >= stopTimeout {
				t.Errorf("took %v", d)
			}
			wantGone(t, pid)
			end(s) // again, without harm
			if err := s.Pause(); !errors.Is(err, ErrNotRunning) {
				t.Errorf("Pause of an ended server: %v, want ErrNotRunning", err)
			}
			if err := s.Resume(); !errors.Is(err, ErrNotRunning) {
				t.Errorf("Resume of an ended server: %v, want ErrNotRunning", err)
			}
		})
	}
}

func TestCleanupLeavesNoProcess(t *testing.T) {
	for name, server := range map[string]func(*testing.T) *Server{
		"redis":   func(t *testing.T) *Server { return Redis(t) },
		"mariadb": func(t *testing.T) *Server { return MariaDB(t).Server },
		"mysql":   func(t *testing.T) *Server { return MySQL(t).Server },
	} {
		var pid int
		t.Run(name, func(t *testing.T) { pid = server(t).Pid() })
		if pid != 0 {
			wantGone(t, pid)
		}
	}
}

// A test binary that times out or is killed runs no cleanup.
func TestServersDieWithAKilledParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name := range servers {
		t.Run(name, func(t *testing.T) {
			parent := exec.CommandContext(t.Context(), self)
			parent.Env = append(os.Environ(), orphanDir+"="+t.TempDir(), orphanServer+"="+name)
			parent.Stderr = os.Stderr
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			var pid int
			_, scanErr := fmt.Fscan(out, &pid)
			if err := parent.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = parent.Wait() // it was killed
			if scanErr != nil {
				t.Fatalf("read the process id: %v", scanErr)
			}
			if pid == 0 {
				require(t, fmt.Errorf("%s %w", name, ErrNotFound))
			}
			wantGone(t, pid)
		})
	}
}

// beKilledParent starts a server, prints its process id, or 0 if it is not installed, and waits for the end.
func beKilledParent(dir string, start startFunc) {
	runtime.LockOSThread() // keeps the main thread, which cannot end, from being the one below
	var s *Server
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with this goroutine, and the server must not end with the thread.
		runtime.LockOSThread()
		var err error
		s, err = start(context.Background(), dir)
		done <- err
	}()
	err := <-done
	switch {
	case errors.Is(err, ErrNotFound):
		fmt.Println(0)
		select {}
	case err != nil:
		panic(err)
	}
	select {
	case <-s.current().Done():
		panic(s.name + " ended with a thread of its parent")
	case <-time.After(200 * time.Millisecond): // there is no telling when a thread has ended
	}
	fmt.Println(s.Pid())
	select {}
}

func TestADatabaseKeepsCommittedRowsThroughKillAndRestart(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, own func(testing.TB) *Database, _ func(testing.TB) string) {
		s := own(t)
		db := open(t, s.DSN)
		mustExec(t, db, "CREATE TABLE stock (sku VARCHAR(20) PRIMARY KEY, on_hand INT NOT NULL) ENGINE=InnoDB")
		mustExec(t, db, "INSERT INTO stock VALUES ('lamp', 7)")
		addr := s.Addr()

		s.Kill()
		restart(t, s.Server)
		if s.Addr() != addr {
			t.Errorf("restarted on %s, want %s", s.Addr(), addr)
		}
		var onHand int
		if err := open(t, s.DSN).QueryRowContext(t.Context(), "SELECT on_hand FROM stock").Scan(&onHand); err != nil {
			t.Fatal(err)
		}
		if onHand != 7 {
			t.Errorf("on hand is %d after the kill, want 7", onHand)
		}

		s.Stop()
		if s.Pid() != 0 {
			t.Error("runs after Stop")
		}
	})
}

func TestAPausedDatabaseAnswersWhenItIsResumed(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, own func(testing.TB) *Database, _ func(testing.TB) string) {
		s := own(t)
		db := open(t, s.DSN)
		mustExec(t, db, "DO 1") // connects
		if err := s.Pause(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := db.ExecContext(ctx, "DO 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a paused server: error %v, want a time-out", err)
		}
		if err := s.Resume(); err != nil {
			t.Fatal(err)
		}
		mustExec(t, db, "DO 1")
	})
}

func TestADatabaseFlushesAtCommit(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ func(testing.TB) *Database, database func(testing.TB) string) {
		var level string
		db := open(t, database(t))
		if err := db.QueryRowContext(t.Context(), "SELECT @@innodb_flush_log_at_trx_commit").Scan(&level); err != nil {
			t.Fatal(err)
		}
		if level != "1" {
			t.Errorf("innodb_flush_log_at_trx_commit is %s, want 1", level)
		}
	})
}

func TestTheDatabaseIsTheOneAskedFor(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ func(testing.TB) *Database, database func(testing.TB) string) {
		var version string
		if err := open(t, database(t)).QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&version); err != nil {
			t.Fatal(err)
		}
		if is, want := strings.Contains(version, "MariaDB"), strings.HasSuffix(t.Name(), "/mariadb"); is != want {
			t.Errorf("it is version %s", version)
		}
	})
}

func TestDatabasesAreSeparateAndDropped(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ func(testing.TB) *Database, database func(testing.TB) string) {
		var name string
		t.Run("a test", func(t *testing.T) {
			one, two := open(t, database(t)), open(t, database(t))
			mustExec(t, one, "CREATE TABLE t (at DATETIME(6) NOT NULL)")
			mustExec(t, two, "CREATE TABLE t (at DATETIME(6) NOT NULL)")
			at := time.Date(2026, 11, 22, 23, 59, 59, 123456000, time.UTC)
			if _, err := one.ExecContext(t.Context(), "INSERT INTO t VALUES (?)", at); err != nil {
				t.Fatal(err)
			}
			var got time.Time
			if err := one.QueryRowContext(t.Context(), "SELECT at FROM t").Scan(&got); err != nil {
				t.Fatal(err)
			}
			if !got.Equal(at) {
				t.Errorf("read %v, want %v", got, at)
			}
			if err := two.QueryRowContext(t.Context(), "SELECT at FROM t").Scan(&got); !errors.Is(err, sql.ErrNoRows) {
				t.Errorf("a row of one database in the other: %v", err)
			}
			if err := one.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&name); err != nil {
				t.Fatal(err)
			}
		})
		if t.Failed() || name == "" {
			return
		}
		var n int
		db := open(t, database(t))
		err := db.QueryRowContext(t.Context(),
			"SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?", name).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n != 0 {
			t.Errorf("database %s is still there", name)
		}
	})
}

func TestAMissingProgramSkipsOrFailsAsDemanded(t *testing.T) {
	if _, err := lookUp("no-such-server"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("lookUp: %v, want ErrNotFound", err)
	}
	missing := fmt.Errorf("redis-server %w", ErrNotFound)

	t.Setenv("HOLDFAST_REQUIRE_SERVERS", "")
	tb := &recorder{TB: t}
	require(tb, missing)
	if tb.fatal != "" || !strings.HasPrefix(tb.skip, "redis-server not found") {
		t.Errorf("not required: skip %q, fatal %q", tb.skip, tb.fatal)
	}

	t.Setenv("HOLDFAST_REQUIRE_SERVERS", "1")
	tb = &recorder{TB: t}
	require(tb, missing)
	if tb.skip != "" || !strings.HasPrefix(tb.fatal, "redis-server not found") {
		t.Errorf("required: skip %q, fatal %q", tb.skip, tb.fatal)
	}

	tb = &recorder{TB: t}
	require(tb, errors.New("disk full"))
	if tb.skip != "" || tb.fatal != "disk full" {
		t.Errorf("any other error: skip %q, fatal %q", tb.skip, tb.fatal)
	}
}

// recorder notes how a test would have ended.
type recorder struct {
	testing.TB
	skip, fatal string
}

func (r *recorder) Helper()                        {}
func (r *recorder) Skipf(format string, a ...any)  { r.skip = fmt.Sprintf(format, a...) }
func (r *recorder) Fatalf(format string, a ...any) { r.fatal = fmt.Sprintf(format, a...) }
func (r *recorder) Fatal(a ...any)                 { r.fatal = fmt.Sprint(a...) }

func TestAServerThatEndsAtOnceSaysWhy(t *testing.T) {
	_, err := StartRedis(t.Context(), t.TempDir(), "--no-such-setting", "1")
	if errors.Is(err, ErrNotFound) {
		require(t, err)
	}
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("error %v does not show the server's own message", err)
	}
}

func TestAStartThatIsGivenUpLeavesNoProcess(t *testing.T) {
	s := &Server{
		name: "sleep", addr: "127.0.0.1:1", dir: t.TempDir(),
		command: func(ctx context.Context, _ string) *exec.Cmd { return exec.CommandContext(ctx, "sleep", "600") },
		ready:   func(context.Context, string, int) error { return errors.New("still loading") },
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.start(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still loading") {
		t.Errorf("error %v, want the time-out and the last answer", err)
	}
	wantGone(t, s.current().Pid())
}

// Two test processes can choose the same port, and the loser must not take the winner's server for its own.
func TestAnotherServerOnThePortIsNotReady(t *testing.T) {
	s := Redis(t)
	if err := redisReady(t.Context(), s.Addr(), s.Pid()+1); err == nil {
		t.Error("accepted another redis-server")
	}
	onEachDatabase(t, func(t *testing.T, own func(testing.TB) *Database, _ func(testing.TB) string) {
		if err := daemonReady(t.Context(), own(t).Addr(), t.TempDir()); err == nil {
			t.Error("accepted another server")
		}
	})
}

func TestMariaDBsMysqldIsNotTakenForMySQLs(t *testing.T) {
	install := func(dir, version string) string {
		path := filepath.Join(dir, "mysqld")
		script := "#!/bin/sh\necho 'mysqld  Ver " + version + " for Linux on x86_64'\n"
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(path, []byte(script), 0o700)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	path := install(dir, "8.4.5")
	if bin, version, err := lookUpMySQL(t.Context()); bin != path || version != "8.4.5" || err != nil {
		t.Errorf("found %s, version %s, %v, want %s", bin, version, err, path)
	}
	install(dir, "10.11.19-MariaDB-0+deb12u1")
	if bin, _, err := lookUpMySQL(t.Context()); bin == path || err != nil && !errors.Is(err, ErrNotFound) {
		t.Errorf("found %s, %v", bin, err)
	}
}

func TestADirectoryCutShortIsNotTakenForWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	create := func(_ context.Context, partial string) error { return os.Mkdir(partial, 0o700) }
	cut := func(ctx context.Context, partial string) error {
		return errors.Join(create(ctx, partial), errors.New("disk full"))
	}
	if err := complete(t.Context(), dir, cut); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a directory cut short: error %v, want none there", err)
	}
	if err := complete(t.Context(), dir, create); err != nil {
		t.Error(err)
	}
	if err := complete(t.Context(), dir, cut); err != nil {
		t.Errorf("one that is whole was made again: %v", err)
	}
}

func TestScratchOfDeadProcessesIsSwept(t *testing.T) {
	root := filepath.Join(t.TempDir(), "scratch")
	living, err := claimScratch(root)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := claimScratch(root)
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.owner.Close() // the end of a process closes its files

	last, err := claimScratch(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(living.dir); err != nil {
		t.Errorf("the directory of a living process: %v", err)
	}
	if _, err := os.Stat(dead.dir); !os.IsNotExist(err) {
		t.Errorf("the directory of a dead process: error %v, want it gone", err)
	}
	last.release()
	if _, err := os.Stat(last.dir); !os.IsNotExist(err) {
		t.Errorf("a released directory: error %v, want it gone", err)
	}
	living.release()
}

// wantGone waits until a process has ended. One that nobody reaps, in a container without an init, counts as ended.
func wantGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(readyInterval) {
		p, err := os.FindProcess(pid)
		if err != nil || p.Signal(syscall.Signal(0)) != nil || isZombie(pid) {
			return
		}
	}
	t.Errorf("process %d still runs", pid)
}

func isZombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(state, "Z")
}

func restart(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func dial(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends one inline command and returns the first line of the answer.
func ask(t *testing.T, addr, command string) string {
	t.Helper()
	line, err := roundTrip(connect(t, addr), command, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func roundTrip(conn net.Conn, command string, timeout time.Duration) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
