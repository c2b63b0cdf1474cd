//go:build unix

package orderdb_test

import (
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"holdfast/orderdb"
)

// TestPatienceOutlastsTheReadTimeout, which a migration of many rows needs.
func TestPatienceOutlastsTheReadTimeout(t *testing.T) {
	onEachServer(t, func(t *testing.T, db *database) {
		cfg, err := mysql.ParseDSN(db.source)
		if err != nil {
			t.Fatal(err)
		}
		cfg.ReadTimeout = 200 * time.Millisecond
		slow := func(options ...orderdb.Option) error {
			patient, err := orderdb.OpenMySQL(cfg.FormatDSN(), 1, options...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = patient.Disconnect() }()
			_, err = patient.Pool().ExecContext(t.Context(), "DO SLEEP(1)")
			return err
		}
		if slow() == nil {
			t.Error("a read time-out of 200 ms outlasts a second")
		}
		if err := slow(orderdb.WithPatience()); err != nil {
			t.Error(err)
		}
	})
}
