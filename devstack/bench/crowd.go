package bench

import (
	"context"
	"fmt"
	"strconv"
)

// crowd is shoppers who place one order after the other, each over a connection of its own.
type crowd struct {
	name    string // begins every Idempotency-Key
	callers []*caller
	bodies  [][]byte
	sent    []int // by each shopper
	want    int   // the status of every answer
	hangUp  func() bool
}

// gather lets shoppers in, who must begin within seconds: the API hangs up on who says nothing. Every order is to be answered with the status want; bodies are taken in turns. The crowd
// ends with leave, and with ctx.
func gather(ctx context.Context, name, addr string, shoppers int, bodies [][]byte, want int) (*crowd, error) {
	c := &crowd{name: name, bodies: bodies, sent: make([]int, shoppers), want: want}
	for range shoppers {
		caller, err := dial(ctx, addr, "/v1/orders")
		if err != nil {
			c.close()
			return nil, fmt.Errorf("connect shopper %d of %d: %w", len(c.callers)+1, shoppers, err)
		}
		c.callers = append(c.callers, caller)
	}
	c.hangUp = context.AfterFunc(ctx, c.close) // who waits for an answer does not look at ctx
	return c, nil
}

// shop has the shopper of that number place its next order.
func (c *crowd) shop(_ context.Context, who int) error {
	n := c.sent[who]
	c.sent[who]++
	key := c.name + "-" + strconv.Itoa(who) + "-" + strconv.Itoa(n)
	status, answer, err := c.callers[who].post(key, c.bodies[(who+n*len(c.callers))%len(c.bodies)])
	if err != nil {
		return fmt.Errorf("order %s: %w", key, err)
	}
	if status != c.want {
		return fmt.Errorf("order %s was answered %d, want %d: %s", key, status, c.want, answer)
	}
	return nil
}

// leave ends all connections. Nobody may be shopping any more.
func (c *crowd) leave() {
	if c.hangUp() {
		c.close()
	}
}

func (c *crowd) close() {
	for _, caller := range c.callers {
		_ = caller.conn.Close() // every answer that counts was read
	}
}
