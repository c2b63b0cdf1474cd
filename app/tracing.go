package app

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/redis/go-redis/v9"

	"holdfast/orderdb"
	"holdfast/tracing"
)

// openTracing makes the spans' provider if one is wanted and none was given. What it makes is stopped last, so that it has the spans
// of all that stops before.
func (p *platform) openTracing(ctx context.Context, service string) error {
	if p.tracing == nil {
		provider, err := tracing.FromEnv(ctx, service, p.log)
		if err != nil || provider == nil {
			return err
		}
		p.tracing = provider
		p.closers = append(p.closers, provider.Stop)
	}
	p.log = slog.New(tracing.LogHandler(p.log.Handler()))
	return nil
}

// What follows is nil while nobody wants spans, so that nothing is wrapped.

func (p *platform) redisHook() redis.Hook {
	if p.tracing == nil {
		return nil
	}
	return tracing.RedisHook{}
}

func (p *platform) transport(peer string) func(http.RoundTripper) http.RoundTripper {
	if p.tracing == nil {
		return nil
	}
	return func(base http.RoundTripper) http.RoundTripper { return tracing.Transport(peer, base) }
}

func (p *platform) pool(system string) []orderdb.Option {
	if p.tracing == nil {
		return nil
	}
	return []orderdb.Option{orderdb.WithPool(tracing.OpenPool(p.tracing, system))}
}
