package flashsale

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnOrderIsRepeatedUntilItHasAnEnd plays the answers to one order, and then times out.
func TestAnOrderIsRepeatedUntilItHasAnEnd(t *testing.T) {
	t.Parallel()
	full := Answer{Outcome: Full, RetryAfter: 3 * time.Second, Words: "full"}
	for name, test := range map[string]struct {
		answers []Answer // the last one again and again
		want    Outcome
		wasFull int
		sent    int64 // 0 for many
	}{
		"confirmed at once":         {[]Answer{{Outcome: Confirmed}}, Confirmed, 0, 1},
		"pending, then confirmed":   {[]Answer{{Outcome: Pending}, {Outcome: Confirmed}}, Confirmed, 0, 2},
		"declined":                  {[]Answer{{Outcome: Declined}}, Declined, 0, 1},
		"sold out":                  {[]Answer{{Outcome: SoldOut}}, SoldOut, 0, 1},
		"turned away":               {[]Answer{{Outcome: TurnedAway}}, TurnedAway, 0, 1},
		"full twice, then sold out": {[]Answer{full, full, {Outcome: SoldOut}}, SoldOut, 1, 3},
		"lost, then confirmed":      {[]Answer{{Outcome: Unknown}, {Outcome: Confirmed}}, Confirmed, 0, 2},
		"unreached, then confirmed": {[]Answer{{Outcome: Unreached}, {Outcome: Confirmed}}, Confirmed, 0, 2},
		"failed":                    {[]Answer{{Outcome: Failed}}, Failed, 0, 1},
		"pending for ever":          {[]Answer{{Outcome: Pending}}, Pending, 0, 0},
		"pending, then lost":        {[]Answer{{Outcome: Pending}, {Outcome: Unknown}}, Pending, 0, 0},
		"lost, then full":           {[]Answer{{Outcome: Unknown}, full}, Unknown, 1, 0},
		"lost, then pending":        {[]Answer{{Outcome: Unknown}, {Outcome: Pending}}, Pending, 0, 0},
		"full, then unreached":      {[]Answer{full, {Outcome: Unreached}}, Unreached, 1, 0},
		"full for ever":             {[]Answer{full}, Full, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				keys := map[string]bool{}
				next := 0
				cfg := config(1, Pace{Concurrency: 1}, func(_ context.Context, o Order) Answer {
					keys[o.Key] = true
					next++
					return test.answers[min(next, len(test.answers))-1]
				})
				cfg.Timeout = time.Minute
				r := New(cfg).Run(t.Context())
				g := r.Groups[test.want]
				if g.Orders != 1 || g.WasFull != test.wasFull || len(keys) != 1 {
					t.Errorf("%+v under %v", r.Groups, keys)
				}
				if r.Requests != r.Repeats+1 || r.TimedOut != (test.sent == 0) ||
					test.sent > 0 && r.Requests != test.sent || test.sent == 0 && r.Requests < 10 {
					t.Errorf("%d requests, %d repeats, timed out: %v", r.Requests, r.Repeats, r.TimedOut)
				}
			})
		})
	}
}

func TestOnceSendsNothingAgain(t *testing.T) {
	t.Parallel()
	cfg := config(10, Pace{Concurrency: 3}, answers(Pending, 0))
	cfg.Once = true
	if r := New(cfg).Run(t.Context()); r.Requests != 10 || r.Repeats != 0 || r.Groups[Pending].Orders != 10 {
		t.Errorf("%+v", r)
	}
}

func TestRetryAfterIsKeptWithinBounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ pause, asked, low, high time.Duration }{
		{firstPause, 0, 100 * time.Millisecond, 150 * time.Millisecond},
		{firstPause, 3 * time.Second, 3 * time.Second, 4500 * time.Millisecond},
		{longestPause, time.Second, 2 * time.Second, 3 * time.Second},
		{longestPause, time.Hour, 30 * time.Second, 45 * time.Second},
	} {
		for range 1000 {
			if got := pauseFor(test.pause, Answer{RetryAfter: test.asked}); got < test.low || got > test.high {
				t.Fatalf("a pause of %s with Retry-After %s is %s", test.pause, test.asked, got)
			}
		}
	}
}

// TestEveryShopperAndUnitIsCounted shows conservation: all who came have one outcome, and the units confirmed are
// those of the confirmed orders.
func TestEveryShopperAndUnitIsCounted(t *testing.T) {
	t.Parallel()
	const shoppers = 500
	p := plan(shoppers)
	ends := map[string]Outcome{}
	want := map[string]int64{}
	for i := range shoppers {
		o := p.Order(i)
		ends[o.Key] = Outcomes()[i%5]
		if ends[o.Key] == Confirmed {
			for _, line := range o.Lines {
				want[line.SKU]++
			}
		}
	}
	sale := New(config(shoppers, Pace{Concurrency: 50}, func(_ context.Context, o Order) Answer {
		return Answer{Outcome: ends[o.Key], Words: o.Key}
	}))
	r := sale.Run(t.Context())
	for i, outcome := range Outcomes() {
		orders := 0
		if i < 5 {
			orders = shoppers / 5
		}
		if r.Groups[outcome].Orders != orders {
			t.Errorf("%d %s, want %d", r.Groups[outcome].Orders, outcome, orders)
		}
	}
	if len(r.Units) != len(want) {
		t.Errorf("units of %v, want %v", r.Units, want)
	}
	for sku, n := range want {
		if r.Units[sku] != n {
			t.Errorf("%d units of %s, want %d", r.Units[sku], sku, n)
		}
	}
	if got := sale.Progress(); got != (Progress{Arrived: shoppers, Ended: shoppers, Confirmed: shoppers / 5}) {
		t.Errorf("progress %+v", got)
	}
	if r.Arrived != shoppers || r.Requests != shoppers || r.Definite != shoppers || len(r.Troubles) != maxTroubles {
		t.Errorf("%+v", r)
	}
}
