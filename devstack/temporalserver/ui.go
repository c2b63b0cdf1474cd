package temporalserver

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/server/rpc"
	"github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// webUI serves the pages of Temporal's Web UI and the API that they call. It is put together from the
// ui-server's parts because the ready-made server listens by itself, ends the process when it cannot, and
// keeps its connection to the frontend for ever.
type webUI struct {
	url  string
	http *http.Server
	conn *grpc.ClientConn
	done chan struct{}
}

// uiDrain is what a page's request in flight gets at a stop. A browser on an open list always has one
// pending; nobody waits for it.
const uiDrain = time.Second

// uiHeaderTimeout bounds how long a connection may take over its request headers.
const uiHeaderTimeout = 10 * time.Second

func startUI(l net.Listener, frontend, namespace string) (*webUI, error) {
	settings, err := config.NewConfigProviderWithRefresh(uiConfig(frontend, namespace))
	if err != nil {
		return nil, fmt.Errorf("web UI: %w", err)
	}
	conn, err := rpc.Dial(frontend, nil)
	if err != nil {
		return nil, fmt.Errorf("web UI: %w", err)
	}
	handler, err := uiHandler(settings, conn)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("web UI: %w", err)
	}
	w := &webUI{
		url:  "http://" + local(l),
		conn: conn,
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: uiHeaderTimeout,
			ErrorLog:          log.New(io.Discard, "", 0), // says only that browsers went away
		},
		done: make(chan struct{}),
	}
	go func() {
		defer close(w.done)
		_ = w.http.Serve(l)
	}()
	return w, nil
}

func (w *webUI) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), uiDrain)
	defer cancel()
	if w.http.Shutdown(ctx) != nil {
		_ = w.http.Close()
	}
	<-w.done
	_ = w.conn.Close()
}

func uiConfig(frontend, namespace string) *config.Config {
	return &config.Config{
		TemporalGRPCAddress: frontend,
		DefaultNamespace:    namespace,
		EnableUI:            true,
		// The stack must work, and be quiet, without a network.
		DisableNewsFetch:   true,
		NotifyOnNewVersion: false,
		// Plain HTTP: a browser would drop the token's cookie if it were marked secure, and with it every
		// button of the UI. No origin but the UI's own may call its API.
		CORS: config.CORS{CookieInsecure: true},
	}
}

func uiHandler(settings *config.ConfigProviderWithRefresh, conn *grpc.ClientConn) (http.Handler, error) {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.Secure())
	e.Use(csrf.EnsureTokenCookie(false), middleware.CSRFWithConfig(csrf.MiddlewareConfig(settings, false)))

	route.SetHealthRoute(e)
	group := e.Group("/api/v1")
	group.GET("/settings", api.GetSettings(settings))
	group.GET("/releases", api.GetLatestReleases(settings, api.NewReleaseChecker()))
	group.GET("/ui-extensions", api.GetUIExtensions(settings, api.TemporalAccessCheck(conn, nil)))
	group.GET(api.WorkflowRawHistoryUrl, api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(conn)))
	group.Any("/*", api.TemporalAPIHandler(settings, nil, conn))

	assets, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	if assets, err = fs.Sub(assets, "local"); err != nil {
		return nil, err
	}
	if err := route.SetUIRoutes(e, "", assets, settings); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, "/")
	return e, nil
}
