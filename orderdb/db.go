// Package orderdb is the arbiter of every order and every unit: the tables of orders, lines, stock and
// stock movements, and the guarded transitions between an order's statuses. MySQL and MariaDB are the
// real thing; SQLite, for the embedded stack, runs behind the same code. Only app, the
// audit, the reconciliation and programs import it; activities know it as a port.
package orderdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"modernc.org/sqlite"
)

// DB is an order database. It may be used from many goroutines.
type DB struct {
	gorm    *gorm.DB
	sql     *sql.DB
	dialect dialect
	file    string // SQLite's, otherwise empty
	// owesEvents: see OweEvents.
	owesEvents bool
}

// dialect is what differs between the engines beyond gorm's reach.
type dialect struct {
	name      string // also the folder of its migrations
	retryable func(error) bool
	duplicate func(error) bool
}

// OpenMySQL opens MySQL or MariaDB by a DSN of go-sql-driver/mysql. It sets what correctness needs,
// whatever the DSN says: READ COMMITTED, UTC times, affected rows that count changes, and no waiting
// without end. The error says what in the DSN is wrong; the server is not asked yet.
func OpenMySQL(dsn string, maxConns int, options ...Option) (*DB, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("parse the MySQL DSN: %w", err)
	}
	if cfg.DBName == "" {
		return nil, errors.New("parse the MySQL DSN: it names no database")
	}
	cfg.ParseTime = true
	cfg.Loc = time.UTC
	cfg.InterpolateParams = true // saves the round trip of a prepared statement
	cfg.ClientFoundRows = false  // RowsAffected must count changed rows, not matched ones
	cfg.MultiStatements = false
	cfg.ColumnsWithAlias = false // gorm would find no column by its name, and read zeros
	cfg.RejectReadOnly = true    // after a failover, drop connections to what is now a replica
	cfg.Timeout = orDefault(cfg.Timeout, 2*time.Second)
	cfg.ReadTimeout = orDefault(cfg.ReadTimeout, 10*time.Second)
	cfg.WriteTimeout = orDefault(cfg.WriteTimeout, 10*time.Second)
	cfg.Logger = &mysql.NopLogger{} // errors are returned; the caller logs them once
	// A server that waits for a lock longer (50 s) than its client for the answer leaves a transaction
	// behind with each try, which takes the lock when it comes free.
	if _, set := cfg.Params[lockWait]; !set {
		if cfg.Params == nil {
			cfg.Params = map[string]string{}
		}
		cfg.Params[lockWait] = strconv.Itoa(max(1, int(cfg.ReadTimeout/(2*time.Second))))
	}
	o := openingOf(options)
	if o.patient {
		cfg.ReadTimeout = 0
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("parse the MySQL DSN: %w", err)
	}
	pool := o.pool(readCommitted{connector})
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	pool.SetConnMaxLifetime(30 * time.Minute) // lets a load balancer shift connections
	return open(pool, gormmysql.New(gormmysql.Config{Conn: pool, SkipInitializeWithVersion: true}), mysqlDialect())
}

// Option is how a database is opened otherwise than usual.
type Option func(*opening)

type opening struct {
	pool    func(driver.Connector) *sql.DB
	patient bool
}

// WithPool has the pool of connections opened by something else than sql.OpenDB, such as to see its statements.
func WithPool(open func(driver.Connector) *sql.DB) Option {
	return func(o *opening) { o.pool = open }
}

// WithPatience has an answer of MySQL waited for as long as its context lasts, whatever the DSN says, such as that to a migration of many rows.
func WithPatience() Option {
	return func(o *opening) { o.patient = true }
}

func openingOf(options []Option) opening {
	o := opening{pool: sql.OpenDB}
	for _, option := range options {
		option(&o)
	}
	return o
}

// lockWait is the server's variable for how long a statement waits for a row lock, in whole seconds.
const lockWait = "innodb_lock_wait_timeout"

// OpenSQLite opens a SQLite file, and makes it if it is absent.
func OpenSQLite(path string, options ...Option) (*DB, error) {
	// WAL with synchronous NORMAL loses nothing when the process is killed; only a machine's crash may
	// cost the last transactions, and who minds that runs MySQL. IMMEDIATE takes the write lock at
	// BEGIN, so that no transaction fails half way because another wrote first. SQLite's wait for that
	// lock does not heed a cancelled context, so it is short; transact waits again.
	dsn := "file:" + uriPath.Replace(path) + "?_txlock=immediate&_time_format=sqlite&_timezone=UTC" +
		"&_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	pool := openingOf(options).pool(sqliteConnector(dsn))
	pool.SetMaxOpenConns(4) // writers queue anyway; readers go beside them
	db, err := open(pool, gormsqlite.New(gormsqlite.Config{Conn: pool}), sqliteDialect())
	if err != nil {
		return nil, err
	}
	db.file = path
	return db, nil
}

// sqliteConnector connects by a DSN, as sql.Open does.
type sqliteConnector string

// Connect implements driver.Connector.
func (dsn sqliteConnector) Connect(context.Context) (driver.Conn, error) {
	return dsn.Driver().Open(string(dsn))
}

// Driver implements driver.Connector. It keeps nothing, so that a new one is as good.
func (sqliteConnector) Driver() driver.Driver { return &sqlite.Driver{} }

// uriPath escapes what would end the path in a SQLite URI: the settings behind it would be lost without
// an error.
var uriPath = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

func open(pool *sql.DB, dialector gorm.Dialector, d dialect) (*DB, error) {
	g, err := gorm.Open(dialector, &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard, // errors are returned; the caller logs them once
		NowFunc:                now,
	})
	if err != nil {
		return nil, fmt.Errorf("open the order database: %w", err)
	}
	return &DB{gorm: g, sql: pool, dialect: d}, nil
}

// Disconnect gives up all connections.
func (db *DB) Disconnect() error { return db.sql.Close() }

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.sql.PingContext(ctx) }

// Pool gives the connection pool, for its statistics.
func (db *DB) Pool() *sql.DB { return db.sql }

// readCommitted sets the isolation level of each new connection. The variable's name differs between
// the servers and their versions, the statement does not.
type readCommitted struct{ driver.Connector }

// Connect implements driver.Connector.
func (c readCommitted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	exec, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the MySQL driver cannot run a statement at connect"), conn.Close())
	}
	if _, err := exec.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", nil); err != nil {
		return nil, errors.Join(fmt.Errorf("set the isolation level: %w", err), conn.Close())
	}
	return conn, nil
}

// now is the time as every engine keeps it: UTC, to the microsecond.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
