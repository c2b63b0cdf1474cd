package cli

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"
)

// temporalOptions are what TEMPORAL_* say, as Temporal's own programs read them.
func (a *app) temporalOptions() (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: a.environ})
	if err != nil {
		return client.Options{}, usagef("TEMPORAL_*: %v", err)
	}
	options.Namespace = cmp.Or(options.Namespace, defaultNamespace)
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) // errors are returned
	return options, nil
}

// namespace is the Temporal namespace that orders are placed in, as far as this program can know.
func (a *app) namespace() string {
	options, err := a.temporalOptions()
	if err != nil {
		return defaultNamespace
	}
	return options.Namespace
}

// dialTemporal connects to Temporal; the caller closes the client.
func (a *app) dialTemporal(ctx context.Context, timeout time.Duration) (client.Client, string, error) {
	options, err := a.temporalOptions()
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	temporal, err := a.dial(ctx, options)
	if err != nil {
		return nil, "", errorf("unreachable", "Not reachable", "cannot reach Temporal at %s: %v",
			cmp.Or(options.HostPort, client.DefaultHostPort), err).
			advisef("Is it running? Its address comes from TEMPORAL_ADDRESS.")
	}
	return temporal, options.Namespace, nil
}
