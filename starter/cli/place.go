package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/order"
)

// maxWait is the longest that the API waits for the end of an order.
const maxWait = 30 * time.Second

// placement is what "order place" was asked to place, and how.
type placement struct {
	body      orderBody
	rawLines  []string
	key       string
	wait      time.Duration // for the order's end
	timeout   time.Duration // for an answer, beyond wait
	direct    bool
	joined    bool // the workflow was there before
	taskQueue string
	// again is the command that repeats this one with the same key.
	again string
}

// orderBody is the body of POST /v1/orders.
type orderBody struct {
	CustomerID    string       `json:"customer_id"`
	Currency      string       `json:"currency"`
	PaymentMethod string       `json:"payment_method"`
	Lines         []order.Line `json:"lines"`
}

// id is the id of the order, which customer and key make.
func (p *placement) id() order.ID { return order.NewID(p.body.CustomerID, p.key) }

func (a *app) placeCommand() *cobra.Command {
	var p placement
	cmd := &cobra.Command{
		Use:   "place",
		Short: "Place an order and wait for its end",
		Long: `Place an order and wait for its end.

Prices are in minor units of the currency: 1999 is 19.99 in EUR, 1999 in JPY, 1.999 in KWD.

The key makes the order one: the same customer and key never place two. It is random unless given,
and printed before anything is sent, so that the command can be repeated with it.

While the API cannot be reached or answers 502, 503 or 504, the request is repeated with the same key,
with growing pauses and only as long as --wait lasts; --wait 0 repeats nothing. Whatever else is
answered is final for this command. If it ends without knowing what became of the order it says so,
and prints the command that finds out: itself, with the same key.

With --direct the workflow is started through Temporal and not through the API, for operators: the API
may be down, a worker must run. The environment (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...) says where.

` + exitCodesHelp,
		Example: `  starter order place --customer c-17 --currency EUR --payment-method tok_ok --line mug:2:1999
  starter order place --customer c-17 --currency EUR --payment-method tok_ok \
      --line mug:2:1999 --line hat:1:2450 --key checkout-4711 --wait 10s
  starter order place --direct --customer c-17 --currency EUR --payment-method tok_ok --line mug:1:1999`,
		Args: takes(),
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error { return a.place(ctx, cmd, &p) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&p.body.CustomerID, "customer", "", "customer `id`")
	flags.StringVar(&p.body.Currency, "currency", "", "ISO 4217 `code` such as EUR")
	flags.StringVar(&p.body.PaymentMethod, "payment-method", "", "the payment provider's `token`, such as tok_ok")
	flags.StringArrayVar(&p.rawLines, "line", nil, "`SKU:QUANTITY:PRICE`, the unit price in minor units; may be repeated")
	flags.StringVar(&p.key, "key", "", "the order's `key` (Idempotency-Key); random if not given")
	flags.DurationVar(&p.wait, "wait", 5*time.Second, "how long to wait for the order's end; through the API at most 30s")
	flags.BoolVar(&p.direct, "direct", false, "start the workflow through Temporal, not through the API")
	flags.StringVar(&p.taskQueue, "task-queue", "", "with --direct: the workers' task `queue` ("+envTaskQueue+", else "+defaultTaskQueue+")")
	timeoutFlag(cmd, &p.timeout, defaultTimeout, "an answer may take beyond --wait")
	for _, name := range []string{"customer", "currency", "payment-method", "line"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

func (a *app) place(ctx context.Context, cmd *cobra.Command, p *placement) error {
	if err := p.check(cmd); err != nil {
		return err
	}
	random := p.key == ""
	if random {
		p.key = rand.Text()
	}
	p.again = a.commandLine(cmd, "key", p.key)
	if random {
		a.sayf("key: %s", p.key)
	}
	if p.direct {
		p.taskQueue = cmp.Or(p.taskQueue, a.environ.get(envTaskQueue), defaultTaskQueue)
		return a.placeDirect(ctx, p)
	}
	return a.placeByAPI(ctx, p)
}

// check reads the flags as far as they are this command's matter; what an order may be is the API's.
func (p *placement) check(cmd *cobra.Command) error {
	switch {
	case p.wait < 0:
		return usagef("--wait must not be negative")
	case !p.direct && p.wait > maxWait:
		return usagef("--wait must be at most %s: the API waits no longer", maxWait)
	case p.direct && cmd.Flags().Changed("api"):
		return usagef("--direct does not use the API: leave out --api")
	case !p.direct && cmd.Flags().Changed("task-queue"):
		return usagef("--task-queue is for --direct alone")
	case cmd.Flags().Changed("key") && p.key == "":
		return usagef("--key must not be empty; leave it out for a random one")
	}
	p.body.Lines = nil
	for _, raw := range p.rawLines {
		line, err := parseLine(raw)
		if err != nil {
			return err
		}
		p.body.Lines = append(p.body.Lines, line)
	}
	return nil
}

// parseLine reads SKU:QUANTITY:PRICE. No SKU has a colon.
func parseLine(raw string) (order.Line, error) {
	parts := strings.Split(raw, ":")
	if len(parts) != 3 {
		return order.Line{}, usagef("--line %q must be SKU:QUANTITY:PRICE, such as mug:2:1999", raw)
	}
	quantity, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return order.Line{}, usagef("--line %q: the quantity %q is not a whole number", raw, parts[1])
	}
	price, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return order.Line{}, usagef("--line %q: the price %q is not a whole number of minor units, such as 1999 for 19.99 EUR", raw, parts[2])
	}
	return order.Line{SKU: parts[0], Quantity: quantity, UnitPrice: price}, nil
}

// outcomeUnknown adds to a failure after which nobody knows what became of the order.
func (p *placement) outcomeUnknown(f *failure) *failure {
	f.code = exitError
	return f.
		advisef("THE OUTCOME IS NOT KNOWN: the order %s may or may not have been placed.", p.id()).
		advisef("It is safe to repeat it with the same key, which never places it twice:").
		advisef("  %s", p.again)
}

// nothingStarted adds to a failure before which nothing was sent.
func (p *placement) nothingStarted(f *failure) *failure {
	return f.
		advisef("This command started nothing. To try again:").
		advisef("  %s", p.again)
}

// codeOf gives the exit code for an order that has the status, and was printed.
func (a *app) codeOf(status order.Status) error {
	switch status {
	case order.Confirmed, order.HandedOff:
		return nil
	case order.Rejected, order.Cancelled:
		return codeError(exitRejected)
	case order.Pending:
		return codeError(exitPending)
	}
	a.sayf("This version of starter does not know the status %q.", status)
	return codeError(exitError)
}
