package flashsale

import (
	"reflect"
	"testing"

	"holdfast/order"
)

func plan(shoppers int) Plan {
	return Plan{
		Run: "r", Seed: 7, Shoppers: shoppers, SKUs: SKUs("drop", 5), Lines: Span{1, 3},
		Tokens: Mix{{"tok_ok", 90}, {"tok_declined", 5}, {"tok_never", 0}, {"tok_lost", 5}},
	}
}

func TestAPlanIsRepeatable(t *testing.T) {
	t.Parallel()
	one, other := plan(100), plan(100)
	other.Run = "s"
	reseeded := plan(100)
	reseeded.Seed = 8
	different := 0
	for i := range 100 {
		a, b, c := one.Order(i), other.Order(i), reseeded.Order(i)
		if a.Key == b.Key {
			t.Errorf("two sales share the key %s", a.Key)
		}
		b.Key = a.Key
		if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(a, one.Order(i)) {
			t.Errorf("shopper %d orders %+v, and then %+v", i, a, b)
		}
		if !reflect.DeepEqual(a, c) {
			different++
		}
	}
	if different < 50 {
		t.Errorf("another seed changed only %d orders of 100", different)
	}
}

// TestAPlanMixes shows that weights are kept, every SKU is as likely, and every order is one that the domain takes.
func TestAPlanMixes(t *testing.T) {
	t.Parallel()
	const shoppers = 20_000
	p := plan(shoppers)
	tokens, skus, lines := map[string]int{}, map[string]int{}, map[int]int{}
	customers := map[string]bool{}
	for i := range shoppers {
		o := p.Order(i)
		tokens[o.PaymentMethod]++
		lines[len(o.Lines)]++
		customers[o.CustomerID] = true
		for _, line := range o.Lines {
			skus[line.SKU]++
		}
		valid, err := order.New(o.CustomerID, o.Key, Currency, o.PaymentMethod, o.Lines)
		if err != nil || len(valid.Lines) != len(o.Lines) {
			t.Fatalf("shopper %d orders %+v: %v", i, o, err)
		}
	}
	near := func(what string, got, want int) {
		t.Helper()
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("%s: %d, want about %d", what, got, want)
		}
	}
	near("tok_ok", tokens["tok_ok"], shoppers*90/100)
	near("tok_declined", tokens["tok_declined"], shoppers*5/100)
	near("tok_lost", tokens["tok_lost"], shoppers*5/100)
	for n := 1; n <= 3; n++ {
		near("orders of some lines", lines[n], shoppers/3)
	}
	for _, sku := range p.SKUs {
		near(sku, skus[sku], shoppers*2/5)
	}
	if len(tokens) != 3 || len(lines) != 3 || len(skus) != 5 || len(customers) != shoppers {
		t.Errorf("%v, %v, %v and %d customers", tokens, lines, skus, len(customers))
	}
}

func TestSKUs(t *testing.T) {
	t.Parallel()
	if got := SKUs("drop", 1); !reflect.DeepEqual(got, []string{"drop"}) {
		t.Error(got)
	}
	if got := SKUs("drop", 3); !reflect.DeepEqual(got, []string{"drop-1", "drop-2", "drop-3"}) {
		t.Error(got)
	}
}
