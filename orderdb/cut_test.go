//go:build unix

package orderdb_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"holdfast/order"
	"holdfast/orderdb"
)

// cutter is a TCP proxy before the database, which cuts a connection at a statement.
type cutter struct {
	net.Listener
	statement []byte
	answered  bool // cut after the server has answered, and before the client learns of it
	reset     bool // cut with an RST, as a firewall does
	left      atomic.Int32
}

// commit is the statement as it is sent. The bare word stands in the name of the isolation level, too.
const commit = "\x03COMMIT"

// behindCutter opens the database through a cutter, which cuts the next times that the statement comes.
func (db *database) behindCutter(t *testing.T, statement string, answered, reset bool, times int32) (*orderdb.DB, *cutter) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &cutter{Listener: l, statement: []byte(statement), answered: answered, reset: reset}
	c.left.Store(times)
	var server string
	through := db.again(t, func(cfg *mysql.Config) { server, cfg.Addr = cfg.Addr, l.Addr().String() })
	go c.serve(server)
	return through, c
}

func (c *cutter) serve(server string) {
	for {
		client, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			upstream, err := net.Dial("tcp", server) //nolint:noctx // ends with the client
			if err != nil {
				return
			}
			defer upstream.Close()
			c.carry(client, upstream)
		}()
	}
}

// carry passes statement and answer to and fro. The protocol takes turns, so that one read is enough for
// the small ones here.
func (c *cutter) carry(client, upstream net.Conn) {
	turn := func(from, to net.Conn, pass func([]byte) bool) bool {
		buffer := make([]byte, 1<<16)
		n, err := from.Read(buffer)
		if err != nil || !pass(buffer[:n]) {
			return false
		}
		_, err = to.Write(buffer[:n])
		return err == nil
	}
	cut := false
	all := func([]byte) bool { return true }
	for turn(upstream, client, all) && turn(client, upstream, func(statement []byte) bool {
		cut = bytes.Contains(statement, c.statement) && c.left.Add(-1) >= 0
		return !cut || c.answered
	}) {
		if cut {
			_, _ = upstream.Read(make([]byte, 1<<16))
			break
		}
	}
	if tcp, ok := client.(*net.TCPConn); ok && c.reset {
		_ = tcp.SetLinger(0)
	}
}

// After a connection lost during COMMIT nobody knows whether it took effect. The repeat reads the rows
// and answers, whichever it was.
func TestAConnectionCutAtAnyStatement(t *testing.T) {
	for name, c := range map[string]struct {
		statement       string
		answered, reset bool
	}{
		"before BEGIN":                  {"START TRANSACTION", false, false},
		"before the rows are locked":    {"FOR UPDATE", false, false},
		"after the rows are locked":     {"FOR UPDATE", true, true},
		"before the stock is written":   {"UPDATE stock", false, true},
		"after the stock is written":    {"UPDATE stock", true, false},
		"before COMMIT":                 {commit, false, false},
		"before COMMIT, with a reset":   {commit, false, true},
		"when COMMIT took effect":       {commit, true, false},
		"when COMMIT took effect twice": {commit, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			onEachServer(t, func(t *testing.T, db *database) {
				db.stocked(t, "mug", 10)
				took := c.statement == commit && c.answered
				want := func(row order.Row) order.Row { row.Changed = !took; return row }
				times := int32(1)
				if c.reset {
					times = 2
				}
				o, closed := newOrder(t, 1, 3), newOrder(t, 2, 2)
				for _, step := range []func(*orderdb.DB) ([]order.Row, error){
					func(db *orderdb.DB) ([]order.Row, error) { return db.Open(t.Context(), openings(o, closed)) },
					func(db *orderdb.DB) ([]order.Row, error) { return db.Commit(t.Context(), keys(o)) },
					func(db *orderdb.DB) ([]order.Row, error) {
						return db.Close(t.Context(), []order.Closing{cancelling(closed)})
					},
				} {
					through, cutter := db.behindCutter(t, c.statement, c.answered, c.reset, times)
					rows, err := step(through)
					if err != nil {
						t.Error(err)
						continue
					}
					for _, row := range rows {
						wantRows(t, []order.Row{row}, want(map[order.Status]order.Row{
							order.Pending: pending, order.Confirmed: confirmed, order.Cancelled: cancelled,
						}[row.Status]))
					}
					if cutter.left.Load() > 0 {
						t.Errorf("%q was not cut", c.statement)
					}
				}
				db.wantStock(t, "mug", 7, 0)
			})
		})
	}
}

func TestAServerThatCutsEveryTimeIsUnknown(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		through, _ := db.behindCutter(t, commit, false, false, 1000)
		_, err := through.Open(t.Context(), openings(o))
		wantClass(t, err, order.Unknown)
		if _, err := db.Get(t.Context(), o.ID); !errors.Is(err, orderdb.ErrNotFound) {
			t.Errorf("nothing was committed, but %v", err)
		}
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), changed(pending))
	})
}

func TestACancelledContextIsUnknownAndLeavesNothingHalfDone(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		cancelledCtx, cancel := context.WithCancel(t.Context())
		cancel()
		o := newOrder(t, 1, 3)
		_, err := db.Open(cancelledCtx, openings(o))
		wantClass(t, err, order.Unknown)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the cause is lost: %v", err)
		}
		if _, err := db.Get(t.Context(), o.ID); !errors.Is(err, orderdb.ErrNotFound) {
			t.Errorf("a call that was cancelled before it began left %v", err)
		}
		db.open(t, o)
		for name, call := range map[string]func() error{
			"commit": func() error { _, err := db.Commit(cancelledCtx, keys(o)); return err },
			"close":  func() error { _, err := db.Close(cancelledCtx, []order.Closing{cancelling(o)}); return err },
			"settle": func() error { _, err := db.Settle(cancelledCtx, keys(o)); return err },
			"attend": func() error {
				_, err := db.Attend(cancelledCtx, []order.Attention{{Key: o.Key(), Reason: "x"}})
				return err
			},
			"receive": func() error { _, _, err := db.Receive(cancelledCtx, "mug", 1, "ref", ""); return err },
			"set": func() error {
				_, _, err := db.SetStock(cancelledCtx, "plate", orderdb.Setting{OnHand: 1}, 0)
				return err
			},
			"read": func() error { _, err := db.GetStocks(cancelledCtx, []string{"mug"}); return err },
		} {
			wantClass(t, call(), order.Unknown)
			if call() == nil {
				t.Errorf("%s succeeded", name)
			}
		}
		wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), changed(confirmed))
	})
}

// Who waits for a lock stops waiting when nobody wants the answer any more.
func TestACallThatIsGivenUpWhileItWaitsForALock(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		other := interfere(t, db, "UPDATE stock SET version = version + 1")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		started := time.Now()
		_, err := db.Open(ctx, openings(o))
		wantClass(t, err, order.Unknown)
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("given up after 50ms, it returned after %s", took)
		}
		other.yield(t)
		wantRows(t, must(db.Open(t.Context(), openings(o)))(t), changed(pending))
	})
}
