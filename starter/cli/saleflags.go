package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/order"
	"holdfast/starter/flashsale"
)

// Limits of a flash sale. They keep a slip of the finger from becoming a siege.
const (
	maxShoppers    = 1_000_000
	maxSaleSKUs    = 10_000
	maxSaleLines   = 3
	maxConcurrency = 10_000
	maxRate        = 100_000 // a second; timers give no more
	minRate        = 0.01    // a second; a shopper must come before the latest --timeout
	// maxOutstanding leaves some of the 28,000 ports that a client has by default on Linux.
	maxOutstanding = 20_000
	maxSaleTime    = 24 * time.Hour
)

// saleFlags is what "flash-sale" was asked to do.
type saleFlags struct {
	shoppers, skus int
	units          int64
	sku            string
	lines, tokens  string
	pace           flashsale.Pace
	seed           uint32
	wait, timeout  time.Duration
	repeat         bool
}

func (f *saleFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.shoppers, "shoppers", 0, fmt.Sprintf("`number` of customers who place one order each, 1 to %d", maxShoppers))
	flags.Int64Var(&f.units, "units", 0, "`units` that each SKU receives before the sale; 0 sells what is there")
	flags.StringVar(&f.sku, "sku", "flash", "what is sold: the `SKU`, or with --skus what their names begin with")
	flags.IntVar(&f.skus, "skus", 1, fmt.Sprintf("`number` of SKUs that are sold, 1 to %d", maxSaleSKUs))
	flags.StringVar(&f.lines, "lines", "1", fmt.Sprintf("lines an order, a `number` from 1 to %d or a range such as 1-3", maxSaleLines))
	flags.IntVar(&f.pace.Concurrency, "concurrency", 200, fmt.Sprintf("how many `shoppers` are under way at a time, 1 to %d", maxConcurrency))
	flags.Float64Var(&f.pace.Rate, "rate", 0, fmt.Sprintf("instead of --concurrency: how many `shoppers` come a second, %g to %d", minRate, maxRate))
	flags.IntVar(&f.pace.Outstanding, "outstanding", 10_000, fmt.Sprintf("with --rate: how many `shoppers` are under way at most, 1 to %d", maxOutstanding))
	flags.StringVar(&f.tokens, "tokens", "tok_ok", "payment methods by weight, a `mix` such as tok_ok=90,tok_declined=10")
	flags.Uint32Var(&f.seed, "seed", 0, "`number` that makes the mix of lines and payment methods; random if not given")
	flags.BoolVar(&f.repeat, "repeat", true, "send an order again until it has an end; --repeat=false sends each once")
	flags.DurationVar(&f.wait, "wait", 5*time.Second, "how long the API waits for the order's end before it answers, 0 to 30s")
	timeoutFlag(cmd, &f.timeout, 10*time.Minute, "the sale may take")
	if err := cmd.MarkFlagRequired("shoppers"); err != nil {
		panic(err) // the flag is defined above
	}
}

// check reads the flags. The failure has everything that is wrong with them.
func (f *saleFlags) check(cmd *cobra.Command) (flashsale.Plan, error) {
	wrong := f.wrongNumbers()
	add := func(flag, format string, args ...any) {
		wrong = append(wrong, fieldError{flag, fmt.Sprintf(format, args...)})
	}
	given := cmd.Flags().Changed
	switch {
	case given("rate") && given("concurrency"):
		add("--rate", "does not go with --concurrency: shoppers come at a rate, or when others leave")
	case given("rate") && !(f.pace.Rate >= minRate && f.pace.Rate <= maxRate): // NaN is neither
		add("--rate", "must be %g to %d shoppers a second", minRate, maxRate)
	case !given("rate") && given("outstanding"):
		add("--outstanding", "goes with --rate; without it --concurrency is the bound")
	}
	lines, err := flashsale.ParseSpan(f.lines)
	switch {
	case err != nil:
		add("--lines", "%v", err)
	case lines.Max > maxSaleLines:
		add("--lines", "must be at most %d", maxSaleLines)
	case lines.Max > f.skus:
		add("--lines", "must not be more than --skus: each line is of another SKU")
	}
	if given("rate") {
		f.pace.Concurrency = 0
	}
	if !given("seed") {
		f.seed = randomSeed()
	}
	mix, err := flashsale.ParseMix(f.tokens)
	if err != nil {
		add("--tokens", "%v", err)
	}
	wrong = append(wrong, f.wrongNames(mix)...)
	if len(wrong) > 0 {
		failure := usagef("nothing was changed")
		failure.problem.Errors = wrong
		return flashsale.Plan{}, failure
	}
	return flashsale.Plan{
		Seed: f.seed, Shoppers: f.shoppers, SKUs: flashsale.SKUs(f.sku, f.skus), Lines: lines, Tokens: mix,
	}, nil
}

func (f *saleFlags) wrongNumbers() []fieldError {
	var wrong []fieldError
	between := func(flag string, n, low, high int64) {
		if n < low || n > high {
			wrong = append(wrong, fieldError{flag, fmt.Sprintf("must be %d to %d", low, high)})
		}
	}
	between("--shoppers", int64(f.shoppers), 1, maxShoppers)
	between("--units", f.units, 0, order.MaxUnits)
	between("--skus", int64(f.skus), 1, maxSaleSKUs)
	between("--concurrency", int64(f.pace.Concurrency), 1, maxConcurrency)
	between("--outstanding", int64(f.pace.Outstanding), 1, maxOutstanding)
	if f.wait < 0 || f.wait > maxWait || f.wait%time.Second != 0 {
		wrong = append(wrong, fieldError{"--wait", fmt.Sprintf("must be whole seconds from 0s to %s", maxWait)})
	}
	if f.timeout <= 0 || f.timeout > maxSaleTime {
		wrong = append(wrong, fieldError{"--timeout", fmt.Sprintf("must be more than 0s and at most %s", maxSaleTime)})
	}
	return wrong
}

// wrongNames has the domain look at the longest SKU and at an order with each payment method.
func (f *saleFlags) wrongNames(mix flashsale.Mix) []fieldError {
	var wrong []fieldError
	add := func(flag, name string, err error) {
		invalid, ok := errors.AsType[*order.ValidationError](err)
		if !ok {
			return
		}
		for _, p := range invalid.Problems {
			wrong = append(wrong, fieldError{flag, fmt.Sprintf("%q %s", name, p.Message)})
		}
	}
	sku := f.sku
	if f.skus > 1 {
		sku = fmt.Sprintf("%s-%d", f.sku, f.skus)
	}
	add("--sku", sku, order.CheckSKU(sku))
	for _, share := range mix {
		_, err := order.New("c", "k", flashsale.Currency, share.PaymentMethod, []order.Line{{SKU: "s", Quantity: 1}})
		add("--tokens", share.PaymentMethod, err)
	}
	return wrong
}
