package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"

	"holdfast/internal/testserver"
)

// servers are the real Redis and MariaDB of a run, or none, for the embedded ones.
type servers struct {
	redis, mariadb *testserver.Server // nil if embedded
	databases      int                // that were made
}

// startServers starts those that are installed, with their files in dir: MariaDB with room for the orders of a soak in memory,
// as any database in production has (with its default of 128 MB the rate falls from 160,000 orders on), Redis with the settings of
// docker-compose.yml.
func startServers(ctx context.Context, dir string) (_ *servers, err error) {
	s := &servers{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	redisDir, mariadbDir := filepath.Join(dir, "redis"), filepath.Join(dir, "mariadb")
	for _, d := range []string{redisDir, mariadbDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return s, err
		}
	}
	if s.redis, err = testserver.StartRedis(ctx, redisDir, "--appendonly", "yes"); err != nil && !errors.Is(err, testserver.ErrNotFound) {
		return s, err
	}
	s.mariadb, err = testserver.StartMariaDB(ctx, mariadbDir,
		"--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M")
	if err != nil && !errors.Is(err, testserver.ErrNotFound) {
		return s, err
	}
	return s, nil
}

func (s *servers) stop() {
	for _, server := range []*testserver.Server{s.redis, s.mariadb} {
		if server != nil {
			server.Kill() // its data is of no use to anyone
		}
	}
}

// clean empties Redis and makes a database, for the next stack. Both are "" where they are embedded.
func (s *servers) clean(ctx context.Context) (redisAddr, dsn string, err error) {
	if s.redis != nil {
		redisAddr = s.redis.Addr()
		client := redis.NewClient(&redis.Options{Addr: redisAddr})
		defer func() { err = errors.Join(err, client.Close()) }()
		if err := client.FlushAll(ctx).Err(); err != nil {
			return "", "", err
		}
	}
	if s.mariadb != nil {
		s.databases++
		name := fmt.Sprintf("bench_%d", s.databases)
		if _, err := s.query(ctx, "CREATE DATABASE "+name); err != nil {
			return "", "", err
		}
		dsn = testserver.DSN(s.mariadb.Addr(), name)
	}
	return redisAddr, dsn, nil
}

// embedded are the servers that are not real ones.
func (s *servers) embedded() []string {
	var missing []string
	if s.redis == nil {
		missing = append(missing, "redis")
	}
	if s.mariadb == nil {
		missing = append(missing, "mysql")
	}
	return missing
}

// versions says what runs, for the report.
func (s *servers) versions(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{"redis": "embedded", "mysql": "embedded"}
	if s.redis != nil {
		client := redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
		defer func() { _ = client.Close() }()
		info, err := client.Info(ctx, "server").Result()
		if err != nil {
			return nil, err
		}
		_, version, _ := strings.Cut(info, "redis_version:")
		version, _, _ = strings.Cut(version, "\r\n")
		versions["redis"] = "redis-server " + version
	}
	if s.mariadb != nil {
		version, err := s.query(ctx, "SELECT VERSION()")
		if err != nil {
			return nil, err
		}
		version, _, _ = strings.Cut(version, "-")
		versions["mysql"] = "MariaDB " + version
	}
	return versions, nil
}

// query gives the one value of the statement's answer, "" if it has none.
func (s *servers) query(ctx context.Context, statement string) (value string, err error) {
	db, err := sql.Open("mysql", testserver.DSN(s.mariadb.Addr(), ""))
	if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, statement).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return value, err
}
