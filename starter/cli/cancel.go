package cli

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/order"
)

func (a *app) cancelCommand() *cobra.Command {
	var wait, timeout time.Duration
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel an order that is not handed off yet",
		Long: `Cancel an order, pending or confirmed, and wait until its units are back and its charge is reversed. A repeat is
harmless, and waits again.

Exit codes:
  0  the order is cancelled, and nothing is owed any more
  1  error: it is not known whether the order is cancelled; repeat the command
  2  usage, or there is no such order
  3  the order was rejected, or is handed off: it is left as it is
  4  the cancellation goes on: something is still owed`,
		Example: `  starter order cancel ord_aaaaaaaaaaaaaaaaaaaaaaaaaa`,
		Args:    takes("ID"),
		RunE: run(func(ctx context.Context, _ *cobra.Command, args []string) error {
			if wait < 0 || wait > maxWait {
				return usagef("--wait must be 0 to %s: the API waits no longer", maxWait)
			}
			return a.cancelOrder(ctx, args[0], wait, timeout)
		}),
	}
	cmd.Flags().DurationVar(&wait, "wait", 5*time.Second, "how long to wait for the end of the cancellation, at most 30s")
	timeoutFlag(cmd, &timeout, defaultTimeout, "an answer may take beyond --wait")
	return cmd
}

func (a *app) cancelOrder(ctx context.Context, arg string, wait, timeout time.Duration) error {
	id, err := order.ParseID(arg)
	if err != nil {
		return invalidInput(err)
	}
	r := request{
		method: http.MethodPost, path: "/v1/orders/" + string(id) + "/cancel", within: wait + timeout,
		header: map[string]string{"Prefer": preferWait(wait)},
	}
	ans, err := a.send(ctx, r)
	switch {
	case err != nil:
		return asFailure(err)
	case ans.problem != nil:
		f := ans.failure()
		if ans.status == http.StatusConflict {
			f.code = exitRejected
		}
		return f
	}
	doc, err := readOrder(ans, r)
	if err != nil {
		return err
	}
	if err := a.printOrder(ans.body, doc); err != nil {
		return err
	}
	if ans.status != http.StatusOK {
		a.sayf("The cancellation goes on. See it: %s", a.command("order", "get", doc.ID))
		return codeError(exitPending)
	}
	return nil
}

// preferWait asks the API to wait. It takes whole seconds and no others, so they are rounded up.
func preferWait(wait time.Duration) string {
	return "wait=" + strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}
