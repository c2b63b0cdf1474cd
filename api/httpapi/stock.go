package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/workflows"
)

// Stock is the rows of stock.
type Stock interface {
	// KnownSKUs tells which of the SKUs exist.
	KnownSKUs(ctx context.Context, skus []string) ([]string, error)
	GetStocks(ctx context.Context, skus []string) ([]orderdb.Stock, error)
	ListStock(ctx context.Context, after string, limit int) ([]orderdb.Stock, error)
	// SetStock takes a version of 0 for none. Its errors are orderdb.ErrVersionRequired, ErrStale and
	// ErrBelowReserved.
	SetStock(ctx context.Context, sku string, to orderdb.Setting, version int64) (s orderdb.Stock, created bool, err error)
	// Receive counts a reference once. Its errors are orderdb.ErrNotFound, ErrReferenceReused,
	// ErrBelowReserved and ErrTooMany.
	Receive(ctx context.Context, sku string, quantity int64, reference, reason string) (s orderdb.Stock, repeated bool, err error)
}

type stockAnswer struct {
	Status int
	ETag   string `header:"ETag" example:"\"3\"" doc:"The version of the stock, for If-Match."`
	Body   stockJSON
}

func answerStock(status int, s orderdb.Stock) *stockAnswer {
	return &stockAnswer{Status: status, ETag: etag(s.Version), Body: toStockJSON(s)}
}

type stockRequest struct {
	SKU string `path:"sku" example:"mug" doc:"The SKU."`
}

func (a *API) getStock(ctx context.Context, in *stockRequest) (*stockAnswer, error) {
	if err := order.CheckSKU(in.SKU); err != nil {
		return nil, err
	}
	stocks, err := a.Stock.GetStocks(ctx, []string{in.SKU})
	if err != nil {
		return nil, err
	}
	if len(stocks) == 0 {
		return nil, noSKU(in.SKU)
	}
	return answerStock(http.StatusOK, stocks[0]), nil
}

type setRequest struct {
	SKU     string `path:"sku" example:"mug" doc:"The SKU."`
	IfMatch string `header:"If-Match" example:"\"3\"" doc:"The ETag that GET gave. Needed to change a SKU that exists; left out to create one."`
	Set     jsonBody[stockInput, *stockInput]
}

func (a *API) setStock(ctx context.Context, in *setRequest) (*stockAnswer, error) {
	if err := order.CheckSKU(in.SKU); err != nil {
		return nil, err
	}
	if wrong := in.Set.Value.check(); len(wrong) > 0 {
		return nil, invalidInput(wrong)
	}
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	s, created, err := a.Stock.SetStock(ctx, in.SKU, in.Set.Value.setting(), version)
	if err != nil {
		return nil, stockProblem(in.SKU, err)
	}
	a.forget(ctx, in.SKU)
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return answerStock(status, s), nil
}

type receiveRequest struct {
	SKU     string `path:"sku" example:"mug" doc:"The SKU."`
	Receipt jsonBody[receiptInput, *receiptInput]
}

func (a *API) receive(ctx context.Context, in *receiveRequest) (*stockAnswer, error) {
	if err := order.CheckSKU(in.SKU); err != nil {
		return nil, err
	}
	receipt := &in.Receipt.Value
	if wrong := receipt.check(); len(wrong) > 0 {
		return nil, invalidInput(wrong)
	}
	s, repeated, err := a.Stock.Receive(ctx, in.SKU, receipt.Quantity, receipt.Reference, receipt.Reason)
	if err != nil {
		return nil, stockProblem(in.SKU, err)
	}
	// Also for a repeat: whoever sent it first may have died between the change and this.
	a.forget(ctx, in.SKU)
	a.publishNow(ctx)
	status := http.StatusCreated
	if repeated {
		status = http.StatusOK
	}
	return answerStock(status, s), nil
}

// publishNow has others told of receipts. If Temporal does not answer, they hear of them later.
func (a *API) publishNow(ctx context.Context) {
	if a.MaxUntold == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	if _, err := a.Temporal.ExecuteWorkflow(ctx, workflows.PublishNowOptions(a.TaskQueue), workflows.PublishEventsName); err != nil {
		a.log(ctx).WarnContext(ctx, "others hear of a receipt only later", "error", err)
	}
}

const publishPatience = time.Second

func noSKU(sku string) *Problem { return newProblem(slugNotFound, "there is no SKU %s", sku) }

// stockProblem is the one place where a refused change of stock becomes its answer. Other errors stay as
// they are.
func stockProblem(sku string, err error) error {
	switch {
	case errors.Is(err, orderdb.ErrNotFound):
		return noSKU(sku)
	case errors.Is(err, orderdb.ErrVersionRequired):
		return newProblem(slugVersionRequired, "%s exists: send the ETag that GET gave as If-Match", sku)
	case errors.Is(err, orderdb.ErrStale):
		return stale()
	case errors.Is(err, orderdb.ErrBelowReserved):
		return newProblem(slugBelowReserved, "PENDING orders hold more units of %s than would be left", sku)
	case errors.Is(err, orderdb.ErrTooMany):
		return newProblem(slugTooMany, "%s would have more than %d units", sku, order.MaxUnits)
	case errors.Is(err, orderdb.ErrReferenceReused):
		return wrongField(slugKeyReused, "reference", "counts already, for another quantity")
	}
	return err
}

func stale() *Problem {
	return newProblem(slugStale, "the stock is not at that version: GET it, and decide again")
}
