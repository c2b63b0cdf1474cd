package stack

import (
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisServer is miniredis with a clock: its keys age only when it is told so.
type redisServer struct {
	server  *miniredis.Miniredis
	done    chan struct{}
	stopped chan struct{}
}

// Keys expire as precisely as a tick; the shortest time to live that holdfast sets is 2 s. A tick sorts all keys, so that with
// many of them ticks are rarer: they take a twentieth of the time at most.
const (
	shortestTick = 100 * time.Millisecond
	longestTick  = time.Second
	tickShare    = 20
)

func startRedis() (*redisServer, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, err
	}
	r := &redisServer{server: server, done: make(chan struct{}), stopped: make(chan struct{})}
	go r.age()
	return r, nil
}

func (r *redisServer) age() {
	defer close(r.stopped)
	timer := time.NewTimer(shortestTick)
	defer timer.Stop()
	last := time.Now()
	for {
		select {
		case <-r.done:
			return
		case <-timer.C:
			now := time.Now()
			r.server.FastForward(now.Sub(last))
			last = now
			timer.Reset(min(max(tickShare*time.Since(now), shortestTick), longestTick))
		}
	}
}

func (r *redisServer) addr() string { return r.server.Addr() }

func (r *redisServer) wipe() { r.server.FlushAll() }

func (r *redisServer) stop() error {
	close(r.done)
	<-r.stopped
	r.server.Close()
	return nil
}
