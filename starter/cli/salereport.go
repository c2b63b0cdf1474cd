package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/starter/flashsale"
)

// saleDoc is what came of a flash sale.
type saleDoc struct {
	Run         string `json:"run"` // begins the keys of the orders, and the reference of the receipts
	Seed        uint32 `json:"seed"`
	Shoppers    int    `json:"shoppers"`
	Arrived     int64  `json:"arrived"`
	Late        int64  `json:"late"` // came well after their time: the bound on those under way was reached, or this machine was busy
	Interrupted bool   `json:"interrupted"`
	TimedOut    bool   `json:"timed_out"`

	DurationS          float64 `json:"duration_s"`
	OrdersPerSecond    float64 `json:"orders_per_second"` // with a definite outcome, until the last of them
	ConfirmedPerSecond float64 `json:"confirmed_per_second"`
	Requests           int64   `json:"requests"`
	Repeats            int64   `json:"repeats"`

	Outcomes map[string]outcomeDoc `json:"outcomes"` // every outcome is there
	Troubles []troubleDoc          `json:"troubles"`

	Units    unitsDoc      `json:"units"`
	Oversold []oversoldDoc `json:"oversold"`

	Holds *bool           `json:"holds"` // nil if the audit could not be made
	Audit json.RawMessage `json:"audit"` // the API's report; null if it could not be made

	audit auditDoc
}

type outcomeDoc struct {
	Orders  int `json:"orders"`
	WasFull int `json:"was_full"` // of those, they that were once answered that the API is full
	// LatencyMS is nil if there are none, or if they have no end.
	LatencyMS *latencyDoc `json:"latency_ms"`
}

type latencyDoc struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

type troubleDoc struct {
	Words  string `json:"words"`
	Orders int    `json:"orders"`
}

type unitsDoc struct {
	OnSale    int64  `json:"on_sale"` // on hand when the sale began
	Confirmed int64  `json:"confirmed"`
	Left      *int64 `json:"left"` // on hand afterwards; nil if it could not be read
}

// oversoldDoc is a SKU of which more units were confirmed than there were.
type oversoldDoc struct {
	SKU       string `json:"sku"`
	OnSale    int64  `json:"on_sale"`
	Confirmed int64  `json:"confirmed"`
}

// concludeSale reads what is left, has the promises proved, prints the report and says what is wrong.
func (a *app) concludeSale(ctx context.Context, f saleFlags, plan flashsale.Plan, onSale map[string]int64, r flashsale.Result) error {
	doc := newSaleDoc(plan, onSale, r)
	left, missing, err := a.readShelf(ctx, plan.SKUs)
	switch {
	case err != nil:
		a.sayf("What is left could not be read: %v", err)
	case len(missing) > 0:
		a.sayf("What is left could not be read: there is no SKU %s any more", someOf(missing))
	default:
		units := sum(left)
		doc.Units.Left = &units
	}
	raw, report, notMade := readAudit(a.askPatiently(ctx, auditRequest(auditTimeout)))
	if notMade == nil {
		doc.Audit, doc.Holds, doc.audit = json.RawMessage(raw), report.Holds, report
	}
	if err := a.printSale(f, doc, r); err != nil {
		return err
	}
	return a.judgeSale(doc, notMade)
}

func newSaleDoc(plan flashsale.Plan, onSale map[string]int64, r flashsale.Result) saleDoc {
	doc := saleDoc{
		Run: plan.Run, Seed: plan.Seed, Shoppers: plan.Shoppers, Arrived: r.Arrived, Late: r.Late,
		Interrupted: r.Interrupted, TimedOut: r.TimedOut,
		DurationS: rounded(r.Elapsed.Seconds()), OrdersPerSecond: rounded(r.PerSecond(r.Definite)),
		ConfirmedPerSecond: rounded(r.PerSecond(r.Groups[flashsale.Confirmed].Orders)),
		Requests:           r.Requests, Repeats: r.Repeats,
		Outcomes: make(map[string]outcomeDoc), Troubles: []troubleDoc{},
		Units: unitsDoc{OnSale: sum(onSale), Confirmed: sum(r.Units)}, Oversold: []oversoldDoc{},
	}
	for outcome, group := range r.Groups {
		o := outcomeDoc{Orders: group.Orders, WasFull: group.WasFull}
		if group.Orders > 0 && outcome.Definite() {
			l := group.Latency
			o.LatencyMS = &latencyDoc{P50: ms(l.P50), P90: ms(l.P90), P99: ms(l.P99), P999: ms(l.P999), Max: ms(l.Max)}
		}
		doc.Outcomes[outcome.String()] = o
	}
	for _, t := range r.Troubles {
		doc.Troubles = append(doc.Troubles, troubleDoc(t))
	}
	for _, sku := range plan.SKUs {
		if r.Units[sku] > onSale[sku] {
			doc.Oversold = append(doc.Oversold, oversoldDoc{SKU: sku, OnSale: onSale[sku], Confirmed: r.Units[sku]})
		}
	}
	return doc
}

