package httpapi

import (
	"context"
	"encoding/base64"

	"holdfast/order"
)

type stocksRequest struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The longest page."`
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
}

type stocksAnswer struct {
	Body struct {
		Stock      []stockJSON `json:"stock" nullable:"false" doc:"Sorted by SKU."`
		NextCursor *string     `json:"next_cursor" doc:"The cursor of the next page; null on the last one."`
	} `nameHint:"StockPage"`
}

func (a *API) listStock(ctx context.Context, in *stocksRequest) (*stocksAnswer, error) {
	after := ""
	if in.Cursor != "" {
		var ok bool
		if after, ok = parseStockCursor(in.Cursor); !ok {
			return nil, wrongField(slugMalformed, "cursor", "is not one that a page gave")
		}
	}
	stocks, err := a.Stock.ListStock(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := new(stocksAnswer)
	if len(stocks) > in.Limit { // one more than asked for: there is a next page
		stocks = stocks[:in.Limit]
		cursor := stockCursor(stocks[in.Limit-1].SKU)
		answer.Body.NextCursor = &cursor
	}
	answer.Body.Stock = make([]stockJSON, len(stocks))
	for i, s := range stocks {
		answer.Body.Stock[i] = toStockJSON(s)
	}
	return answer, nil
}

const stockCursorKind = "s" // in front, so that a cursor of another list is foreign

func stockCursor(sku string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(stockCursorKind + sku))
}

func parseStockCursor(cursor string) (after string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < 2 || string(b[:1]) != stockCursorKind {
		return "", false
	}
	after = string(b[1:])
	return after, order.CheckSKU(after) == nil
}
