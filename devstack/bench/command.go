package bench

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Command is `devstack bench`.
func Command() *cobra.Command {
	o := Options{Slice: slice, Levels: []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000}}
	var list strings.Builder
	for _, s := range scenarios {
		fmt.Fprintf(&list, "  %-10s %s\n", s.name, s.what)
	}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of orders against yardsticks that run beside them",
		Long: `bench starts redis-server and mariadbd on free ports with their data in a temporary directory, and on them
the stack of "devstack". It measures each figure as a ratio to a yardstick, both in turns, and audits the books after each
scenario. It prints a table and, as the last line, one JSON object; it exits 1 if the books do not balance or an answer was
not the expected one. Progress goes to stderr.

Scenarios:
` + list.String(),
		Example: `  devstack bench
  devstack bench --only hot --duration 2s --repetitions 3
  devstack bench --only soak --orders 300000
  devstack bench --only hot --set HOLDFAST_IN_FLIGHT=4`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return Run(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Only, "only", nil, "run only these scenarios: NAME[,NAME...]")
	flags.DurationVar(&o.Duration, "duration", 4*time.Second, "how long each side of a comparison takes its turn")
	flags.IntVar(&o.Repetitions, "repetitions", 5, "how many turns each side has")
	flags.IntVar(&o.Shoppers, "shoppers", 2000, "how many orders are under way at once")
	flags.IntVar(&o.Orders, "orders", 240_000, "how many orders the soak places")
	flags.StringVar(&o.CSV, "csv", "", "file to write the sweep's figures to")
	flags.StringVar(&o.SVG, "svg", "", "file to draw the sweep to")
	flags.StringToStringVar(&o.Settings, "set", nil, "variable of api and worker to try, HOLDFAST_...=VALUE; may be given again")
	flags.BoolVar(&o.Embedded, "embedded", false, "take the embedded Redis and database even if real ones are installed")
	return cmd
}
