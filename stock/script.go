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
func hashTag(sku string) string   { return "{" + sku + "}" }
func stockKey(sku string) string  { return "s:" + hashTag(sku) }
func loaderKey(sku string) string { return "l:" + hashTag(sku) }
func reservationKey(sku string, id order.ID) string {
	return "r:{" + sku + "}" + id.Digest()
}

// call is one run of a script. The epoch, which every script takes first, is not among its arguments.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
}

func (f *Front) reserveCall(o order.Order, line order.Line, fingerprint string) call {
	return call{
		reserveScript,
		[]string{stockKey(line.SKU), reservationKey(line.SKU, o.ID)},
		[]any{line.Quantity, fingerprint, f.cfg.ReservationTTL.Milliseconds(), f.cfg.IdleTTL.Milliseconds(), o.CustomerID},
	}
}

func (f *Front) alignCall(h order.Held, line order.Line, fingerprint string) call {
	from, _ := holdOf(h.Holds, line.SKU)
	return call{
		alignScript,
		[]string{stockKey(line.SKU), reservationKey(line.SKU, h.Order.ID), loaderKey(line.SKU)},
		[]any{fingerprint, line.Quantity, from, f.cfg.ReservationTTL.Milliseconds(), flag(h.New)},
	}
}

func (f *Front) releaseCall(r order.Releasing, line order.Line, fingerprint string) call {
	from, until := holdOf(r.Holds, line.SKU)
	taken := r.Taken && !slices.Contains(r.NotTaken, line.SKU)
	return call{
		releaseScript,
		[]string{stockKey(line.SKU), reservationKey(line.SKU, r.Order.ID), loaderKey(line.SKU)},
		[]any{fingerprint, line.Quantity, f.cfg.ReservationTTL.Milliseconds(), flag(taken), flag(r.Foreign), from, until, r.Order.CustomerID},
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

func (f *Front) loadCall(sku, token, generation string, row order.Available, readIn int64) call {
	return call{
		loadScript,
		[]string{stockKey(sku), loaderKey(sku)},
		[]any{token, generation, row.Version, row.Units, f.cfg.IdleTTL.Milliseconds(), readIn, row.Limit},
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

// failed gives the call's error, which may be that its script said none of the words that it should.
func (r reply) failed(words ...string) error {
	if r.err == nil && !slices.Contains(words, r.text) {
		return order.Failf(order.Transient, "a stock script answered %q", r.text)
	}
	return r.err
}

// maxRounds bounds how often calls are made again because the epoch changed under them.
const maxRounds = 3

// run makes the calls, in one pipeline if nothing comes between. Those that found a count of a later epoch are made
// again in that. The error is errAway, or that the epoch could not be learned: nothing may be known of the
// calls then.
func (f *Front) run(ctx context.Context, calls []call) ([]reply, error) {
	replies := make([]reply, len(calls))
	open := make([]int, len(calls))
	for i := range calls {
		open[i] = i
	}
	for range maxRounds {
		if len(open) == 0 {
			break
		}
		epoch, err := f.admit(ctx)
		if err != nil {
			return nil, err
		}
		f.evaluate(ctx, epoch, calls, replies, open)
		if f.trust.over(epoch) { // the calls dialled, and met a server that was restarted: they trusted what it came with
			open = slices.DeleteFunc(open, func(i int) bool { return replies[i].err != nil })
			continue
		}
		open = slices.DeleteFunc(open, func(i int) bool { return replies[i].text != answerOutdated })
		if len(open) > 0 {
			if err := f.catchUp(ctx, epoch, calls, open); err != nil {
				return nil, err
			}
		}
	}
	return replies, nil
}

// catchUp learns the epoch after some calls found counts of a later one than theirs. If theirs is the one, the order
// database is older than Redis, having been restored: the counts go.
func (f *Front) catchUp(ctx context.Context, epoch int64, calls []call, outdated []int) error {
	now, err := f.trust.reread(ctx, epoch)
	if err != nil || now != epoch {
		return err
	}
	return f.pipe(ctx, calls[outdated[0]].keys[0], func(pipe redis.Pipeliner) {
		for _, i := range outdated {
			pipe.Del(ctx, calls[i].keys[0])
		}
	})
}

// evaluate makes those of the calls that are listed, and those whose script the server does not know yet once more
// with its source: after a restart or a SCRIPT FLUSH, EVALSHA alone would fail for ever.
func (f *Front) evaluate(ctx context.Context, epoch int64, calls []call, replies []reply, which []int) {
	f.pipeline(ctx, epoch, calls, replies, which, (*redis.Script).EvalSha)
	unknown := slices.DeleteFunc(slices.Clone(which), func(i int) bool {
		return replies[i].err == nil || !strings.HasPrefix(replies[i].err.Error(), "NOSCRIPT")
	})
	if len(unknown) > 0 {
		f.pipeline(ctx, epoch, calls, replies, unknown, (*redis.Script).Eval)
	}
}

type evaluate func(s *redis.Script, ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

func (f *Front) pipeline(ctx context.Context, epoch int64, calls []call, replies []reply, which []int, eval evaluate) {
	pipe := f.rdb.Pipeline()
	cmds := make([]*redis.Cmd, len(which))
	for n, i := range which {
		c := calls[i]
		cmds[n] = eval(c.script, ctx, pipe, c.keys, slices.Insert(slices.Clone(c.args), 0, any(epoch))...)
	}
	patience, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	_, _ = pipe.Exec(patience) // each command carries its own error
	best := notReached
	for n, i := range which {
		text, err := cmds[n].Text()
		replies[i] = reply{text: text, err: failure(err)}
		best = max(best, serviceOf(err, text))
	}
	f.note(ctx, best, calls[which[0]].keys[0])
}

// pipe runs plain commands; the first concerns the SKU or key given.
func (f *Front) pipe(ctx context.Context, at string, fill func(redis.Pipeliner)) error {
	if err := f.presence.admit(ctx); err != nil {
		return err
	}
	pipe := f.rdb.Pipeline()
	fill(pipe)
	patience, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	_, err := pipe.Exec(patience)
	f.note(ctx, serviceOf(err, ""), at)
	return failure(err)
}

func (f *Front) note(ctx context.Context, s service, at string) {
	if s <= refused {
		if _, tag, is := strings.Cut(at, "{"); is {
			at = strings.TrimSuffix(tag, "}")
		}
		f.failedAt.Store(hashTag(at))
	}
	f.presence.record(ctx, s)
}

// serviceOf tells how far Redis served a command.
func serviceOf(err error, text string) service {
	switch {
	case err != nil && !unserved(err):
		return readOnly
	case err != nil && errors.As(err, new(redis.Error)):
		return refused
	case err != nil:
		return notReached
	case text == answerReserved, text == answerReleased, text == answerTaken:
		return written
	}
	return readOnly
}

// unserved tells errors that say something of Redis as a whole: it was not reached, or it is in a state, such as
// full or a replica, in which it refuses us. The rest come from within our scripts.
func unserved(err error) bool {
	if _, refused := errors.AsType[redis.Error](err); !refused {
		return err != nil
	}
	text := err.Error()
	return !strings.HasPrefix(text, "NOSCRIPT") && !strings.HasPrefix(text, "WRONGTYPE") &&
		(!strings.HasPrefix(text, "ERR ") || strings.Contains(text, "can't run this command") || strings.Contains(text, "OOM"))
}

// failure gives a Redis error its class. A refused connection and a refused command had no effect;
// anything else may have been lost on its way back.
func failure(err error) error {
	var refused redis.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused), errors.Is(err, syscall.ECONNREFUSED), errors.As(err, new(*net.DNSError)), errors.Is(err, redis.ErrPoolTimeout):
		return order.Failf(order.Transient, "%w", err)
	}
	return order.Failf(order.Unknown, "%w", err)
}
