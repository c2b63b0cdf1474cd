package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// series are the metrics that the API owns.
type series struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newSeries(reg prometheus.Registerer) *series {
	s := &series{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_http_requests_total",
			Help: "HTTP requests, by route, method and status. Status 499 is a client that hung up before its answer.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_http_request_duration_seconds",
			Help: "Time from a request's head to its answer, by route and status.",
			// From a look-up to an order that is waited for as long as one may.
			Buckets:                     []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 35},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}, []string{"route", "status"}),
	}
	reg.MustRegister(s.requests, s.duration)
	for _, status := range []int{
		http.StatusCreated, http.StatusAccepted, http.StatusPaymentRequired, http.StatusConflict, http.StatusInternalServerError, http.StatusServiceUnavailable,
	} {
		s.requests.WithLabelValues(pathOfOrders, http.MethodPost, strconv.Itoa(status)) // so that increase() sees the first of each
	}
	return s
}

// statusHungUp is nginx's number for a client that is gone. It only stands in metrics and logs.
const statusHungUp = 499

const requestIDHeader = "X-Request-ID"

var requestIDShape = regexp.MustCompile(`^[!-~]{1,128}$`)

type requestIDKey struct{}

// observe is around every request: it gives it an id, measures it, and survives its handler.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := r.Header.Get(requestIDHeader)
		if !requestIDShape.MatchString(id) {
			id = rand.Text()
		}
		header := w.Header()
		header.Set(requestIDHeader, id)
		header.Set("Cache-Control", "no-store") // an order that does not exist yet must not stay so in some cache
		header.Set("X-Content-Type-Options", "nosniff")
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		recorder := &statusRecorder{ResponseWriter: w}
		defer func() { a.finish(recorder, r, began, recover()) }()
		next.ServeHTTP(recorder, r)
	})
}

// finish answers for a handler that panicked, and measures the request.
func (a *API) finish(w *statusRecorder, r *http.Request, began time.Time, panicked any) {
	if panicked != nil {
		if err, ok := panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(panicked) // net/http's own way of cutting a connection
		}
		a.log(r.Context()).ErrorContext(r.Context(), "a handler panicked", "panic", panicked, "stack", string(debug.Stack()))
		if w.status == 0 {
			write(w, r, newProblem(slugInternal, "something went wrong here"))
		}
	}
	status := w.status
	switch {
	case r.Context().Err() != nil:
		status = statusHungUp
	case status == 0:
		status = http.StatusOK
	}
	route := chi.RouteContext(r.Context()).RoutePattern()
	if route == "" || status == http.StatusMethodNotAllowed {
		route = "none" // whatever people try must not become a label
	}
	nameSpan(r, route, status)
	took := time.Since(began)
	a.series.requests.WithLabelValues(route, method(r), strconv.Itoa(status)).Inc()
	a.series.duration.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
	if a.Log.Enabled(r.Context(), slog.LevelDebug) {
		a.log(r.Context()).DebugContext(r.Context(), "answered", "method", method(r), "route", route, "status", status, "took", took)
	}
}

// method bounds what a client can make a label of.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "OTHER"
}

// log is the logger of a request.
func (a *API) log(ctx context.Context) *slog.Logger {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return a.Log.With("request_id", id)
}

// statusRecorder remembers the status that was sent, 0 for none yet.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // an interim answer is none
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusRecorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
