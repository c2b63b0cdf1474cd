//go:build unix

package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/child"
)

const (
	clusterMasters = 3
	clusterSlots   = 16384 // Redis's own number
	// clusterNodeTimeout is how long a node may be silent before the others take it for dead. Tests wait for that;
	// much less, and a machine that compiles something large at the same time would lose nodes that are well.
	clusterNodeTimeout = 2 * time.Second
	// clusterInterval is short beside the two seconds that a master waits after each start before it serves.
	clusterInterval = 20 * time.Millisecond
	// answerTimeout is for a node that is paused: Wait asks it again.
	answerTimeout = 5 * time.Second
)

// Cluster is a Redis Cluster of three masters without replicas. As long as one of them is gone, so is a third of
// the slots, and once the others have noticed, after two seconds and a little, they refuse every key.
type Cluster struct {
	// Nodes are the masters in the order of their slots, each with a third of them. Their Restart returns before
	// the node has rejoined, see Wait. Unless told to persist, a killed one forgets its keys, never its slots.
	Nodes []*Server

	busPorts []string // of Nodes, where they talk to each other
}

// RedisCluster starts a Cluster for this test alone, and kills it when the test ends. It takes more than two seconds.
// The args, which may not set a password, go to each node, see StartRedis. Without a redis-server the test is
// skipped, or fails if HOLDFAST_REQUIRE_SERVERS is 1.
func RedisCluster(tb testing.TB, args ...string) *Cluster {
	tb.Helper()
	c := &Cluster{}
	for i := range clusterMasters {
		s, busPort, err := startClusterNode(tb.Context(), tb.TempDir(), args)
		require(tb, err)
		killAtEnd(tb, s)
		require(tb, addSlots(tb.Context(), s.Addr(), i*clusterSlots/clusterMasters, (i+1)*clusterSlots/clusterMasters))
		c.Nodes, c.busPorts = append(c.Nodes, s), append(c.busPorts, busPort)
	}
	require(tb, c.Wait(tb.Context()))
	return c
}

// Addrs are the HOST:PORT of the nodes, in their order.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, 0, len(c.Nodes))
	for _, s := range c.Nodes {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Wait returns once every node serves, knows the three masters and takes none of them for dead. It gives up after
// a minute, or when ctx ends.
func (c *Cluster) Wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(clusterInterval)
	defer tick.Stop()
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redis cluster: not ready (%w), last answer: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// ready is nil if the cluster is whole in the eyes of each node. A node that knows too few is introduced to the
// others, each time, since Redis forgets a handshake that took longer than the node timeout.
func (c *Cluster) ready(ctx context.Context) error {
	for i, s := range c.Nodes {
		info, err := say(ctx, s.Addr(), "CLUSTER INFO")
		if err != nil {
			return err
		}
		// Handshakes count as nodes: more than three become three.
		if field(info, "cluster_known_nodes") < clusterMasters {
			if err := c.introduce(ctx, i); err != nil {
				return err
			}
		}
		if !strings.Contains(info, "cluster_state:ok\r\n") ||
			field(info, "cluster_slots_ok") != clusterSlots ||
			field(info, "cluster_known_nodes") != clusterMasters ||
			field(info, "cluster_size") != clusterMasters { // masters that have slots
			return fmt.Errorf("node %s: %s", s.Addr(), strings.ReplaceAll(info, "\r\n", " "))
		}
	}
	return nil
}

// introduce has one node meet the others, which is harmless if it knows them.
func (c *Cluster) introduce(ctx context.Context, node int) error {
	for i, other := range c.Nodes {
		if i == node {
			continue
		}
		host, port, _ := net.SplitHostPort(other.Addr()) // of our own making
		meet := strings.Join([]string{"CLUSTER", "MEET", host, port, c.busPorts[i]}, " ")
		if _, err := say(ctx, c.Nodes[node].Addr(), meet); err != nil {
			return err
		}
	}
	return nil
}

// startClusterNode starts a node that knows no other. Its own view of the cluster is in dir, so that it rejoins.
func startClusterNode(ctx context.Context, dir string, args []string) (s *Server, busPort string, err error) {
	timeout := strconv.FormatInt(clusterNodeTimeout.Milliseconds(), 10)
	args = append([]string{"--cluster-node-timeout", timeout}, args...)
	args = append(args, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
	for range startAttempts {
		var bus string
		if bus, err = child.FreeAddr(ctx); err != nil {
			return nil, "", err
		}
		_, busPort, _ = net.SplitHostPort(bus) // of our own making
		s, err = StartRedis(ctx, dir, append(args, "--cluster-port", busPort)...)
		if err == nil {
			return s, busPort, nil
		}
		if strings.Contains(err.Error(), "'cluster-port") { // as redis-server quotes what it does not know
			return startOldClusterNode(ctx, dir, args)
		}
		if ctx.Err() != nil || !strings.Contains(strings.ToLower(err.Error()), "address already in use") {
			break
		}
	}
	return nil, "", err
}

// startOldClusterNode is for Redis before 7.0, where the bus is always 10000 above the port.
func startOldClusterNode(ctx context.Context, dir string, args []string) (s *Server, busPort string, err error) {
	if s, err = StartRedis(ctx, dir, args...); err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(s.Addr()) // of our own making
	n, _ := strconv.Atoi(port)
	return s, strconv.Itoa(n + 10000), nil
}

// addSlots gives a node the slots from one up to, but not including, another. ADDSLOTSRANGE would need Redis 7.0.
func addSlots(ctx context.Context, addr string, from, to int) error {
	var command strings.Builder
	command.WriteString("CLUSTER ADDSLOTS")
	for slot := from; slot < to; slot++ {
		fmt.Fprintf(&command, " %d", slot)
	}
	_, err := say(ctx, addr, command.String())
	return err
}

// field is a number in the answer to CLUSTER INFO, or -1.
func field(info, name string) int {
	_, rest, _ := strings.Cut(info, name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.Atoi(value)
	if err != nil {
		return -1
	}
	return n
}

// say sends one inline command over a bare connection, for redisReady's reason, and returns what came back for it
// and for the QUIT behind it.
func say(ctx context.Context, addr, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, command+"\r\nQUIT\r\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	if len(answer) == 0 || answer[0] == '-' {
		return "", errors.New(addr + ": " + strings.TrimSpace(string(answer)))
	}
	return string(answer), nil
}
