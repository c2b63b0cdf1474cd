package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"go.temporal.io/api/serviceerror"

	"holdfast/order"
	"holdfast/payment"
	"holdfast/workflows"
)

// signedBody is a body as it came, with the headers that have its signature.
type signedBody struct {
	header http.Header
	text   []byte
}

// Resolve implements huma.Resolver. Its error is a *Problem.
func (b *signedBody) Resolve(ctx huma.Context) []error {
	r, w := humachi.Unwrap(ctx)
	if p := checkContentType(r); p != nil {
		return []error{p}
	}
	text, p := readBody(w, r)
	if p != nil {
		return []error{p}
	}
	b.header, b.text = r.Header, text
	return nil
}

type webhookRequest struct{ Event signedBody }

// webhookInput is the body of a webhook, for the OpenAPI document. Only the reference is read.
type webhookInput struct {
	_         struct{}    `additionalProperties:"true"` //nolint:revive // huma reads it here
	Type      string      `json:"type,omitempty" example:"payment.approved"`
	Timestamp time.Time   `json:"timestamp,omitzero" doc:"When the provider decided."`
	Data      webhookData `json:"data"`
}

type webhookData struct {
	_         struct{} `additionalProperties:"true"` //nolint:revive // huma reads it here
	Reference string   `json:"reference" example:"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa" doc:"The order's id. Any other reference is taken, and changes nothing."`
	Status    string   `json:"status,omitempty" example:"approved"`
}

// takeWebhook hands the hint on to the order's workflow, which looks the payment up. Without one that runs there is
// nobody to hint to: the order is yet to come, has ended, or is not ours. A payment of it is then found by other ways.
// Nothing is started and no row is read, so that whatever a provider tells has no other effect.
func (a *API) takeWebhook(ctx context.Context, in *webhookRequest) (*struct{}, error) {
	if a.Webhook == nil {
		return nil, newProblem(slugNotFound, "this API takes no webhooks")
	}
	reference, err := a.Webhook.Reference(in.Event.header, in.Event.text)
	switch {
	case errors.Is(err, payment.ErrNotSigned):
		a.log(ctx).WarnContext(ctx, "refused a webhook", "error", err)
		return nil, newProblem(slugBadSignature, "the webhook is %s", payment.ErrNotSigned)
	case errors.Is(err, payment.ErrNoReference):
		return nil, wrongField(slugInvalid, "data.reference", "must be a string, and not empty")
	case err != nil:
		return nil, newProblem(slugMalformed, "the body cannot be read as JSON")
	}
	id, err := order.ParseID(reference)
	if err != nil {
		return nil, nil //nolint:nilnil // the payment is somebody else's
	}
	ctx, cancel := context.WithTimeout(ctx, a.patience.start)
	defer cancel()
	err = a.Temporal.SignalWorkflow(ctx, workflows.WorkflowID(id), "", workflows.PaymentDecided, nil)
	if _, gone := errors.AsType[*serviceerror.NotFound](err); err != nil && !gone {
		return nil, fmt.Errorf("hint that the payment of %s is decided: %w", id, err)
	}
	return nil, nil //nolint:nilnil // 204
}
