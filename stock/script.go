package stock

import (
	"context"
	_ "embed"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"holdfast/order"
)

var (
	//go:embed scripts/reserve.lua
	reserveSource string
	//go:embed scripts/release.lua
	releaseSource string
	//go:embed scripts/verify.lua
	verifySource string
	//go:embed scripts/take.lua
	takeSource string
	//go:embed scripts/load.lua
	loadSource string

	reserveScript = redis.NewScript(reserveSource)
	releaseScript = redis.NewScript(releaseSource)
	verifyScript  = redis.NewScript(verifySource)
	takeScript    = redis.NewScript(takeSource)
	loadScript    = redis.NewScript(loadSource)
)

// All keys of a SKU share its hash tag, so that one script may touch them on Redis Cluster.
func stockKey(sku string) string  { return "s:{" + sku + "}" }
func loaderKey(sku string) string { return "l:{" + sku + "}" }
func reservationKey(sku string, id order.ID) string {
	return "r:{" + sku + "}" + id.Digest()
}

// call is one run of a script.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
}

func (f *Front) reserveCall(id order.ID, line order.Line, fingerprint string) call {
	return call{
		reserveScript,
		[]string{stockKey(line.SKU), reservationKey(line.SKU, id)},
		[]any{strconv.FormatInt(line.Quantity, 10), fingerprint, f.cfg.ReservationTTL.Milliseconds(), f.cfg.IdleTTL.Milliseconds()},
	}
}

func (f *Front) releaseCall(r order.Releasing, sku, fingerprint string) call {
	return call{
		releaseScript,
		[]string{stockKey(sku), reservationKey(sku, r.Order.ID), loaderKey(sku)},
		[]any{fingerprint, f.cfg.ReservationTTL.Milliseconds(), flag(r.Taken), flag(r.Foreign)},
	}
}

func verifyCall(id order.ID, sku, fingerprint string) call {
	return call{verifyScript, []string{stockKey(sku), reservationKey(sku, id), loaderKey(sku)}, []any{fingerprint}}
}

// flag is how the scripts are told of a bool.
func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

type reply struct {
	text string
	err  error // an *order.Failure
}

// run sends the calls in one pipeline, and those whose script the server does not know yet once more
// with its source: after a restart or a SCRIPT FLUSH, EVALSHA alone would fail for ever.
func (f *Front) run(ctx context.Context, calls []call) []reply {
	replies := f.pipeline(ctx, calls, (*redis.Script).EvalSha)
	var again []int
	for i, r := range replies {
		if r.err != nil && strings.HasPrefix(r.err.Error(), "NOSCRIPT") {
			again = append(again, i)
		}
	}
	if len(again) == 0 {
		return replies
	}
	retried := make([]call, len(again))
	for i, at := range again {
		retried[i] = calls[at]
	}
	for i, r := range f.pipeline(ctx, retried, (*redis.Script).Eval) {
		replies[again[i]] = r
	}
	return replies
}

type evaluate func(s *redis.Script, ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

func (f *Front) pipeline(ctx context.Context, calls []call, eval evaluate) []reply {
	pipe := f.rdb.Pipeline()
	cmds := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		cmds[i] = eval(c.script, ctx, pipe, c.keys, c.args...)
	}
	_, _ = pipe.Exec(ctx) // each command carries its own error
	replies := make([]reply, len(calls))
	for i, cmd := range cmds {
		text, err := cmd.Text()
		replies[i] = reply{text: text, err: failure(err)}
	}
	return replies
}

// failure gives a Redis error its class. A refused connection and a refused command had no effect;
// anything else may have been lost on its way back.
func failure(err error) error {
	var refused redis.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused), errors.Is(err, syscall.ECONNREFUSED), errors.As(err, new(*net.DNSError)):
		return order.Failf(order.Transient, "%w", err)
	}
	return order.Failf(order.Unknown, "%w", err)
}
