package stack

import (
	"context"
	"fmt"
	"net"
)

// portsFree names the flag of the first address that cannot be listened on, before anything is
// started.
func (c Config) portsFree(ctx context.Context) error {
	addresses := []struct{ flag, addr string }{{"--gateway", c.Gateway}}
	if c.Warehouse != "" {
		addresses = append(addresses, struct{ flag, addr string }{"--warehouse", c.Warehouse})
	}
	if c.Kafka != "" {
		addresses = append(addresses, struct{ flag, addr string }{"--kafka", c.Kafka})
	}
	if c.TemporalAddress == "" {
		addresses = append(addresses, struct{ flag, addr string }{"--temporal", c.Temporal}, struct{ flag, addr string }{"--ui", c.UI})
	}
	if !c.InfraOnly {
		addresses = append(addresses, struct{ flag, addr string }{"--api", c.API})
	}
	for _, a := range addresses {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.addr)
		if err != nil {
			return fmt.Errorf("cannot listen on %s: %w; choose another address with %s HOST:PORT", a.addr, err, a.flag)
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}

// TemporalAddr is the Temporal frontend in use, HOST:PORT.
func (s *Stack) TemporalAddr() string {
	if s.temporal == nil {
		return s.cfg.TemporalAddress
	}
	return s.temporal.Addr()
}

// RedisAddr is the Redis in use, HOST:PORT.
func (s *Stack) RedisAddr() string {
	if s.redis == nil {
		return s.cfg.Redis
	}
	return s.redis.addr()
}

// UIURL is the Temporal Web UI, "" if a real Temporal is used.
func (s *Stack) UIURL() string {
	if s.temporal == nil {
		return ""
	}
	return s.temporal.UIURL()
}

// GatewayURL is the sandbox payment provider.
func (s *Stack) GatewayURL() string { return s.gateway.URL() }

// WarehouseURL is the sandbox warehouse.
func (s *Stack) WarehouseURL() string { return s.store.URL() }

// APIURL is the HTTP API, "" with InfraOnly.
func (s *Stack) APIURL() string {
	if s.api == nil {
		return ""
	}
	return "http://" + s.api.Addr()
}

// MetricsURL is where the worker is scraped, "" with InfraOnly.
func (s *Stack) MetricsURL() string {
	if s.worker == nil {
		return ""
	}
	return "http://" + s.worker.Addr() + "/metrics"
}

// WipeRedis does to the embedded Redis what FLUSHALL does to a real one.
func (s *Stack) WipeRedis() { s.redis.wipe() }
