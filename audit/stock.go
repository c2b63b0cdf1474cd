package audit

import (
	"context"
	"slices"

	"holdfast/orderdb"
)

// page is how many rows are read at a time.
const page = 500

// stock holds both conservation equations against every SKU. Each page is one snapshot, in which they
// hold exactly, whatever is going on.
func (r *run) stock(ctx context.Context) error {
	for after := ""; ; {
		balances, err := ask(ctx, r, OrderDatabase, func() ([]orderdb.Balance, error) { return r.cfg.Orders.Balances(ctx, after, page) })
		if err != nil {
			return err
		}
		r.report.Checked.SKUs += len(balances)
		if err := r.unbalanced(ctx, balances); err != nil {
			return err
		}
		r.sightDifferences(ctx, balances)
		if len(balances) < page {
			return r.lostStock(ctx)
		}
		after = balances[len(balances)-1].SKU
		r.skusUpTo = after
	}
}

// unbalanced looks a second time at the SKUs of a page that break an equation.
func (r *run) unbalanced(ctx context.Context, balances []orderdb.Balance) error {
	var suspects []string
	for _, b := range balances {
		if !balanced(b) && !r.full() {
			suspects = append(suspects, b.SKU)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	again, err := r.balancesOf(ctx, suspects)
	if err != nil {
		return err
	}
	for _, b := range again {
		r.judgeBalance(b)
	}
	return nil
}

func (r *run) balancesOf(ctx context.Context, skus []string) ([]orderdb.Balance, error) {
	return ask(ctx, r, OrderDatabase, func() ([]orderdb.Balance, error) { return r.cfg.Orders.BalancesOf(ctx, skus) })
}

func balanced(b orderdb.Balance) bool {
	return b.OnHand == b.Moved-b.Sold && b.Reserved == b.Held && 0 <= b.Reserved && b.Reserved <= b.OnHand
}

func (r *run) judgeBalance(b orderdb.Balance) {
	if b.OnHand != b.Moved-b.Sold {
		r.violationf(OnHandDiffers, b.SKU, "%d units are on hand; %d were moved in and %d sold, which leaves %d",
			b.OnHand, b.Moved, b.Sold, b.Moved-b.Sold)
	}
	if b.Reserved != b.Held {
		r.violationf(ReservedDiffers, b.SKU, "%d units are reserved; PENDING orders hold %d", b.Reserved, b.Held)
	}
	if b.Reserved < 0 || b.Reserved > b.OnHand {
		r.violationf(Oversold, b.SKU, "%d units are reserved of %d on hand", b.Reserved, b.OnHand)
	}
}

// lostStock finds SKUs whose row somebody deleted, which the equations cannot see.
func (r *run) lostStock(ctx context.Context) error {
	look := func() ([]string, error) {
		return ask(ctx, r, OrderDatabase, func() ([]string, error) { return r.cfg.Orders.LostStock(ctx, page) })
	}
	lost, err := look()
	if err != nil || len(lost) == 0 {
		return err
	}
	again, err := look()
	if err != nil {
		return err
	}
	for _, sku := range again {
		if slices.Contains(lost, sku) && !r.full() {
			r.violationf(StockLost, sku, "there are stock movements for the SKU, but no stock row")
		}
	}
	return nil
}
