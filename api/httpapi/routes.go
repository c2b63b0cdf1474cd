package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Tags of the OpenAPI document.
const (
	tagOrders   = "Orders"
	tagStock    = "Stock"
	tagPayments = "Payments"
	tagSystem   = "System"
)

// routes makes every route that the OpenAPI document describes.
func (a *API) routes() {
	a.orderRoutes()
	a.stockRoutes()
	a.paymentRoutes()
	a.systemRoutes()
}

func (a *API) orderRoutes() {
	register(a, huma.Operation{
		Method: http.MethodPost, Path: pathOfOrders, OperationID: "placeOrder", Tags: []string{tagOrders},
		Summary: "Place an order",
		Description: "Answers what became of the order, or, if it has no end within the wait, that it is PENDING. " +
			"The same customer, key and body again is the same order, and answers how it stands now. " +
			"After a 503 the outcome is not known: repeat the request with the same key.",
		DefaultStatus: http.StatusCreated,
		Responses: map[string]*huma.Response{
			"201": {Description: "CONFIRMED or HANDED_OFF"},
			"202": orderResponse(a.huma, "PENDING: it has no end yet"),
		},
		Errors: []int{400, 402, 408, 409, 413, 415, 503},
		// Described here and not by the field's tags, which would make huma check it before package order.
		Parameters: []*huma.Param{{
			Name: "Idempotency-Key", In: "header", Required: true, Example: "checkout-4711",
			Description: "One for each order, and the same one again for a repeat.",
			Schema:      &huma.Schema{Type: huma.TypeString, Pattern: "^[!-~]{1,255}$"},
		}},
	}, a.placeOrder)
	takesBody[orderInput](a, pathOfOrders)
	a.mux.Post(pathOfOrders, a.servePlaceOrder)
	register(a, huma.Operation{
		Method: http.MethodGet, Path: "/v1/orders/{id}", OperationID: "getOrder", Tags: []string{tagOrders},
		Summary: "Get an order", Errors: []int{404, 410, 503},
	}, a.getOrder)
	register(a, huma.Operation{
		Method: http.MethodGet, Path: pathOfOrders, OperationID: "listOrders", Tags: []string{tagOrders},
		Summary: "List orders, newest first", Errors: []int{400, 422, 503},
	}, a.listOrders)
	register(a, huma.Operation{
		Method: http.MethodPost, Path: "/v1/orders/{id}/cancel", OperationID: "cancelOrder", Tags: []string{tagOrders},
		Summary: "Cancel an order",
		Description: "Cancels an order that the warehouse does not have yet, confirmed ones too: its units can be sold again, and its charge is " +
			"reversed. It takes no body, and repeats are harmless. A 409 says that the order was rejected, or that the warehouse has it or is being given it.",
		DefaultStatus: http.StatusOK,
		Responses: map[string]*huma.Response{
			"200": {Description: "CANCELLED, and nothing is owed any more"},
			"202": orderResponse(a.huma, "CANCELLED with something still owed, or not decided yet"),
		},
		Errors: []int{404, 409, 410, 503},
	}, a.cancelOrder)
}

func (a *API) stockRoutes() {
	register(a, huma.Operation{
		Method: http.MethodPut, Path: "/v1/stock/{sku}", OperationID: "setStock", Tags: []string{tagStock},
		Summary: "Set the units on hand and the limit of a SKU, and create it if it is new",
		Description: "A SKU that exists is changed only with the ETag that GET gave, so that no sale in between is overruled. " +
			"All of it is replaced: without a limit_per_customer there is none any more.",
		Responses: map[string]*huma.Response{"201": stockResponse(a.huma, "Created")},
		Errors:    []int{400, 408, 409, 412, 413, 415, 428, 503},
	}, a.setStock)
	takesBody[stockInput](a, "/v1/stock/{sku}")
	register(a, huma.Operation{
		Method: http.MethodGet, Path: "/v1/stock/{sku}", OperationID: "getStock", Tags: []string{tagStock},
		Summary: "Get the stock of a SKU", Errors: []int{404, 503},
	}, a.getStock)
	register(a, huma.Operation{
		Method: http.MethodGet, Path: "/v1/stock", OperationID: "listStock", Tags: []string{tagStock},
		Summary: "List the stock of all SKUs", Errors: []int{400, 422, 503},
	}, a.listStock)
	register(a, huma.Operation{
		Method: http.MethodPost, Path: "/v1/stock/{sku}/receipts", OperationID: "receiveStock", Tags: []string{tagStock},
		Summary:       "Add units that came in, or take away units that are gone",
		Description:   "A reference counts once for the SKU: a repeat changes nothing and answers 200 with the stock as it is now.",
		DefaultStatus: http.StatusCreated,
		Responses:     map[string]*huma.Response{"200": stockResponse(a.huma, "The reference counted before")},
		Errors:        []int{400, 404, 408, 409, 413, 415, 503},
	}, a.receive)
	takesBody[receiptInput](a, "/v1/stock/{sku}/receipts")
}

func (a *API) paymentRoutes() {
	header := func(name, words string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: words, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	register(a, huma.Operation{
		Method: http.MethodPost, Path: pathOfWebhook, OperationID: "takeWebhook", Tags: []string{tagPayments},
		Summary: "Hint that the provider has decided a payment",
		Description: "For the payment provider, which signs by Standard Webhooks (https://www.standardwebhooks.com). An order that waits for " +
			"its payment looks it up at once. Anything well signed is answered 204, also if the order is unknown or has ended: then it changes " +
			"nothing. 404 if no secret is configured.",
		DefaultStatus: http.StatusNoContent,
		Errors:        []int{400, 404, 408, 413, 415, 422, 503},
		Parameters: []*huma.Param{
			header("Webhook-Id", "The same for each try to deliver it."),
			header("Webhook-Timestamp", "When it was signed, in seconds since 1970. At most five minutes off."),
			header("Webhook-Signature", "v1, and the HMAC-SHA256 of id, timestamp and body with full stops between them, in base64. Several are separated by blanks."),
		},
	}, a.takeWebhook)
	takesBody[webhookInput](a, pathOfWebhook)
}

func (a *API) systemRoutes() {
	register(a, huma.Operation{
		Method: http.MethodGet, Path: "/v1/audit", OperationID: "audit", Tags: []string{tagSystem},
		Summary:     "Prove the promises from the data",
		Description: "Compares the order database with itself, with Redis, the payment provider's ledger and the warehouse's arrivals, and changes nothing. It takes a while, and two minutes at most: then `complete` is false, `holds` with it, and a note says how far it came.",
		Errors:      []int{503},
	}, a.runAudit)
	register(a, huma.Operation{
		Method: http.MethodGet, Path: "/healthz", OperationID: "live", Tags: []string{tagSystem},
		Summary: "Tell whether the process lives", SkipValidateParams: true,
	}, a.live)
	register(a, huma.Operation{
		Method: http.MethodGet, Path: "/readyz", OperationID: "ready", Tags: []string{tagSystem},
		Summary: "Tell whether orders can be placed", Errors: []int{503}, SkipValidateParams: true,
	}, a.ready)
	a.mux.Method(http.MethodGet, "/metrics", a.Metrics)
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: "/metrics", OperationID: "metrics", Tags: []string{tagSystem},
		Summary: "Metrics for Prometheus",
		Responses: map[string]*huma.Response{"200": {
			Description: "OK", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	})
}

// register adds a route whose errors all go through explain.
func register[I, O any](a *API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.explain(ctx, err)
		}
		return out, nil
	})
}
