package cli

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/order"
)

// forcedTries is how often --force reads and writes again. Each try loses only to a sale in between,
// which takes longer than the two requests.
const forcedTries = 20

// stockSetting is what "stock set" was asked to do.
type stockSetting struct {
	sku     string
	onHand  int64
	limit   *int64 // units of one customer, 0 for any number; nil leaves the limit as it is
	ifMatch string // the ETag that the caller knows; "" to read it first
	force   bool
	timeout time.Duration
}

func (a *app) setStockCommand() *cobra.Command {
	var s stockSetting
	var limit int64
	cmd := &cobra.Command{
		Use:   "set SKU ON_HAND",
		Short: "Set the units on hand and the limit of a SKU, and create it if it is new",
		Long: `Set the units on hand and the limit of a SKU, and create it if it is new.

A change is made to the stock that was read, never to what it became since: the current stock is read
and the change shown, then written with the ETag of what was read. If units were sold or received in
between nothing is set, and the numbers are shown.

  --if-match ETAG  changes only the stock that has this ETag, as "stock get" showed it, and creates none
  --force          reads and writes again until nothing came in between: sales meanwhile are overruled,
                   so that on hand ends as given, whatever was sold since you counted

  --limit-per-customer N  lets one customer have no more than N units, over all orders that are not rejected or
                          cancelled, also those from before; 0 takes the limit away. Customers who have more
                          keep them. Without it the limit stays as it is.

To add or take away units use "stock receive", which minds no sales.`,
		Example: `  starter stock set mug 100
  starter stock set mug 80 --if-match '"3"'
  starter stock set drop 500 --limit-per-customer 2`,
		Args: takes("SKU", "ON_HAND"),
		RunE: run(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			onHand, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return usagef("ON_HAND %q is not a whole number", args[1])
			}
			if cmd.Flags().Changed("if-match") && s.ifMatch == "" {
				return usagef("--if-match must not be empty")
			}
			if cmd.Flags().Changed("limit-per-customer") {
				s.limit = &limit
			}
			s.sku, s.onHand = args[0], onHand
			return a.setStock(ctx, s)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&s.ifMatch, "if-match", "", "change only the stock that has this `ETag`")
	flags.Int64Var(&limit, "limit-per-customer", 0, "how many `units` one customer may have; 0 for any number")
	flags.BoolVar(&s.force, "force", false, "overrule what is sold meanwhile")
	cmd.MarkFlagsMutuallyExclusive("if-match", "force")
	timeoutFlag(cmd, &s.timeout, defaultTimeout, "to wait for each answer of the API")
	return cmd
}

func (a *app) setStock(ctx context.Context, s stockSetting) error {
	if err := order.CheckSKU(s.sku); err != nil {
		return invalidInput(err)
	}
	tries := 1
	if s.force {
		tries = forcedTries
	}
	for {
		before, etag, err := a.current(ctx, s)
		if err != nil {
			return err
		}
		ans, err := a.putStock(ctx, s.keeping(before), etag)
		if s.ifMatch != "" {
			before = nil // it need not be what has that ETag
		}
		if tries--; err != nil && changedMeanwhile(ans) {
			if tries > 0 {
				continue
			}
			return a.explainStale(ctx, s, before, err)
		}
		if err != nil {
			return afterWrite(err, "Look with 'stock get "+s.sku+"'.")
		}
		return a.showSetting(ans, s, before)
	}
}

// keeping completes the setting with the limit of the stock that was read, which may be nil: a PUT replaces all of it.
func (s stockSetting) keeping(before *stockDoc) stockSetting {
	switch {
	case s.limit == nil && before != nil:
		s.limit = before.Limit
	case s.limit != nil && *s.limit == 0:
		s.limit = nil
	}
	return s
}

// current reads what is to be changed, unless the caller knows all of it. The stock is nil if there is none, or
// if it was not read; the ETag is the caller's if he gave one, and empty for a new SKU.
func (a *app) current(ctx context.Context, s stockSetting) (*stockDoc, string, error) {
	if s.ifMatch != "" && s.limit != nil {
		return nil, s.ifMatch, nil
	}
	ans, doc, err := a.getStock(ctx, s.sku, s.timeout)
	switch {
	case err != nil && ans.status == http.StatusNotFound && !ans.foreign:
		return nil, s.ifMatch, nil
	case err != nil:
		return nil, "", err
	case s.ifMatch != "":
		return &doc, s.ifMatch, nil
	}
	etag := ans.header.Get("ETag")
	if etag == "" {
		return nil, "", ans.asForeign(stockPath(s.sku), "without an ETag").failure()
	}
	return &doc, etag, nil
}

// putStock writes the setting, whose limit is nil if there is to be none. Without an ETag it creates the SKU, and changes none that is there.
func (a *app) putStock(ctx context.Context, s stockSetting, etag string) (answer, error) {
	r := request{
		method: http.MethodPut, path: stockPath(s.sku), within: s.timeout,
		body: struct {
			OnHand int64  `json:"on_hand"`
			Limit  *int64 `json:"limit_per_customer,omitempty"`
		}{s.onHand, s.limit},
	}
	if etag != "" {
		r.header = map[string]string{"If-Match": etag}
	}
	return a.ask(ctx, r)
}

// changedMeanwhile tells the answers to a PUT that came too late: the stock is another one, or the
// SKU was created by somebody else.
func changedMeanwhile(ans answer) bool {
	return !ans.foreign && (ans.status == http.StatusPreconditionFailed || ans.status == http.StatusPreconditionRequired)
}

// explainStale shows the numbers that came in between.
func (a *app) explainStale(ctx context.Context, s stockSetting, before *stockDoc, cause error) error {
	f, ok := errors.AsType[*failure](cause)
	if !ok {
		return cause
	}
	if before != nil {
		f = f.advisef("%s changed meanwhile; nothing was set. On hand was %d, reserved %d, available %d.",
			s.sku, before.OnHand, before.Reserved, before.Available)
	} else {
		f = f.advisef("%s is not what it was taken for; nothing was set.", s.sku)
	}
	ans, now, err := a.getStock(ctx, s.sku, s.timeout)
	switch {
	case err != nil && ans.status == http.StatusNotFound && !ans.foreign:
		return f.advisef("It does not exist: create it without --if-match.")
	case err != nil:
		return f.advisef("What it is now could not be read: %v", err)
	}
	return f.advisef("It is now: on hand %d, reserved %d, available %d, ETag %s.",
		now.OnHand, now.Reserved, now.Available, ans.header.Get("ETag")).
		advisef("If %d is still right, repeat the command.", s.onHand)
}

func (a *app) showSetting(ans answer, s stockSetting, before *stockDoc) error {
	now, err := readStock(ans, stockPath(s.sku))
	if err != nil {
		return afterWrite(err, "Look with 'stock get "+s.sku+"'.")
	}
	switch {
	case before != nil && before.limit() != now.limit():
		a.sayf("%s: on hand %d → %d, limit per customer %s → %s", s.sku, before.OnHand, now.OnHand, before.limit(), now.limit())
	case before != nil:
		a.sayf("%s: on hand %d → %d", s.sku, before.OnHand, now.OnHand)
	case s.ifMatch != "":
		a.sayf("%s: on hand set to %d", s.sku, now.OnHand)
	default:
		a.sayf("%s: created with %d on hand", s.sku, now.OnHand)
	}
	return a.printStock(ans, now)
}
