package chaos

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"holdfast/devstack/stack"
	"holdfast/devstack/temporalserver"
	"holdfast/payment/sandbox"
	"holdfast/workflows"
)

// helperCommands are what a run starts this executable with, so that the Temporal server and the provider can be killed.
func helperCommands() []*cobra.Command {
	var server temporalserver.Config
	serveTemporal := &cobra.Command{
		Use: temporal, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server.Namespace, server.SearchAttributes, server.Logger = stack.Namespace, workflows.SearchAttributes(), slog.Default()
			s, err := temporalserver.Start(cmd.Context(), server)
			if err != nil {
				return err
			}
			<-cmd.Context().Done()
			s.Stop()
			return nil
		},
	}
	serveTemporal.Flags().StringVar(&server.Dir, "dir", "", "directory of its state")
	serveTemporal.Flags().StringVar(&server.Frontend, "addr", "", "where it listens")

	var bank sandbox.Config
	serveProvider := &cobra.Command{
		Use: provider, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := sandbox.New(bank)
			if err := s.Start(cmd.Context()); err != nil {
				return err
			}
			<-cmd.Context().Done()
			return s.Stop(context.WithoutCancel(cmd.Context()))
		},
	}
	serveProvider.Flags().StringVar(&bank.Journal, "journal", "", "file of its ledger")
	serveProvider.Flags().StringVar(&bank.Addr, "addr", "", "where it listens")
	serveProvider.Flags().StringVar(&bank.WebhookURL, "webhook", "", "URL that is told of decided payments")
	serveProvider.Flags().StringVar(&bank.WebhookSecret, "secret", "", "what signs that")
	return []*cobra.Command{serveTemporal, serveProvider}
}
