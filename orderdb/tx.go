package orderdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/order"
)

// maxTries bounds how often one call repeats its transaction; the step repeats the call with a longer
// backoff after that.
const maxTries = 8

// transact runs fn in a transaction, and again as a whole if the database asks for that: after a
// deadlock, a lock wait that timed out, a changed snapshot, a row that someone else inserted first,
// or a connection that was lost. After a connection lost during COMMIT nobody knows whether the
// transaction took effect; fn then reads the rows on a new connection and decides, since every
// transition may be repeated.
func (db *DB) transact(ctx context.Context, fn func(tx *gorm.DB) error) error {
	var err error
	for try := range maxTries {
		if try > 0 {
			if stop := backOff(ctx, try); stop != nil {
				return classify(errors.Join(stop, err))
			}
		}
		err = db.gorm.WithContext(ctx).Transaction(fn)
		if err == nil || !(db.dialect.retryable(err) || db.dialect.duplicate(err)) {
			break
		}
	}
	return classify(err)
}

// classify leaves a failure or a refusal of ours as it is. Anything from the database or the network
// may have had an effect.
func classify(err error) error {
	if err == nil {
		return nil
	}
	return order.AsFailure(err)
}

// backOff waits a random moment that grows with the tries, so that two transactions which ran into each other do
// not do so again in step.
func backOff(ctx context.Context, try int) error {
	timer := time.NewTimer(rand.N(time.Duration(try) * 5 * time.Millisecond)) //nolint:gosec // jitter needs no secrecy
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Error numbers of MySQL and MariaDB, from the servers' error references.
const (
	errDuplicate       = 1062
	errLockWaitTimeout = 1205 // rolls back the statement only; the transaction is ours to end
	errDeadlock        = 1213
	errChangedSnapshot = 1020 // MariaDB's answer where MySQL reads past the snapshot
)

func mysqlDialect() dialect {
	number := func(err error) uint16 {
		if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
			return e.Number
		}
		return 0
	}
	return dialect{
		name: "mysql",
		retryable: func(err error) bool {
			switch number(err) {
			case errLockWaitTimeout, errDeadlock, errChangedSnapshot:
				return true
			}
			// ErrBadConn is also what RejectReadOnly makes of a server that takes no writes any more.
			return errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
		},
		duplicate: func(err error) bool { return number(err) == errDuplicate },
	}
}

func sqliteDialect() dialect {
	code := func(err error) int {
		if e, ok := errors.AsType[*sqlite.Error](err); ok {
			return e.Code()
		}
		return 0
	}
	return dialect{
		name:      "sqlite",
		retryable: func(err error) bool { return code(err)&0xff == sqlite3.SQLITE_BUSY },
		duplicate: func(err error) bool {
			return code(err) == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || code(err) == sqlite3.SQLITE_CONSTRAINT_UNIQUE
		},
	}
}
