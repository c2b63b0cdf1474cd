package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// readyTimeout bounds a start, which takes under a second: past it the machine is not slow, something is
// wrong.
const readyTimeout = time.Minute

// readyPoll is how often a start asks whether it is done: little against the half second that it takes.
const readyPoll = 10 * time.Millisecond

// boot starts the services and waits until the namespace accepts workflows.
func (s *Server) boot(ctx context.Context, l listeners, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	s.addr = local(l.frontend)
	options, err := s.options(ctx, bound(l.frontend))
	if err != nil {
		return err
	}
	if err := letGo(ctx, l.frontend); err != nil {
		return err
	}
	if err := s.startCore(options); err != nil {
		return fmt.Errorf("start the Temporal server: %w", err)
	}
	if err := ready(ctx, s.addr, namespace); err != nil {
		s.stopCore()
		return fmt.Errorf("wait for the Temporal server: %w", err)
	}
	return nil
}

// options makes the server that listens at frontend, which clients reach at s.addr.
func (s *Server) options(ctx context.Context, frontend netip.AddrPort) ([]temporal.ServerOption, error) {
	ports := map[primitives.ServiceName]int{}
	for _, name := range []primitives.ServiceName{
		primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
	} {
		port, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		ports[name] = port
	}
	return []temporal.ServerOption{
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithConfig(staticSettings(s.stores, frontend, s.addr, ports)),
		temporal.WithStaticHosts(hosts(s.addr, ports)),
		temporal.WithDynamicConfigClient(dynamicSettings()),
		temporal.WithLogger(s.log),
		// No registry: two servers in one process would meet in it, and the product's metrics are its own.
		temporal.WithCustomMetricsHandler(metrics.NoopMetricsHandler),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
	}, nil
}

// startCore returns once the services run. It gives the server a goroutine of its own, since a fatal error
// ends the one that it happens on.
func (s *Server) startCore(options []temporal.ServerOption) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("ended without a reason")
		defer func() {
			// On its way out, a goroutine that Fatal ends may be made to panic by the sync.OnceValue that it
			// was in.
			if p := recover(); p != nil && s.log.fatal() == "" {
				panic(p)
			}
			done <- err
		}()
		if s.core, err = temporal.NewServer(options...); err == nil {
			err = s.core.Start()
		}
	}()
	err := <-done
	if why := s.log.fatal(); why != "" {
		return errors.New(why)
	}
	return err
}

// ready asks for a workflow that does not exist until it hears just that: the answer has been through the
// frontend, the namespace, the history service and its store.
func ready(ctx context.Context, addr, namespace string) error {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	api := workflowservice.NewWorkflowServiceClient(conn)
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		_, err := api.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: namespace,
			Execution: &common.WorkflowExecution{WorkflowId: "is-the-server-ready"},
		}, grpc.WaitForReady(true))
		answer := serviceerror.FromStatus(status.Convert(err))
		if _, ok := errors.AsType[*serviceerror.NotFound](answer); ok {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (last answer: %w)", ctx.Err(), answer)
		}
	}
}
