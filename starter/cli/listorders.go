package cli

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) listOrdersCommand() *cobra.Command {
	l := listing{path: "/v1/orders", member: "orders", query: url.Values{}}
	var status, customer string
	var attention bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List orders, newest first",
		Long: `List orders, newest first: one page, or with --all every one that matches. With --output json and
--all the pages become one document.`,
		Example: `  starter order list --status PENDING
  starter order list --customer c-17 --limit 10
  starter order list --attention                 # those that need a person
  starter order list --all --output json | jq -r '.orders[] | select(.settled | not) | .id'`,
		Args: takes(),
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			set(l.query, "status", strings.ToUpper(status))
			set(l.query, "customer_id", customer)
			if cmd.Flags().Changed("attention") {
				l.query.Set("attention", strconv.FormatBool(attention))
			}
			header := []string{"ORDER", "STATUS", "REASON", "CUSTOMER", "TOTAL (MINOR UNITS)", "SETTLED", "NEEDS A PERSON", "CREATED"}
			return l.print(ctx, a, cmd, header, orderRow)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&status, "status", "", "only orders with this `status`: PENDING, CONFIRMED, HANDED_OFF, REJECTED or CANCELLED")
	flags.StringVar(&customer, "customer", "", "only orders of the customer with this `id`")
	flags.BoolVar(&attention, "attention", false, "only orders that need a person; --attention=false: only those that do not")
	l.flags(cmd)
	return cmd
}

func orderRow(item json.RawMessage) ([]string, error) {
	var doc orderDoc
	if err := json.Unmarshal(item, &doc); err != nil {
		return nil, errorf("foreign-answer", "Not an answer of holdfast's API", "an entry is not an order: %v", err)
	}
	attention := "no"
	if doc.Attention != nil {
		attention = doc.Attention.Reason
	}
	return []string{
		doc.ID, string(doc.Status), doc.Reason, doc.CustomerID, amountOf(doc), yesNo(doc.Settled), attention, doc.CreatedAt,
	}, nil
}
