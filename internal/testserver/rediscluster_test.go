//go:build unix

package testserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestRedisClusterServesKeysOfAllItsMasters(t *testing.T) {
	c := RedisCluster(t)
	rdb := universalClient(t, c)
	const keys = 60
	for i := range keys {
		if err := rdb.Set(t.Context(), fmt.Sprint("key-", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keys {
		if got, err := rdb.Get(t.Context(), fmt.Sprint("key-", i)).Int(); err != nil || got != i {
			t.Errorf("key-%d is %d, error %v", i, got, err)
		}
	}
	total := 0
	for _, s := range c.Nodes {
		var n int
		if _, err := fmt.Sscanf(ask(t, s.Addr(), "DBSIZE"), ":%d", &n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			t.Errorf("the master at %s holds no key", s.Addr())
		}
		total += n
	}
	if total != keys {
		t.Errorf("the masters hold %d keys, want %d", total, keys)
	}
}

func TestAKilledClusterNodeRejoins(t *testing.T) {
	c := RedisCluster(t)
	rdb := universalClient(t, c)
	for i, tc := range []struct {
		name   string
		before func() // between kill and restart
	}{
		{"at once", func() {}},
		{"after it was found dead", func() { wantState(t, c.Nodes[0].Addr(), "fail") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			node := c.Nodes[i+1]
			key := keyOf(t, node)
			addr, pid, id := node.Addr(), node.Pid(), nodeID(t, node)

			node.Kill()
			hasty, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := c.Wait(hasty); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), addr) {
				t.Errorf("Wait for a killed node: %v, want a time-out that names %s", err, addr)
			}
			tc.before()
			restart(t, node)
			if err := c.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}

			if node.Addr() != addr || nodeID(t, node) != id {
				t.Errorf("restarted as node %s at %s, want %s at %s", nodeID(t, node), node.Addr(), id, addr)
			}
			if node.Pid() == pid {
				t.Error("restarted without a new process")
			}
			if err := rdb.Set(t.Context(), key, "v", 0).Err(); err != nil {
				t.Error(err)
			}
			if got := ask(t, addr, "GET "+key); got != "$1" {
				t.Errorf("GET %s of the restarted node answered %q", key, got)
			}
		})
	}
}

// universalClient is a client that is told all nodes, and more patient than a busy machine is slow.
func universalClient(t *testing.T, c *Cluster) redis.UniversalClient {
	t.Helper()
	const patience = 30 * time.Second
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: c.Addrs(), DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
	})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// keyOf is a key in one of the node's slots: the others answer with a redirection.
func keyOf(t *testing.T, s *Server) string {
	t.Helper()
	for i := range 1000 {
		key := fmt.Sprint("key-", i)
		if ask(t, s.Addr(), "SET "+key+" v") == "+OK" {
			return key
		}
	}
	t.Fatalf("no key belongs to %s", s.Addr())
	return ""
}

func nodeID(t *testing.T, s *Server) string {
	t.Helper()
	answer, err := say(t.Context(), s.Addr(), "CLUSTER MYID")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(answer, "\r\n")[1] // after the length
}

func wantState(t *testing.T, addr, state string) {
	t.Helper()
	var info string
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline); time.Sleep(clusterInterval) {
		var err error
		if info, err = say(t.Context(), addr, "CLUSTER INFO"); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info, "cluster_state:"+state+"\r\n") {
			return
		}
	}
	t.Fatalf("the cluster's state is not %q:\n%s", state, info)
}