func ms(d time.Duration) float64 { return rounded(float64(d) / float64(time.Millisecond)) }

// rounded keeps three decimals: the rest is noise.
func rounded(f float64) float64 { return float64(int64(f*1000+0.5)) / 1000 }

func (a *app) printSale(f saleFlags, doc saleDoc, r flashsale.Result) error {
	if a.output == formatJSON {
		return a.printAsJSON(doc)
	}
	tables := [][][]string{saleRows(f, doc), outcomeRows(r)}
	if len(doc.Troubles) > 0 {
		rows := [][]string{{"ORDERS", "TROUBLE"}}
		for _, t := range doc.Troubles {
			rows = append(rows, []string{fmt.Sprint(t.Orders), t.Words})
		}
		tables = append(tables, rows)
	}
	for _, rows := range tables {
		if err := errors.Join(printTable(a.stdout, rows...), a.printLine()); err != nil {
			return err
		}
	}
	if doc.Holds == nil {
		return printTable(a.stdout, []string{"Promises hold", "not known: the audit could not be made"})
	}
	return a.printAuditTable(doc.audit)
}

func saleRows(f saleFlags, doc saleDoc) [][]string {
	shoppers := fmt.Sprint(doc.Shoppers)
	if doc.Arrived < int64(doc.Shoppers) {
		shoppers += fmt.Sprintf(", of whom %d came", doc.Arrived)
	}
	pace := fmt.Sprintf("%d shoppers at a time", f.pace.Concurrency)
	if f.pace.Rate > 0 {
		pace = fmt.Sprintf("%g shoppers a second, at most %d under way; %d came late", f.pace.Rate, f.pace.Outstanding, doc.Late)
	}
	left := "not known"
	if doc.Units.Left != nil {
		left = fmt.Sprint(*doc.Units.Left)
	}
	return [][]string{
		{"Sale", doc.Run},
		{"Shoppers", shoppers},
		{"Pace", pace},
		{"Seed", fmt.Sprint(doc.Seed)},
		{"Took", fmt.Sprintf("%.3f s%s", doc.DurationS, cutShort(doc))},
		{"Orders/s", fmt.Sprintf("%.1f, of which %.1f confirmed", doc.OrdersPerSecond, doc.ConfirmedPerSecond)},
		{"Requests", fmt.Sprintf("%d, of which %d repeats", doc.Requests, doc.Repeats)},
		{"Units", fmt.Sprintf("%d on sale, %d confirmed, %s left", doc.Units.OnSale, doc.Units.Confirmed, left)},
	}
}

func cutShort(doc saleDoc) string {
	switch {
	case doc.Interrupted:
		return ", interrupted"
	case doc.TimedOut:
		return ", ended by --timeout"
	}
	return ""
}

// outcomeRows lists the outcomes that there were. Latencies are in milliseconds.
func outcomeRows(r flashsale.Result) [][]string {
	rows := [][]string{{"OUTCOME", "ORDERS", "ONCE FULL", "P50 MS", "P90 MS", "P99 MS", "P99.9 MS", "MAX MS"}}
	for _, outcome := range flashsale.Outcomes() {
		group := r.Groups[outcome]
		if group.Orders == 0 {
			continue
		}
		row := []string{outcome.String(), fmt.Sprint(group.Orders), fmt.Sprint(group.WasFull)}
		if outcome.Definite() {
			l := group.Latency
			for _, d := range []time.Duration{l.P50, l.P90, l.P99, l.P999, l.Max} {
				row = append(row, fmt.Sprintf("%.1f", ms(d)))
			}
		} else {
			row = append(row, slices.Repeat([]string{""}, 5)...)
		}
		rows = append(rows, row)
	}
	return rows
}

// judgeSale says what is wrong, and whether the command has failed for it.
func (a *app) judgeSale(doc saleDoc, notMade error) error {
	bad := false
	for _, o := range doc.Oversold {
		a.sayf("OVERSOLD: %d units of %s were confirmed, and %d were on sale.", o.Confirmed, o.SKU, o.OnSale)
		bad = true
	}
	switch {
	case notMade != nil:
		a.sayNotMade(notMade)
		bad = true
	case !*doc.Holds:
		a.sayAudit(doc.audit)
		bad = true
	}
	if n := doc.Outcomes[flashsale.Failed.String()].Orders; n > 0 {
		a.sayf("%d orders FAILED: they were answered what is no outcome of an order.", n)
		bad = true
	}
	var open []string
	for _, outcome := range flashsale.Outcomes() {
		if n := doc.Outcomes[outcome.String()].Orders; n > 0 && !outcome.Definite() {
			open = append(open, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	if len(open) > 0 {
		a.sayf("Orders without an end: %s.", strings.Join(open, ", "))
	}
	if bad {
		return codeError(exitError)
	}
	return nil
}

// sayNotMade says why there is no audit. Stdout has its document already.
func (a *app) sayNotMade(err error) {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		a.sayf("%v", err)
		return
	}
	a.sayf("%s", f.problem.words())
	for _, line := range f.advice {
		a.sayf("%s", line)
	}
}
