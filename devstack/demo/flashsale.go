package demo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"holdfast/devstack/shop"
)

const (
	shoppers = 300
	units    = 100
	// crashAfter is how many shoppers have been served when the worker is killed.
	crashAfter = 60
)

// flashSale lets all shoppers in at once, and in the middle of it kills the worker and wipes Redis.
func (d *show) flashSale(ctx context.Context) error {
	if err := d.SetStock(ctx, "drop", units); err != nil {
		return err
	}
	d.say("Flash sale: %d shoppers for %d units; the worker is killed and Redis wiped in the middle of it.", shoppers, units)
	sale := &sale{served: make(chan struct{}, shoppers), bar: progressbar.NewOptions(shoppers,
		progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("shoppers served"),
		progressbar.OptionShowCount(), progressbar.OptionFullWidth(), progressbar.OptionOnCompletion(func() { _, _ = fmt.Fprintln(os.Stderr) }))}
	group, saleCtx := errgroup.WithContext(ctx)
	for i := range shoppers {
		group.Go(func() error { return sale.shop(saleCtx, d.Client, i) })
	}
	group.Go(func() error { return d.crash(saleCtx, sale) })
	if err := group.Wait(); err != nil {
		return err
	}
	return d.checkSale(ctx, sale)
}

// sale counts how the shoppers fared.
type sale struct {
	bar                *progressbar.ProgressBar
	served             chan struct{} // one for each shopper who knows how his order ended
	confirmed, soldOut atomic.Int64
}

func (s *sale) shop(ctx context.Context, client *shop.Client, i int) error {
	answer, err := client.PlaceUntilDefinite(ctx, fmt.Sprintf("drop-%d", i), shop.Buy(fmt.Sprintf("shopper-%d", i), "tok_ok", "drop", 1))
	if err != nil {
		return err
	}
	switch answer.Status {
	case http.StatusCreated:
		s.confirmed.Add(1)
	case http.StatusConflict:
		s.soldOut.Add(1)
	default:
		return fmt.Errorf("shopper %d was answered %d %s", i, answer.Status, answer.Problem.Detail)
	}
	s.served <- struct{}{}
	return s.bar.Add(1)
}

// crash kills the worker with orders in flight, wipes Redis, and starts the next worker.
func (d *show) crash(ctx context.Context, s *sale) error {
	for range crashAfter {
		select {
		case <-s.served:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	pid := d.worker.Pid()
	d.worker.Kill()
	d.stack.WipeRedis()
	inFlight := shoppers - int(s.confirmed.Load()+s.soldOut.Load())
	killed := time.Now()
	if err := d.startWorker(ctx); err != nil {
		return err
	}
	d.saw("the worker killed, Redis wiped", fmt.Sprintf("%d shoppers were waiting", inFlight), fmt.Sprintf("worker %d took over after %s", d.worker.Pid(), time.Since(killed).Round(time.Millisecond)))
	_, _ = fmt.Fprintf(os.Stderr, "\nkilled worker %d with kill -9 and wiped Redis while %d shoppers were waiting; worker %d takes over. Temporal gives up waiting for the killed one after 10 s.\n", pid, inFlight, d.worker.Pid())
	return nil
}

func (d *show) checkSale(ctx context.Context, s *sale) error {
	stock, err := d.Stock(ctx, "drop")
	if err != nil {
		return err
	}
	confirmed, soldOut := s.confirmed.Load(), s.soldOut.Load()
	d.saw(fmt.Sprintf("%d shoppers for %d units", shoppers, units), fmt.Sprintf("%d confirmed, %d sold out", confirmed, soldOut), fmt.Sprintf("%d left", stock.OnHand))
	if confirmed != units || soldOut != shoppers-units || stock.OnHand != 0 || stock.Reserved != 0 {
		return fmt.Errorf("flash sale: want exactly %d confirmed and nothing left, got %d confirmed, %d sold out, %d on hand, %d reserved",
			units, confirmed, soldOut, stock.OnHand, stock.Reserved)
	}
	return nil
}
