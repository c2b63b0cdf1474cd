package alerts

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Command is `devstack alerts`.
func Command() *cobra.Command {
	var o Options
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "Make each alert fire, under a real Prometheus",
		Long: `alerts starts redis-server, mariadbd, a Temporal server, Kafka, the sandboxes, an api and a worker as processes on loopback, and a
Prometheus with the alerts' rules, in which a minute is a second. It watches a shop that is well for a while, in which nothing may fire, and then
does what each alert is there for: kills, outages, and what somebody does by hand.

It says what fired and how soon and, as the last line, prints one JSON object. It exits 1 if an alert did not fire. It takes some five minutes.`,
		Example: `  devstack alerts
  devstack alerts --only HoldfastDegraded`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Rules == "" {
				return fmt.Errorf("--rules: say which file")
			}
			return Run(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Rules, "rules", "deploy/prometheus/rules/holdfast.yml", "`file` of the alerts' rules")
	flags.StringSliceVar(&o.Only, "only", nil, "rehearse only these `alerts`, with commas")
	return cmd
}
