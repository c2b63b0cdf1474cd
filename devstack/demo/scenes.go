package demo

import (
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"

	"holdfast/devstack/shop"
	"holdfast/order"
)

func (d *show) confirmed(ctx context.Context) error {
	if err := d.SetStock(ctx, "mug", 10); err != nil {
		return err
	}
	answer, err := d.PlaceUntilDefinite(ctx, "demo-confirmed", shop.Buy("ada", "tok_ok", "mug", 2))
	if err != nil {
		return err
	}
	return d.check(ctx, "an order", order.NewID("ada", "demo-confirmed"), answer, http.StatusCreated, 1, "mug", 8)
}

func (d *show) declined(ctx context.Context) error {
	answer, err := d.PlaceUntilDefinite(ctx, "demo-declined", shop.Buy("ben", "tok_declined", "mug", 3))
	if err != nil {
		return err
	}
	return d.check(ctx, "a declined payment", order.NewID("ben", "demo-declined"), answer, http.StatusPaymentRequired, 0, "mug", 8)
}

func (d *show) lostAnswer(ctx context.Context) error {
	answer, err := d.PlaceUntilDefinite(ctx, "demo-lost", shop.Buy("cleo", "tok_lost", "mug", 1))
	if err != nil {
		return err
	}
	return d.check(ctx, "the provider charged and dropped the line", order.NewID("cleo", "demo-lost"), answer, http.StatusCreated, 1, "mug", 7)
}

func (d *show) soldOut(ctx context.Context) error {
	if err := d.SetStock(ctx, "print", 1); err != nil {
		return err
	}
	if _, err := d.PlaceUntilDefinite(ctx, "demo-last", shop.Buy("dora", "tok_ok", "print", 1)); err != nil {
		return err
	}
	answer, err := d.PlaceUntilDefinite(ctx, "demo-too-late", shop.Buy("emil", "tok_ok", "print", 1))
	if err != nil {
		return err
	}
	return d.check(ctx, "one more than the last", order.NewID("emil", "demo-too-late"), answer, http.StatusConflict, 0, "print", 0)
}

// check compares an order's end with what it should be: the answer, the provider's ledger, and what
// is left of the SKU. Who was turned away at the gate has no order.
func (d *show) check(ctx context.Context, what string, id order.ID, answer shop.Answer, status int, charges int, sku string, left int64) error {
	net, err := d.netCharges(ctx)
	if err != nil {
		return err
	}
	stock, err := d.Stock(ctx, sku)
	if err != nil {
		return err
	}
	saw := fmt.Sprintf("%d %s", answer.Status, answer.Problem.Slug())
	if answer.ID() != "" {
		end, err := d.Get(ctx, id)
		if err != nil {
			return err
		}
		saw = fmt.Sprintf("%d %s %s", answer.Status, end.Status, end.Reason)
	}
	proof := fmt.Sprintf("%d charges in the provider's ledger, %d of %s left", net[id], stock.Available, sku)
	d.saw(what, saw, proof)
	d.say("%-44s %s; %s", what+":", saw, proof)
	if answer.Status != status || net[id] != charges || stock.Available != left {
		return fmt.Errorf("%s: want HTTP %d, %d charges and %d left", what, status, charges, left)
	}
	return nil
}

// netCharges counts each order's charges less its reversals.
func (d *show) netCharges(ctx context.Context) (map[order.ID]int, error) {
	entries, err := d.Ledger(ctx, d.stack.GatewayURL())
	if err != nil {
		return nil, err
	}
	net := make(map[order.ID]int)
	for _, e := range entries {
		if e.Kind == "charge" {
			net[e.Reference]++
		} else {
			net[e.Reference]--
		}
	}
	return net, nil
}

func (d *show) audit(ctx context.Context) error {
	report, err := d.Audit(ctx)
	if err != nil {
		return err
	}
	for _, v := range report.Violations {
		d.say("  violation: %s %s: %s", v.Kind, v.Subject, v.Message)
	}
	saw := "holds"
	if !report.Holds {
		saw = fmt.Sprintf("%d violations", len(report.Violations))
	}
	d.saw("the audit", saw, fmt.Sprintf("%d orders still in flight", report.InFlight))
	if !report.Holds || report.InFlight > 0 {
		return fmt.Errorf("the audit does not hold: %s, %d orders in flight", saw, report.InFlight)
	}
	return nil
}

func (d *show) printTable() {
	d.say("")
	w := tabwriter.NewWriter(d.out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(w, "SITUATION\tOUTCOME\tPROOF")
	for _, r := range d.table {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", r.what, r.saw, r.proof)
	}
	_ = w.Flush() // to stdout; there is nobody to tell
	d.say("")
}
