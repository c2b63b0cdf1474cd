package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// longest bounds a run: what it writes lies in a temporary directory, and the provider's ledger in memory.
const longest = time.Hour

// Command is `devstack chaos`.
func Command() *cobra.Command {
	var o Options
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Break everything while shoppers buy, and see whether the promises hold",
		Long: `chaos starts redis-server, mariadbd, a Temporal server, the sandbox payment provider, two apis and two workers as processes on
loopback, and lets shoppers buy with every payment method, repeat, hang up and cancel. Meanwhile it kills and pauses processes, cuts
and delays connections, wipes Redis, terminates workflows and makes the provider ill, at random from the seed. Then it waits for
quiet and compares what every shopper was told with the database, the provider's ledger and the audit.

It prints a table and, as the last line, one JSON object. It exits 1 if a promise did not hold, and keeps the logs and the data
then. A seed repeats the faults and what shoppers want; how these meet is up to the machine.`,
		Example: `  devstack chaos
  devstack chaos --seed 7 --duration 10m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Duration < time.Second || o.Duration > longest {
				return fmt.Errorf("--duration %s: must be 1s to %s", o.Duration, longest)
			}
			if o.Seed == 0 {
				o.Seed = 1 + rand.Uint64N(1_000_000) //nolint:gosec // to be repeated, not to be secret
			}
			if o.Executable, err = os.Executable(); err != nil {
				return err
			}
			return Run(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&o.Seed, "seed", 0, "what the faults and the shoppers' wishes follow from; 0 draws one and prints it")
	flags.DurationVar(&o.Duration, "duration", time.Minute, "how long things break, 1s to 1h; waiting for quiet comes on top")
	flags.IntVar(&o.Shoppers, "shoppers", 200, "how many shoppers buy at a time")
	flags.BoolVar(&o.Keep, "keep", false, "keep the logs and the data in any case")
	cmd.AddCommand(helperCommands()...)
	return cmd
}
