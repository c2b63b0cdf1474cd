//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-sql-driver/mysql"

	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/orderdb"
)

// engine is a database server that can be started here, if it is installed.
type engine struct {
	name  string
	start func(ctx context.Context, dir string, args ...string) (*testserver.Server, error)
}

var engines = []engine{
	{"MariaDB", testserver.StartMariaDB},
	{"MySQL", testserver.StartMySQL},
}

// measure runs every strategy in every round and prints the table. Rounds are interleaved: whatever else the machine
// does in the meantime hits all strategies alike.
func (e engine) measure(ctx context.Context, l load, out io.Writer) error {
	dir, err := os.MkdirTemp("", "holdfast-strategies-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server, err := e.start(ctx, dir)
	if err != nil {
		return err
	}
	defer server.Kill() // its data is of no use to anyone

	version, err := version(ctx, server.Addr())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s %s\n", e.name, version)
	series := make([][]result, len(strategies))
	for range l.rounds {
		for i, s := range strategies {
			r, err := s.run(ctx, server.Addr(), l)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			series[i] = append(series[i], r)
		}
	}
	return printTable(out, series)
}

func version(ctx context.Context, addr string) (version string, err error) {
	db, err := open(addr, "information_schema", 1)
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Disconnect() }()
	err = db.Pool().QueryRowContext(ctx, "SELECT VERSION()").Scan(&version)
	return version, err
}

// open opens a database as the product does.
func open(addr, database string, conns int) (*orderdb.DB, error) {
	cfg, err := mysql.ParseDSN(testserver.DSN(addr, database))
	if err != nil {
		return nil, err
	}
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 0, 0, 0 // orderdb sets its own
	return orderdb.OpenMySQL(cfg.FormatDSN(), conns)
}

// run sells all units once.
func (s strategy) run(ctx context.Context, addr string, l load) (r result, err error) {
	l.attempts, l.units = l.attempts*s.times, l.units*int64(s.times)
	err = inOwnDatabase(ctx, addr, l.buyers, func(db *orderdb.DB) error {
		selling, end := context.WithCancel(ctx)
		defer end() // for whoever gathers batches
		t := &tally{}
		buy, err := s.open(selling, db, l.units, t)
		if err != nil {
			return err
		}
		if r, err = l.run(selling, buy); err != nil {
			return err
		}
		r.deadlocks, r.lockWaits, r.snapshots = t.deadlocks.Load(), t.lockWaits.Load(), t.snapshots.Load()
		r.sold, r.counter, err = count(ctx, db)
		return err
	})
	return r, err
}

// inOwnDatabase makes a database and drops it again, unless use fails: then nobody goes on here.
func inOwnDatabase(ctx context.Context, addr string, conns int, use func(db *orderdb.DB) error) error {
	const name = "strategies"
	outside, err := open(addr, "information_schema", 1)
	if err != nil {
		return err
	}
	defer func() { _ = outside.Disconnect() }()
	if _, err := outside.Pool().ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	db, err := open(addr, name, conns)
	if err != nil {
		return err
	}
	err = errors.Join(use(db), db.Disconnect())
	if err != nil {
		return err
	}
	_, err = outside.Pool().ExecContext(ctx, "DROP DATABASE "+name)
	return err
}

// count reads what was really sold, whatever the buyers were told.
func count(ctx context.Context, db *orderdb.DB) (sold, counter int64, err error) {
	err = db.Pool().QueryRowContext(ctx, "SELECT COALESCE(SUM(l.quantity), 0) FROM order_lines l"+
		" JOIN orders o ON o.id = l.order_id WHERE o.status = ?", order.Pending).Scan(&sold)
	if err == nil {
		err = db.Pool().QueryRowContext(ctx, "SELECT reserved FROM stock").Scan(&counter)
	}
	return sold, counter, err
}
