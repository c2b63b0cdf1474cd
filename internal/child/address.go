//go:build unix

package child

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreeAddr is a loopback address, HOST:PORT, that nothing listens on at present, for a child to serve at.
// It is taken from below the ports that the system gives to outgoing connections: one of those could hold
// the port when the child is started again.
func FreeAddr(ctx context.Context) (string, error) {
	const low, high, attempts = 20000, 30000, 100
	var lc net.ListenConfig
	var err error
	for range attempts {
		port := low + rand.IntN(high-low) //nolint:gosec // to avoid collisions, not to keep a secret
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}
