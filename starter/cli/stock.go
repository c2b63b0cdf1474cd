package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/order"
)

func (a *app) stockCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "stock",
		Short: "Set stock, receive units, look at them",
		Long: `Set stock, receive units, look at them.

On hand are the units that exist unsold, reserved those that pending orders hold, available the
difference: what can still be sold. The limit is how many units one customer may have.`,
	}, a.setStockCommand(), a.getStockCommand(), a.listStockCommand(), a.receiveCommand())
}

// stockDoc is the stock of one SKU as the API gives it. All numbers are units.
type stockDoc struct {
	SKU       string `json:"sku"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
	Limit     *int64 `json:"limit_per_customer"` // nil for any number
}

// limit is the limit in words.
func (s stockDoc) limit() string {
	if s.Limit == nil {
		return "-"
	}
	return strconv.FormatInt(*s.Limit, 10)
}

func readStock(ans answer, path string) (stockDoc, error) {
	var doc stockDoc
	if err := json.Unmarshal(ans.body, &doc); err != nil || doc.SKU == "" {
		return stockDoc{}, ans.asForeign(path, "it was not the stock of a SKU").failure()
	}
	return doc, nil
}

func stockHeader() []string { return []string{"SKU", "ON HAND", "RESERVED", "AVAILABLE", "LIMIT"} }

func (s stockDoc) row() []string {
	return []string{
		s.SKU, strconv.FormatInt(s.OnHand, 10), strconv.FormatInt(s.Reserved, 10), strconv.FormatInt(s.Available, 10), s.limit(),
	}
}

// printStock prints the stock of one SKU: the document as it came, or a table. The table has the
// ETag, which "stock set --if-match" takes.
func (a *app) printStock(ans answer, doc stockDoc) error {
	if a.output == formatJSON {
		return a.printJSON(ans.body)
	}
	header, row := stockHeader(), doc.row()
	if etag := ans.header.Get("ETag"); etag != "" {
		header, row = append(header, "ETAG"), append(row, etag)
	}
	return printTable(a.stdout, header, row)
}

func stockPath(sku string) string { return "/v1/stock/" + sku }

// getStock reads the stock of a SKU.
func (a *app) getStock(ctx context.Context, sku string, timeout time.Duration) (answer, stockDoc, error) {
	if err := order.CheckSKU(sku); err != nil {
		return answer{}, stockDoc{}, invalidInput(err)
	}
	ans, err := a.ask(ctx, request{method: http.MethodGet, path: stockPath(sku), within: timeout})
	if err != nil {
		return ans, stockDoc{}, err
	}
	doc, err := readStock(ans, stockPath(sku))
	return ans, doc, err
}

func (a *app) getStockCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:     "get SKU",
		Short:   "Show the stock of a SKU",
		Example: `  starter stock get mug`,
		Args:    takes("SKU"),
		RunE: run(func(ctx context.Context, _ *cobra.Command, args []string) error {
			ans, doc, err := a.getStock(ctx, args[0], timeout)
			if err != nil {
				return err
			}
			return a.printStock(ans, doc)
		}),
	}
	timeoutFlag(cmd, &timeout, defaultTimeout, "to wait for the API's answer")
	return cmd
}

func (a *app) listStockCommand() *cobra.Command {
	l := listing{path: "/v1/stock", member: "stock", query: url.Values{}}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the stock of all SKUs",
		Example: `  starter stock list
  starter stock list --all --output json | jq '[.stock[].available] | add'`,
		Args: takes(),
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			return l.print(ctx, a, cmd, stockHeader(), stockRow)
		}),
	}
	l.flags(cmd)
	return cmd
}

func stockRow(item json.RawMessage) ([]string, error) {
	var doc stockDoc
	if err := json.Unmarshal(item, &doc); err != nil {
		return nil, errorf("foreign-answer", "Not an answer of holdfast's API", "an entry is not the stock of a SKU: %v", err)
	}
	return doc.row(), nil
}
