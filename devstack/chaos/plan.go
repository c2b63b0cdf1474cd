package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A fault is one thing that goes wrong.
type fault struct {
	at     time.Duration // after the beginning
	kind   string
	target string        // a process, or whose connections; empty if the kind says it
	length time.Duration // until it is over; 0 for what is done at once
	amount int           // of what the kind says; 0 if nothing
}

func (f fault) String() string {
	text := f.kind
	if f.target != "" {
		text += " " + f.target
	}
	if f.length > 0 {
		text += " for " + f.length.Round(10*time.Millisecond).String()
	}
	return text
}

// The processes.
const (
	redisServer = "redis"
	mariadb     = "mariadb"
	temporal    = "temporal"
	provider    = "provider"
)

var processes = []string{redisServer, mariadb, temporal, provider, "api-1", "api-2", "worker-1", "worker-2"}

// servers are those of them whose connections go through a proxy.
var servers = []string{redisServer, mariadb, temporal, provider}

// Kinds of faults.
const (
	kill      = "kill"      // with kill -9; started again after the length
	pause     = "pause"     // SIGSTOP until the length is over
	cut       = "cut"       // all connections, once
	delay     = "delay"     // every answer, by the amount of milliseconds
	lose      = "lose"      // connections break after the amount of bytes of answers
	hang      = "hang"      // connections stay open, and no answer comes
	flush     = "flush"     // Redis is wiped
	evict     = "evict"     // Redis has less memory than it needs
	forget    = "forget"    // the amount of Redis's keys, at random
	slow      = "slow"      // the provider answers late, by the amount of milliseconds
	down      = "down"      // the provider cuts every connection
	lossy     = "lossy"     // the provider does what it is asked and cuts the connection
	oblivious = "oblivious" // the provider forgets idempotency keys
	terminate = "terminate" // the amount of running workflows
)

// sort is a sort of fault that may be drawn.
type sort struct {
	kind    string
	targets []string      // one of them; nil for none
	longest time.Duration // 0 if it is done at once
	most    int           // amount; 0 if it has none
	weight  int           // how often it is drawn, compared with the others
}

var kinds = []sort{
	{kill, processes, 2 * time.Second, 0, 6},
	{pause, processes, 4 * time.Second, 0, 4},
	{cut, servers, 0, 0, 3},
	{delay, servers, 4 * time.Second, 300, 2},
	{lose, servers, 2 * time.Second, 4000, 3},
	{hang, servers, 3 * time.Second, 0, 2},
	{flush, nil, 0, 0, 3},
	{evict, nil, 3 * time.Second, 0, 1},
	{forget, nil, 0, 40, 3},
	{slow, nil, 4 * time.Second, 3000, 1},
	{down, nil, 4 * time.Second, 0, 1},
	{lossy, nil, 4 * time.Second, 0, 2},
	{oblivious, nil, 4 * time.Second, 0, 1},
	{terminate, nil, 0, 5, 3},
}

const (
	// pace is the mean time between the beginnings of two faults. Several are under way at most times.
	pace = 1200 * time.Millisecond
	// shortest is the least length of a fault that has one.
	shortest = 200 * time.Millisecond
)

// plan says what goes wrong when. The same seed and duration give the same plan, and all is over when the duration is.
func plan(seed uint64, duration time.Duration) []fault {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be repeated, not to be secret
	var faults []fault
	busy := make(map[string]time.Duration) // until when something is wrong with whom
	for at := pace; at < duration; at += time.Duration((0.2 + 1.6*random.Float64()) * float64(pace)) {
		f := draw(random)
		f.at = at.Round(time.Millisecond)
		if f.at+f.length > duration || f.at < busy[f.subject()] {
			continue
		}
		busy[f.subject()] = f.at + f.length
		faults = append(faults, f)
	}
	return faults
}

// subject is who cannot have two faults at a time.
func (f fault) subject() string {
	switch f.kind {
	case kill, pause:
		return f.target
	case cut, delay, lose, hang:
		return "connections of " + f.target
	case slow, down, lossy, oblivious:
		return "the mode of the provider"
	}
	return f.kind
}

func draw(random *rand.Rand) fault {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := random.IntN(total)
	i := 0
	for ; n >= kinds[i].weight; i++ {
		n -= kinds[i].weight
	}
	k := kinds[i]
	f := fault{kind: k.kind}
	if len(k.targets) > 0 {
		f.target = k.targets[random.IntN(len(k.targets))]
	}
	if k.longest > 0 {
		f.length = shortest + time.Duration(random.Int64N(int64(k.longest-shortest)))
	}
	if k.most > 0 {
		f.amount = 1 + random.IntN(k.most)
	}
	return f
}

// tally counts faults by kind, and where one has a target by that as well.
func tally(faults []fault) map[string]int {
	counts := make(map[string]int)
	for _, f := range faults {
		name := f.kind
		if f.target != "" {
			name = fmt.Sprintf("%s %s", f.kind, f.target)
		}
		counts[name]++
	}
	return counts
}
