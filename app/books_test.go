package app

import (
	"testing"
	"time"

	"holdfast/config"
	"holdfast/orderdb"
)

// TestAnOrderIsDueAtTheFirstCutoffAfterItWasConfirmed, whatever zone the cutoff is in.
func TestAnOrderIsDueAtTheFirstCutoffAfterItWasConfirmed(t *testing.T) {
	t.Parallel()
	at := func(clock string) time.Time {
		moment, err := time.Parse(time.DateTime, clock)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	five, err := cutoffsOf(config.Config{HandOffCron: "0 17 * * *", HandOffTimeZone: "Asia/Seoul"}) // 08:00 UTC
	if err != nil {
		t.Fatal(err)
	}
	byHand, err := cutoffsOf(config.Config{HandOffCron: config.Off})
	if err != nil || byHand != nil {
		t.Fatalf("%v, %v", byHand, err)
	}
	for _, test := range []struct {
		name string
		p    platform
		left orderdb.ToHandOff
		want time.Time
	}{
		{"nothing is left", platform{cutoffs: five}, orderdb.ToHandOff{}, time.Time{}},
		{"confirmed before the cutoff", platform{cutoffs: five}, orderdb.ToHandOff{Changed: at("2026-03-01 07:59:59")}, at("2026-03-01 08:00:00")},
		{"confirmed at the cutoff", platform{cutoffs: five}, orderdb.ToHandOff{Changed: at("2026-03-01 08:00:00")}, at("2026-03-01 08:00:00")},
		{"confirmed after it", platform{cutoffs: five}, orderdb.ToHandOff{Changed: at("2026-03-01 08:00:01")}, at("2026-03-02 08:00:00")},
		{
			"a page of the day before is not delivered",
			platform{cutoffs: five},
			orderdb.ToHandOff{Changed: at("2026-03-01 09:00:00"), Pages: 1, Cutoff: at("2026-03-01 08:00:00")},
			at("2026-03-01 08:00:00"),
		},
		{"handed off by hand", platform{}, orderdb.ToHandOff{Changed: at("2026-03-01 07:00:00")}, time.Time{}},
		{"a page by hand", platform{}, orderdb.ToHandOff{Pages: 1, Cutoff: at("2026-03-01 07:00:00")}, at("2026-03-01 07:00:00")},
	} {
		if got := test.p.due(test.left); !got.Equal(test.want) {
			t.Errorf("%s: due at %s, want %s", test.name, got, test.want)
		}
	}
}
