package cli

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/starter/flashsale"
)

// saleGrace is how long the orders under way may go on after Ctrl-C: as long as the API waits by default for
// the end of one.
const saleGrace = 5 * time.Second

func (a *app) flashSaleCommand() *cobra.Command {
	var f saleFlags
	cmd := &cobra.Command{
		Use:   "flash-sale",
		Short: "Play a flash sale: many shoppers, what became of their orders, and an audit",
		Long: `Play a flash sale: shoppers come, each places one order through the API, and what became of the orders is
shown, with an audit at the end. The orders are real, and are charged: this is for systems that are there to
be tried.

What is sold: the SKU --sku, or with --skus N those from --sku-1 to --sku-N. With --units each is created if it
is not there, and then receives that many units; what it had is sold as well. Without, the stock that is there
is sold. No stock is ever set or taken away. Each line of an order asks for one unit of another SKU, at 19.99 EUR.
Leave the SKUs to the sale while it runs: units that others bring are not counted as on sale.

How shoppers come: --concurrency of them at a time, the next one when one has his answer; or --rate a
second, each at his time however slow the answers are. Latency counts from the time a shopper comes, or with --rate
should have come, to the end of his order, repeats and pauses included.

An order that is pending (202), turned away as full or unavailable (503), or has no answer is sent again
under the same key until it has an end, as a shop's back end does. Retry-After is kept, up to 30 s. Orders end as

  confirmed     paid, and the units are sold
  declined      closed, because the payment was
  sold_out      on record, and closed for lack of units
  turned_away   sold out before anything was started
  closed        ended otherwise, such as with a payment that expired
  pending, unknown, full, unreached
                without an end when the time was up: on record; perhaps started; not let in; not sent
  failed        answered what is no outcome of an order, such as that the request is wrong

Ctrl-C lets no more shoppers in, gives those under way ` + saleGrace.String() + ` and then reports all the same.

Exit codes:
  0  the audit holds, and no more units were confirmed than were on sale
  1  otherwise, or an order failed; or, clearly said, the audit could not be made
  2  usage; nothing was changed`,
		Example: `  starter flash-sale --shoppers 10000 --units 1000
  starter flash-sale --shoppers 50000 --units 100 --skus 20 --lines 1-3 --rate 2000
  starter flash-sale --shoppers 2000 --units 500 --tokens tok_ok=90,tok_declined=5,tok_lost=5 --seed 7 -o json`,
		Args: takes(),
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			plan, err := f.check(cmd)
			if err != nil {
				return err
			}
			return a.flashSale(ctx, f, plan)
		}),
	}
	f.register(cmd)
	return cmd
}

func (a *app) flashSale(ctx context.Context, f saleFlags, plan flashsale.Plan) error {
	plan.Run = strings.ToLower(rand.Text()[:10]) // 50 bits: sales on one system are few
	a.http.Transport = roomFor(f.pace.Most())
	shelf, err := a.stockUp(ctx, plan, f.units)
	if err != nil {
		return err
	}
	sale := flashsale.New(flashsale.Config{
		Plan: plan, Pace: f.pace, Once: !f.repeat, Timeout: f.timeout, Grace: saleGrace,
		Place: a.shopper(f.wait), Pause: a.pause,
	})
	finish := a.showProgress(ctx, sale, plan.Shoppers)
	result := sale.Run(ctx)
	finish()
	// An interruption ends the sale; what came of it is still to be told.
	return a.concludeSale(context.WithoutCancel(ctx), f, plan, shelf, result)
}

// roomFor keeps a connection for each of n shoppers.
func roomFor(n int) http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil // somebody replaced it, and knows why
	}
	transport = transport.Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = n, n
	transport.DisableCompression = true // answers are short
	return transport
}

// randomSeed is short enough to be typed again.
func randomSeed() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}
