package stock

import (
	"context"
	_ "embed"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"holdfast/order"
)

var (
	//go:embed scripts/count.lua
	countSource string
	//go:embed scripts/reserve.lua
	reserveSource string
	//go:embed scripts/align.lua
	alignSource string
	//go:embed scripts/release.lua
	releaseSource string
	//go:embed scripts/take.lua
	takeSource string
	//go:embed scripts/load.lua
	loadSource string

	reserveScript = redis.NewScript(countSource + reserveSource)
	alignScript   = redis.NewScript(countSource + alignSource)
	releaseScript = redis.NewScript(countSource + releaseSource)
	takeScript    = redis.NewScript(countSource + takeSource)
	loadScript    = redis.NewScript(countSource + loadSource)
)

// All keys of a SKU share its hash tag, so that one script may touch them on Redis Cluster.
func stockKey(sku string) string  { return "s:{" + sku + "}" }
func loaderKey(sku string) string { return "l:{" + sku + "}" }
func reservationKey(sku string, id order.ID) string {
	return "r:{" + sku + "}" + id.Digest()
}

// call is one run of a script. The epoch, which every script takes first, is not among its arguments.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
}

func (f *Front) reserveCall(id order.ID, line order.Line, fingerprint string) call {
	return call{
		reserveScript,
		[]string{stockKey(line.SKU), reservationKey(line.SKU, id)},
		[]any{line.Quantity, fingerprint, f.cfg.ReservationTTL.Milliseconds(), f.cfg.IdleTTL.Milliseconds()},
	}
}

func (f *Front) alignCall(h order.Held, line order.Line, fingerprint string) call {
	from, _ := holdOf(h.Holds, line.SKU)
	return call{
		alignScript,
		[]string{stockKey(line.SKU), reservationKey(line.SKU, h.Order.ID), loaderKey(line.SKU)},
		[]any{fingerprint, line.Quantity, from, f.cfg.ReservationTTL.Milliseconds()},
	}
}

func (f *Front) releaseCall(r order.Releasing, line order.Line, fingerprint string) call {
	from, until := holdOf(r.Holds, line.SKU)
	return call{
		releaseScript,
		[]string{stockKey(line.SKU), reservationKey(line.SKU, r.Order.ID), loaderKey(line.SKU)},
		[]any{fingerprint, line.Quantity, f.cfg.ReservationTTL.Milliseconds(), flag(r.Taken), flag(r.Foreign), from, until},
	}
}

// holdOf gives the hold of a SKU as the scripts take it: "" for what did not happen, or is not known.
func holdOf(holds []order.Hold, sku string) (from, until any) {
	at := slices.IndexFunc(holds, func(h order.Hold) bool { return h.SKU == sku })
	switch {
	case at < 0:
		return "", ""
	case holds[at].Until == 0:
		return holds[at].From, ""
	}
	return holds[at].From, holds[at].Until
}

func takeCall(sku, token string) call {
	return call{takeScript, []string{stockKey(sku), loaderKey(sku)}, []any{token, loaderTTL.Milliseconds()}}
}

func (f *Front) loadCall(sku, token, generation string, row order.Available) call {
	return call{
		loadScript,
		[]string{stockKey(sku), loaderKey(sku)},
		[]any{token, generation, row.Version, row.Units, f.cfg.IdleTTL.Milliseconds()},
	}
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

// run makes the calls, in one pipeline if nothing comes between. Calls whose script the server does not
// know yet are made once more with its source: after a restart or a SCRIPT FLUSH, EVALSHA alone would fail
// for ever. Those that found a count of a later epoch are made once more in that. The error is errAway, or
// that the epoch could not be learned: nothing may be known of the calls then.
func (f *Front) run(ctx context.Context, calls []call) ([]reply, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	epoch, err := f.trust.admit(ctx)
	if err != nil {
		return nil, err
	}
	replies := f.pipeline(ctx, epoch, calls, (*redis.Script).EvalSha)
	f.repeat(replies, calls, func(r reply) bool { return r.err != nil && strings.HasPrefix(r.err.Error(), "NOSCRIPT") },
		func(calls []call) []reply { return f.pipeline(ctx, epoch, calls, (*redis.Script).Eval) })
	f.repeat(replies, calls, func(r reply) bool { return r.text == answerOutdated }, func(calls []call) []reply {
		if err = f.trust.outdated(ctx, epoch); err == nil {
			epoch, err = f.trust.admit(ctx)
		}
		if err != nil {
			return make([]reply, len(calls))
		}
		return f.pipeline(ctx, epoch, calls, (*redis.Script).EvalSha)
	})
	return replies, err
}

// repeat makes those calls again whose replies ask for it.
func (f *Front) repeat(replies []reply, calls []call, asks func(reply) bool, again func([]call) []reply) {
	var at []int
	var repeated []call
	for i, r := range replies {
		if asks(r) {
			at, repeated = append(at, i), append(repeated, calls[i])
		}
	}
	if len(at) == 0 {
		return
	}
	for i, r := range again(repeated) {
		replies[at[i]] = r
	}
}

type evaluate func(s *redis.Script, ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

func (f *Front) pipeline(ctx context.Context, epoch int64, calls []call, eval evaluate) []reply {
	pipe := f.rdb.Pipeline()
	cmds := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		cmds[i] = eval(c.script, ctx, pipe, c.keys, slices.Insert(slices.Clone(c.args), 0, any(epoch))...)
	}
	_, _ = pipe.Exec(ctx) // each command carries its own error
	var served error
	replies := make([]reply, len(calls))
	for i, cmd := range cmds {
		text, err := cmd.Text()
		replies[i] = reply{text: text, err: failure(err)}
		if i == 0 || !unserved(err) {
			served = err
		}
	}
	f.note(ctx, served)
	return replies
}

// pipe runs plain commands.
func (f *Front) pipe(ctx context.Context, fill func(redis.Pipeliner)) error {
	if _, err := f.trust.admit(ctx); err != nil {
		return err
	}
	pipe := f.rdb.Pipeline()
	fill(pipe)
	_, err := pipe.Exec(ctx)
	f.note(ctx, err)
	return failure(err)
}

// note tells the breaker whether Redis served a pipeline: it did if it served any command.
func (f *Front) note(ctx context.Context, err error) {
	if !unserved(err) {
		err = nil
	}
	f.trust.record(ctx, err)
}

// unserved tells errors that say something of Redis as a whole: it was not reached, or it is in a state in
// which it serves nothing that reserves. The words are those of Redis itself.
func unserved(err error) bool {
	var refused redis.Error
	if err == nil || !errors.As(err, &refused) {
		return err != nil
	}
	for _, state := range []string{"OOM ", "LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "MISCONF ", "NOREPLICAS ", "NOAUTH ", "WRONGPASS "} {
		if strings.HasPrefix(refused.Error(), state) {
			return true
		}
	}
	return false
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
