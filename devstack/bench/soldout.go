package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"time"

	"holdfast/devstack/shop"
)

// soldOut compares how fast shoppers are told that a SKU is sold out with how fast net/http answers at all.
func (b *bench) soldOut(ctx context.Context) error {
	// As many as keep two processors busy: more would only make both sides wait.
	const shoppers = 64
	return b.onFloor(ctx, "soldout", false, func(ctx context.Context, f *floor) (err error) {
		if err := f.sellOut(ctx); err != nil {
			return err
		}
		handler, err := startHandler(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, handler.stop()) }()
		bodies, err := hotOrders(shoppers)
		if err != nil {
			return err
		}
		late, err := gather(ctx, "late", f.addr, shoppers, bodies, http.StatusConflict)
		if err != nil {
			return err
		}
		defer late.leave()
		served, err := gather(ctx, "served", handler.addr, shoppers, bodies, http.StatusOK)
		if err != nil {
			return err
		}
		defer served.leave()
		asking := load{atOnce: shoppers, duration: b.Duration}
		ours := side{"sold-out answers", func(ctx context.Context) (sample, error) { return asking.run(ctx, late.shop) }}
		yardstick := side{"answers of an empty handler", func(ctx context.Context) (sample, error) { return asking.run(ctx, served.shop) }}
		for _, s := range []side{ours, yardstick} {
			if _, err := s.run(ctx); err != nil {
				return fmt.Errorf("warm up: %w", err)
			}
		}
		c, err := b.compare(ctx, f, ours, yardstick, ofRates)
		if err != nil {
			return err
		}
		b.report.add("soldout_vs_handler", c.ratios, fmt.Sprintf("%s; %.0f/s of an empty handler; %d connections",
			describe("answers", c.ours), c.yardstick.perSecond(), shoppers))
		figures := absolute("soldout", c.ours)
		maps.Copy(figures, absolute("handler", c.yardstick))
		figures["connections"] = shoppers
		b.report.detail("soldout", figures)
		return nil
	})
}

// sellOut sells the only unit of the hot SKU.
func (f *floor) sellOut(ctx context.Context) error {
	if err := f.SetStock(ctx, hotSKU, 1); err != nil {
		return err
	}
	for i, want := range []int{http.StatusCreated, http.StatusConflict} {
		answer, err := f.PlaceUntilDefinite(ctx, fmt.Sprintf("last-%d", i), shop.Buy("ada", "tok_ok", hotSKU, 1))
		if err != nil {
			return err
		}
		if answer.Status != want || want == http.StatusConflict && answer.Problem.Slug() != "sold-out" {
			return fmt.Errorf("sell the only unit: order %d was answered %d %s, want %d", i+1, answer.Status, answer.Problem.Detail, want)
		}
	}
	return nil
}

// handler is an HTTP server that does nothing.
type handler struct {
	addr   string
	server *http.Server
	served chan error
}

func startHandler(ctx context.Context) (*handler, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", free)
	if err != nil {
		return nil, err
	}
	h := &handler{
		addr:   listener.Addr().String(),
		server: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute},
		served: make(chan error, 1),
	}
	go func() { h.served <- h.server.Serve(listener) }()
	return h, nil
}

func (h *handler) stop() error {
	err := h.server.Close()
	if served := <-h.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
