package alerts

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"

	"holdfast/devstack/shop"
	"holdfast/order"
	"holdfast/workflows"
)

// scene makes an alert fire.
type scene struct {
	alert string
	how   string
	// wreck does what sets the alert off. It is repeated until the alert fires, so that it may also keep something going.
	wreck func(context.Context, *site) error
	mend  func(context.Context, *site) error // nil if there is nothing to be mended, or no way to
}

// scenes are played one after the other. The last ones leave damage behind.
var scenes = []scene{
	{"HoldfastPaymentsUnknown", "the provider is down", once(providerDown, placePending), nil},
	{"HoldfastOrdersNeedAttention", "it stays down", nothing, nil},
	{"HoldfastUndoFailing", "an order is cancelled meanwhile, and its charge cannot be reversed", once(cancelSold), providerUp},
	{"HoldfastDegraded", "Redis is killed", once(killRedis, buyOne), startRedis},
	{"HoldfastSoldOutAlthoughThereAreUnits", "somebody sets the count of a SKU in Redis to 0, again and again", writeCount("withheld", 0), nil},
	{"HoldfastDriftDoesNotHeal", "somebody sets the count of a SKU in Redis to 1,000, again and again", writeCount("offered", 1000), nil},
	{"HoldfastEventsPilingUp", "Kafka is gone", once(stopKafka, buyOne), func(ctx context.Context, s *site) error { return s.startKafka(ctx) }},
	{"HoldfastNothingHandedOff", "the warehouse is down over a cutoff", once(warehouseDown, buyOne), warehouseUp},
	{"HoldfastBooksUnreadable", "somebody renames the table of the hand-off's pages", once(rename("handoff_pages", "taken_away")), rename("taken_away", "handoff_pages")},
	{"HoldfastOrderDatabaseUnreadable", "MariaDB is killed", once(killMariaDB), nil},
	{"HoldfastErrorBudgetBurnsFast", "it stays away, and shoppers ask", ask, nil},
	{"HoldfastErrorBudgetBurnsSlowly", "they go on asking", ask, startMariaDB},
	{"HoldfastProgramsMissing", "the only worker is killed", once(killWorker), func(ctx context.Context, s *site) error { return s.startWorker(ctx) }},
	{"HoldfastRowsDeletedByHand", "somebody deletes an order and its lines", once(deleteOrder), nil},
	{"HoldfastPromiseBroken", "somebody adds 1 to an order's total", once(raiseTotal), nil},
	{"HoldfastChecksMissing", "somebody pauses the schedule of the reconciliation", once(pauseReconciliation), nil},
}

type act = func(context.Context, *site) error

// once does the acts in turn, the first time that it is called.
func once(acts ...act) act {
	done := false
	return func(ctx context.Context, s *site) error {
		if done {
			return nil
		}
		done = true
		for _, do := range acts {
			if err := do(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
}

func nothing(context.Context, *site) error { return nil }

// sku is what most scenes sell.
const sku = "mug"

func mug(customer string) shop.Request { return shop.Buy(customer, "tok_ok", sku, 1) }

func newKey() string { return fmt.Sprint("k-", time.Now().UnixNano()) }

// buy places an order until it is confirmed.
func (s *site) buy(ctx context.Context, r shop.Request) (order.ID, error) {
	answer, err := s.PlaceUntilDefinite(ctx, newKey(), r)
	if err == nil && answer.Status != http.StatusCreated {
		err = fmt.Errorf("an order was answered %d %s", answer.Status, answer.Problem.Slug())
	}
	return answer.ID(), err
}

func buyOne(ctx context.Context, s *site) error {
	_, err := s.buy(ctx, mug("ada"))
	return err
}

func providerDown(ctx context.Context, s *site) error {
	// What is cancelled later has to be sold before.
	id, err := s.buy(ctx, mug("grace"))
	if err != nil {
		return err
	}
	s.sold = id
	return s.Ail(ctx, s.stack.GatewayURL(), shop.Fault{Mode: "down", Seconds: 600})
}

func providerUp(ctx context.Context, s *site) error {
	return s.Ail(ctx, s.stack.GatewayURL(), shop.Well())
}

func placePending(ctx context.Context, s *site) error {
	answer, err := s.Place(ctx, newKey(), mug("ada"), time.Second)
	if err == nil && answer.Status != http.StatusAccepted && answer.Status != http.StatusServiceUnavailable {
		err = fmt.Errorf("an order whose payment is unknown was answered %d", answer.Status)
	}
	return err
}

func cancelSold(ctx context.Context, s *site) error {
	_, err := s.Cancel(ctx, s.sold, 0)
	return err
}

func killRedis(_ context.Context, s *site) error    { s.redis.Kill(); return nil }
func startRedis(ctx context.Context, s *site) error { return s.redis.Restart(ctx) }

func stopKafka(_ context.Context, s *site) error { s.kafka.Close(); return nil }

func warehouseDown(ctx context.Context, s *site) error {
	return s.Ail(ctx, s.stack.WarehouseURL(), shop.Fault{Mode: "down", Seconds: 600})
}

func warehouseUp(ctx context.Context, s *site) error {
	return s.Ail(ctx, s.stack.WarehouseURL(), shop.Well())
}

// rename renames a table.
func rename(from, to string) act {
	return func(ctx context.Context, s *site) error {
		_, err := s.db.ExecContext(ctx, "RENAME TABLE "+from+" TO "+to)
		return err
	}
}

func killMariaDB(_ context.Context, s *site) error    { s.mariadb.Kill(); return nil }
func startMariaDB(ctx context.Context, s *site) error { return s.mariadb.Restart(ctx) }

// ask asks for an order, and does not mind that it is not answered.
func ask(ctx context.Context, s *site) error {
	_, _ = s.Get(ctx, s.sold)
	return nil
}

func killWorker(_ context.Context, s *site) error { s.worker.Kill(); return nil }

func deleteOrder(ctx context.Context, s *site) error {
	id, err := s.buy(ctx, mug("ada"))
	if err != nil {
		return err
	}
	for _, statement := range []string{"DELETE FROM order_lines WHERE order_id = ?", "DELETE FROM orders WHERE id = ?"} {
		if _, err := s.db.ExecContext(ctx, statement, id); err != nil {
			return err
		}
	}
	return nil
}

func raiseTotal(ctx context.Context, s *site) error {
	id, err := s.buy(ctx, mug("ada"))
	if err == nil {
		_, err = s.db.ExecContext(ctx, "UPDATE orders SET total = total + 1 WHERE id = ?", id)
	}
	return err
}

func pauseReconciliation(ctx context.Context, s *site) error {
	return s.temporal.ScheduleClient().GetHandle(ctx, workflows.ReconcileID).Pause(ctx, client.SchedulePauseOptions{Note: "a rehearsal"})
}

// writeCount writes another count of a SKU into Redis whenever it is loaded, and has it loaded by an order whenever it is not.
func writeCount(sku string, units int) act {
	return func(ctx context.Context, s *site) error {
		key := "s:{" + sku + "}"
		loaded, err := s.rdb.HExists(ctx, key, "epoch").Result()
		if err != nil {
			return err
		}
		if !loaded {
			if _, err := s.buy(ctx, shop.Buy("ada", "tok_ok", sku, 1)); err != nil {
				return err
			}
		}
		return s.rdb.HSet(ctx, key, "units", units).Err()
	}
}
