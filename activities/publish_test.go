package activities_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/testsuite"

	"holdfast/activities"
	"holdfast/order"
)

// day has pages of one order, all assigned, and takes everything.
type day struct{ activities.Pages }

func (day) Manifest(_ context.Context, key order.PageKey) (order.Manifest, *order.Delivery, error) {
	return order.Manifest{PageKey: key}, nil, nil
}

func (day) Deliver(_ context.Context, key order.PageKey, _ []order.Refusal) (order.Delivery, error) {
	return order.Delivery{PageKey: key, Orders: 1, HandedOff: 1}, nil
}

type house struct{}

func (house) Deliver(context.Context, order.Manifest) ([]order.Refusal, error) { return nil, nil }

// broker answers only while it is up, and everything that is handed off is still to be told.
type broker struct {
	activities.Announcements
	up              bool
	asked, recorded int
}

func (b *broker) UnannouncedOf(context.Context, order.PageKey) ([]order.Announcement, error) {
	return []order.Announcement{{Status: order.HandedOff}}, nil
}

func (b *broker) Publish(ctx context.Context, _ []order.Event) error {
	b.asked++
	if b.up {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (b *broker) Announce(_ context.Context, a []order.Announcement) ([]order.Row, error) {
	b.recorded += len(a)
	return make([]order.Row, len(a)), nil
}

// TestPagesDoNotEachWaitForABrokerThatIsAway: the first waits, the others go on, and after a rest one asks again.
func TestPagesDoNotEachWaitForABrokerThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &broker{}
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		(&activities.HandOffs{
			Pages: day{}, Warehouse: house{}, Publications: &activities.Publications{Announcements: b, Events: b},
			Metrics: activities.NewHandOffMetrics(prometheus.NewRegistry()),
		}).Register(env)
		deliver := func(pages int) time.Duration {
			began := time.Now()
			for page := range pages {
				if _, err := env.ExecuteActivity(activities.HandOffPage, activities.PageInput{PageKey: order.PageKey{HandOff: "h", Page: page + 1}}); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(began)
		}
		if took := deliver(100); b.asked != 1 || took > 3*time.Second {
			t.Errorf("100 pages took %s, and the broker was asked %d times", took, b.asked)
		}
		b.up = true
		time.Sleep(time.Minute)
		if deliver(10); b.asked != 11 || b.recorded != 10 {
			t.Errorf("the broker, which is back, was asked %d times and told of %d orders, want 11 and 10", b.asked, b.recorded)
		}
	})
}
