package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/order"
)

func (a *app) orderCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "order",
		Short: "Place orders, look at them, cancel them, and answer those that need a person",
	}, a.placeCommand(), a.getOrderCommand(), a.listOrdersCommand(), a.cancelCommand(), a.resolveCommand())
}

// orderDoc is an order as the API gives it.
type orderDoc struct {
	ID         string       `json:"id"`
	Status     order.Status `json:"status"`
	Reason     string       `json:"reason"` // empty unless rejected or cancelled
	Detail     string       `json:"detail"`
	CustomerID string       `json:"customer_id"`
	Currency   string       `json:"currency"`
	Total      int64        `json:"total"` // minor units
	Lines      []order.Line `json:"lines"`
	Settled    bool         `json:"settled"`
	Attention  *struct {
		Since  string `json:"since"`
		Reason string `json:"reason"`
	} `json:"attention"` // nil if no person is needed
	ByHand *struct {
		Answer order.Answer `json:"answer"`
		Note   string       `json:"note"`
		At     string       `json:"at"`
	} `json:"by_hand"` // nil if no person settled it
	WorkflowID string `json:"workflow_id"`
	CreatedAt  string `json:"created_at"`
	UpdatedAt  string `json:"updated_at"`
}

// readOrder reads an order out of an answer of the API.
func readOrder(ans answer, r request) (orderDoc, error) {
	var doc orderDoc
	if err := json.Unmarshal(ans.body, &doc); err != nil || doc.ID == "" || doc.Status == "" {
		return orderDoc{}, ans.asForeign(r.path, "it was not an order").failure()
	}
	return doc, nil
}

func (a *app) getOrderCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show an order",
		Long: `Show an order as its row says now. Amounts are in minor units of the order's currency: 1999 in EUR
is 19.99 euros. With HOLDFAST_UI_URL set, a link leads to the order's workflow in the Web UI.`,
		Example: `  starter order get ord_aaaaaaaaaaaaaaaaaaaaaaaaaa
  starter order get ord_aaaaaaaaaaaaaaaaaaaaaaaaaa --output json | jq .status`,
		Args: takes("ID"),
		RunE: run(func(ctx context.Context, _ *cobra.Command, args []string) error {
			return a.getOrder(ctx, args[0], timeout)
		}),
	}
	timeoutFlag(cmd, &timeout, defaultTimeout, "to wait for the API's answer")
	return cmd
}

func (a *app) getOrder(ctx context.Context, arg string, timeout time.Duration) error {
	id, err := order.ParseID(arg)
	if err != nil {
		return invalidInput(err)
	}
	r := request{method: http.MethodGet, path: "/v1/orders/" + string(id), within: timeout}
	ans, err := a.ask(ctx, r)
	if err != nil {
		return err
	}
	doc, err := readOrder(ans, r)
	if err != nil {
		return err
	}
	return a.printOrder(ans.body, doc)
}

// printOrder prints an order: the document as it came, or a table.
func (a *app) printOrder(raw []byte, doc orderDoc) error {
	if a.output == formatJSON {
		return a.printJSON(raw)
	}
	rows := [][]string{
		{"Order", doc.ID},
		{"Status", string(doc.Status)},
	}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("Reason", reasonOf(doc))
	add("Customer", doc.CustomerID)
	add("Total (minor units)", amountOf(doc))
	add("Settled", yesNo(doc.Settled))
	if doc.Attention != nil {
		add("Needs a person", "since "+doc.Attention.Since+": "+doc.Attention.Reason)
	}
	if doc.ByHand != nil {
		add("Settled by hand", string(doc.ByHand.Answer)+" at "+doc.ByHand.At+": "+doc.ByHand.Note)
	}
	add("Workflow", doc.WorkflowID)
	add("Web UI", a.webUI(doc.WorkflowID))
	add("Created", doc.CreatedAt)
	add("Updated", doc.UpdatedAt)
	if err := printTable(a.stdout, rows...); err != nil {
		return err
	}
	if len(doc.Lines) == 0 {
		return nil
	}
	if err := a.printLine(); err != nil {
		return err
	}
	return printTable(a.stdout, lineRows(doc.Lines)...)
}

func lineRows(lines []order.Line) [][]string {
	rows := [][]string{{"SKU", "QUANTITY", "UNIT PRICE (MINOR UNITS)"}}
	for _, l := range lines {
		rows = append(rows, []string{l.SKU, strconv.FormatInt(l.Quantity, 10), strconv.FormatInt(l.UnitPrice, 10)})
	}
	return rows
}

func reasonOf(doc orderDoc) string {
	if doc.Detail == "" {
		return doc.Reason
	}
	return doc.Reason + ": " + doc.Detail
}

// amountOf leaves the amount in minor units: how many of them make one unit differs between
// currencies, and a wrong point is worse than none.
func amountOf(doc orderDoc) string {
	return order.Amount{Minor: doc.Total, Currency: order.Currency(doc.Currency)}.String()
}
