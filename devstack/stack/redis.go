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

// tick is how precisely keys expire; the shortest time to live that holdfast sets is 2 s.
const tick = 100 * time.Millisecond

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
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-r.done:
			return
		case now := <-ticker.C:
			r.server.FastForward(now.Sub(last))
			last = now
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
