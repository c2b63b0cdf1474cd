package cli

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/order"
)

// receipt is the body of POST /v1/stock/{sku}/receipts.
type receipt struct {
	Quantity  int64  `json:"quantity"` // units; negative takes away
	Reference string `json:"reference"`
	Reason    string `json:"reason,omitempty"`
}

func (a *app) receiveCommand() *cobra.Command {
	var r receipt
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "receive SKU QUANTITY",
		Short: "Add units that came in, or take away units that are gone",
		Long: `Add units that came in, or take away units that are gone.

The reference, such as the number of a delivery note, counts once for each SKU, for ever: the same
command may be repeated safely when its answer was lost. A negative quantity takes units away; put --
before it, so that it is not read as a flag.`,
		Example: `  starter stock receive mug 24 --reference delivery-8812
  starter stock receive --reference breakage-31 --reason "fell off the shelf" mug -- -2`,
		Args: takes("SKU", "QUANTITY"),
		RunE: run(func(ctx context.Context, _ *cobra.Command, args []string) error {
			return a.receive(ctx, args[0], args[1], r, timeout)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&r.Reference, "reference", "", "what the units came with; a `reference` counts once")
	flags.StringVar(&r.Reason, "reason", "", "`text` for the record")
	timeoutFlag(cmd, &timeout, defaultTimeout, "to wait for the API's answer")
	if err := cmd.MarkFlagRequired("reference"); err != nil {
		panic(err) // the flag is defined above
	}
	negative := regexp.MustCompile(`in -\d+$`)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if negative.MatchString(err.Error()) {
			return usagef("a negative quantity needs -- before it: stock receive --reference REFERENCE SKU -- -2")
		}
		return err
	})
	return cmd
}

func (a *app) receive(ctx context.Context, sku, quantity string, r receipt, timeout time.Duration) error {
	if err := order.CheckSKU(sku); err != nil {
		return invalidInput(err)
	}
	units, err := strconv.ParseInt(quantity, 10, 64)
	if err != nil {
		return usagef("the quantity %q is not a whole number", quantity)
	}
	r.Quantity = units
	path := stockPath(sku) + "/receipts"
	ans, err := a.ask(ctx, request{method: http.MethodPost, path: path, body: r, within: timeout})
	if err != nil {
		return afterWrite(err, "The reference counts once, so it is safe to repeat the same command.")
	}
	doc, err := readStock(ans, path)
	if err != nil {
		return afterWrite(err, "The reference counts once, so it is safe to repeat the same command.")
	}
	return a.printStock(ans, doc)
}

// afterWrite adds what to do to a failure that leaves open whether something was changed.
func afterWrite(err error, advice string) error {
	f, ok := errors.AsType[*failure](err)
	if !ok || f.code != exitError || f.problem.is("unreachable") {
		return err
	}
	return f.advisef("It is not known whether it took effect. %s", advice)
}
