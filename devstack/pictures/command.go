package pictures

import "github.com/spf13/cobra"

// Command is `devstack pictures`.
func Command() *cobra.Command {
	var o Options
	cmd := &cobra.Command{
		Use:   "pictures",
		Short: "Take the pictures of the README",
		Long: `pictures plays a sale with trouble in it on a stack of its own, under a real Prometheus, draws what the dashboards show of it, and
photographs Temporal's Web UI in a headless browser. It needs redis-server, prometheus and chromium, and takes two minutes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return Run(cmd.Context(), o, cmd.ErrOrStderr()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Out, "out", "docs/pictures", "`folder` of the pictures")
	flags.StringVar(&o.Dashboards, "dashboards", "deploy/grafana/dashboards", "`folder` of the dashboards")
	flags.StringVar(&o.Rules, "rules", "deploy/prometheus/rules/holdfast.yml", "`file` of Prometheus' rules")
	return cmd
}
