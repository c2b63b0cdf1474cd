package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// line writes a line of a body.
func line(sku, quantity, price string) string {
	return fmt.Sprintf(`{"sku":%s,"quantity":%s,"unit_price":%s}`, sku, quantity, price)
}

// body writes a body with the lines.
func body(lines ...string) string {
	return `{"customer_id":"c-1","currency":"EUR","payment_method":"tok_ok","lines":[` + strings.Join(lines, ",") + `]}`
}

// with replaces a part of the good body.
func with(old, replacement string) string {
	if !strings.Contains(goodBody, old) {
		panic(old + " is not in the good body")
	}
	return strings.Replace(goodBody, old, replacement, 1)
}

func manyLines(n int) string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = line(fmt.Sprintf(`"sku-%d"`, i), "1", "1")
	}
	return body(lines...)
}

// TestBadOrders: whatever is wrong with the input is said by status, slug and field, and changes nothing.
func TestBadOrders(t *testing.T) {
	shared := newShop(t)
	const tooBig = "9223372036854775808" // 2^63
	for name, test := range map[string]struct {
		body   string
		header map[string]string
		status int
		slug   slug
		fields []string // that must be named
	}{
		"no lines":                 {body: body(), fields: []string{"lines"}},
		"lines are missing":        {body: `{"customer_id":"c-1","currency":"EUR","payment_method":"tok_ok"}`, fields: []string{"lines"}},
		"101 lines":                {body: manyLines(101), fields: []string{"lines"}},
		"quantity 0":               {body: body(line(`"mug"`, "0", "1")), fields: []string{"lines[0].quantity"}},
		"quantity negative":        {body: body(line(`"mug"`, "-1", "1")), fields: []string{"lines[0].quantity"}},
		"quantity 10,001":          {body: body(line(`"mug"`, "10001", "1")), fields: []string{"lines[0].quantity"}},
		"quantities add up":        {body: body(line(`"mug"`, "6000", "1"), line(`"mug"`, "6000", "1")), fields: []string{"lines"}},
		"quantity beyond int64":    {body: body(line(`"mug"`, tooBig, "1")), fields: []string{"lines[0].quantity"}},
		"quantity huge":            {body: body(line(`"mug"`, strings.Repeat("9", 400), "1")), fields: []string{"lines[0].quantity"}},
		"quantity a fraction":      {body: body(line(`"mug"`, "1.5", "1")), fields: []string{"lines[0].quantity"}},
		"quantity a whole float":   {body: body(line(`"mug"`, "1.0", "1")), fields: []string{"lines[0].quantity"}},
		"quantity an exponent":     {body: body(line(`"mug"`, "1e3", "1")), fields: []string{"lines[0].quantity"}},
		"quantity a string":        {body: body(line(`"mug"`, `"1"`, "1")), fields: []string{"lines[0].quantity"}},
		"quantity null":            {body: body(line(`"mug"`, `null`, "1")), fields: []string{"lines[0].quantity"}},
		"quantity missing":         {body: body(`{"sku":"mug","unit_price":1}`), fields: []string{"lines[0].quantity"}},
		"price missing":            {body: body(`{"sku":"mug","quantity":1}`), fields: []string{"lines[0].unit_price"}},
		"price negative":           {body: body(line(`"mug"`, "1", "-1")), fields: []string{"lines[0].unit_price"}},
		"price overflowing":        {body: body(line(`"mug"`, "1", "9007199254740992")), fields: []string{"lines[0].unit_price"}},
		"price beyond int64":       {body: body(line(`"mug"`, "1", "-"+tooBig+"0")), fields: []string{"lines[0].unit_price"}},
		"total overflowing":        {body: body(line(`"mug"`, "2", "9007199254740991")), fields: []string{"lines"}},
		"total of two overflowing": {body: body(line(`"mug"`, "1", "9007199254740991"), line(`"pen"`, "1", "1")), fields: []string{"lines"}},
		"total beyond int64":       {body: body(line(`"mug"`, "10000", "9007199254740991")), fields: []string{"lines"}},
		"one SKU at two prices":    {body: body(line(`"mug"`, "1", "1"), line(`"mug"`, "1", "2")), fields: []string{"lines[1].unit_price"}},
		"every line of many":       {body: body(strings.Split(strings.Repeat(line(`"mug"`, "0", "1")+";", 300), ";")[:300]...), fields: []string{"lines[0].quantity", "lines[49].quantity"}},
		"the third line":           {body: body(line(`"mug"`, "1", "1"), line(`"mug"`, "1", "1"), line(`"mug"`, "0", "-1")), fields: []string{"lines[2].quantity", "lines[2].unit_price"}},
		"SKU of wrong shape":       {body: body(line(`"a b"`, "1", "1")), fields: []string{"lines[0].sku"}},
		"SKU with braces":          {body: body(line(`"{mug}"`, "1", "1")), fields: []string{"lines[0].sku"}},
		"SKU empty":                {body: body(line(`""`, "1", "1")), fields: []string{"lines[0].sku"}},
		"SKU of 65":                {body: body(line(`"`+strings.Repeat("a", 65)+`"`, "1", "1")), fields: []string{"lines[0].sku"}},
		"SKU not ASCII":            {body: body(line(`"tässe"`, "1", "1")), fields: []string{"lines[0].sku"}},
		"SKU escaped":              {body: body(line(`"m\u0000ug"`, "1", "1")), fields: []string{"lines[0].sku"}},
		"SKU a number":             {body: body(line(`7`, "1", "1")), fields: []string{"lines[0].sku"}},
		"customer of wrong shape":  {body: with(`"c-1"`, `"c 1"`), fields: []string{"customer_id"}},
		"customer empty":           {body: with(`"c-1"`, `""`), fields: []string{"customer_id"}},
		"customer of 65":           {body: with(`"c-1"`, `"`+strings.Repeat("c", 65)+`"`), fields: []string{"customer_id"}},
		"customer missing":         {body: with(`"customer_id":"c-1",`, ``), fields: []string{"customer_id"}},
		"customer an object":       {body: with(`"c-1"`, `{"a":[1,{"b":2}]}`), fields: []string{"customer_id"}},
		"currency unknown":         {body: with(`"EUR"`, `"EUX"`), fields: []string{"currency"}},
		"currency in small":        {body: with(`"EUR"`, `"eur"`), fields: []string{"currency"}},
		"currency missing":         {body: with(`"currency":"EUR",`, ``), fields: []string{"currency"}},
		"payment method empty":     {body: with(`"tok_ok"`, `""`), fields: []string{"payment_method"}},
		"payment method of 129":    {body: with(`"tok_ok"`, `"`+strings.Repeat("t", 129)+`"`), fields: []string{"payment_method"}},
		"lines an object":          {body: `{"customer_id":"c-1","currency":"EUR","payment_method":"tok_ok","lines":{"sku":"mug"}}`, fields: []string{"lines"}},
		"lines null":               {body: `{"customer_id":"c-1","currency":"EUR","payment_method":"tok_ok","lines":null}`, fields: []string{"lines"}},
		"a line null":              {body: body(`null`), fields: []string{"lines[0]"}},
		"a line an array":          {body: body(`[]`), fields: []string{"lines[0]"}},
		"unknown field":            {body: with(`{"customer_id"`, `{"coupon":"X","customer_id"`), fields: []string{"coupon"}},
		"unknown field of a line":  {body: with(`"sku"`, `"gift":{"wrap":true},"sku"`), fields: []string{"lines[0].gift"}},
		"a field in capitals":      {body: with(`"sku"`, `"SKU"`), fields: []string{"lines[0].SKU", "lines[0].sku"}},
		"all at once":              {body: `{"currency":1,"lines":[{"sku":2},3],"x":4}`, fields: []string{"currency", "lines[0].sku", "lines[0].quantity", "lines[0].unit_price", "lines[1]", "x", "customer_id", "payment_method"}},
		"more than anyone reads":   {body: `{` + manyUnknown(5000) + `}`, fields: []string{"n0"}},
		"the body a string":        {body: `"order"`, fields: []string{"body"}},
		"the body null":            {body: `null`, fields: []string{"body"}},
		"the body an array":        {body: `[` + goodBody + `]`, fields: []string{"body"}},
		"no key":                   {header: map[string]string{"Idempotency-Key": ""}, fields: []string{"Idempotency-Key"}},
		"key with a blank":         {header: map[string]string{"Idempotency-Key": "a b"}, fields: []string{"Idempotency-Key"}},
		"key not ASCII":            {header: map[string]string{"Idempotency-Key": "schlüssel"}, fields: []string{"Idempotency-Key"}},
		"key of 256":               {header: map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}, fields: []string{"Idempotency-Key"}},
		"wait beyond 30":           {header: map[string]string{"Prefer": "wait=31"}, fields: []string{"Prefer"}},
		"wait negative":            {header: map[string]string{"Prefer": "wait=-1"}, fields: []string{"Prefer"}},
		"wait a fraction":          {header: map[string]string{"Prefer": "respond-async, wait=0.5"}, fields: []string{"Prefer"}},
		"wait of nothing":          {header: map[string]string{"Prefer": "wait"}, fields: []string{"Prefer"}},

		"empty":             {body: " ", status: 400, slug: slugMalformed},
		"not JSON":          {body: "customer_id=c-1", status: 400, slug: slugMalformed},
		"cut off":           {body: goodBody[:len(goodBody)-1], status: 400, slug: slugMalformed},
		"cut off in a name": {body: goodBody[:8], status: 400, slug: slugMalformed},
		"trailing comma":    {body: with(`300}`, `300,}`), status: 400, slug: slugMalformed},
		"trailing garbage":  {body: goodBody + "x", status: 400, slug: slugMalformed},
		"two documents":     {body: goodBody + goodBody, status: 400, slug: slugMalformed},
		"a name twice":      {body: with(`"quantity":2`, `"quantity":2,"quantity":3`), status: 400, slug: slugMalformed},
		"a comment":         {body: "/* order */" + goodBody, status: 400, slug: slugMalformed},
		"a leading zero":    {body: with(`"quantity":2`, `"quantity":02`), status: 400, slug: slugMalformed},
		"NaN":               {body: with(`"quantity":2`, `"quantity":NaN`), status: 400, slug: slugMalformed},
		"not UTF-8":         {body: with(`c-1`, "c\xff1"), status: 400, slug: slugMalformed},
		"a control code":    {body: with(`c-1`, "c\n1"), status: 400, slug: slugMalformed},
		"absurdly nested":   {body: strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000), status: 400, slug: slugMalformed},
		"never closed":      {body: strings.Repeat(`{"lines":[`, 6_000), status: 400, slug: slugMalformed},
		"nested in a field": {body: with(`"c-1"`, strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)), status: 400, slug: slugMalformed},
		"nested elsewhere":  {body: with(`{"customer_id"`, `{"x":`+strings.Repeat(`{"a":`, 5_000)+"1"+strings.Repeat("}", 5_000)+`,"customer_id"`), status: 400, slug: slugMalformed},

		"over 64 KiB":  {body: goodBody + strings.Repeat(" ", 64<<10), status: 413, slug: slugTooLarge},
		"no type":      {header: map[string]string{"Content-Type": ""}, status: 415, slug: slugWrongType},
		"a form":       {header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, status: 415, slug: slugWrongType},
		"text":         {header: map[string]string{"Content-Type": "text/plain"}, status: 415, slug: slugWrongType},
		"some JSON":    {header: map[string]string{"Content-Type": "application/problem+json"}, status: 415, slug: slugWrongType},
		"Latin 1":      {header: map[string]string{"Content-Type": "application/json; charset=iso-8859-1"}, status: 415, slug: slugWrongType},
		"broken type":  {header: map[string]string{"Content-Type": "application/json; charset"}, status: 415, slug: slugWrongType},
		"compressed":   {header: map[string]string{"Content-Encoding": "gzip"}, status: 415, slug: slugWrongType},
		"unknown SKUs": {body: body(line(`"mug"`, "1", "1"), line(`"cup"`, "1", "1"), line(`"can"`, "1", "1")), status: 409, slug: slugUnknownSKU},
	} {
		t.Run(name, func(t *testing.T) {
			s := shared.in(t)
			if test.body == "" {
				test.body = goodBody
			}
			if test.status == 0 {
				test.status, test.slug = http.StatusUnprocessableEntity, slugInvalid
			}
			s.unchanged(func() {
				w := s.send(request{method: http.MethodPost, path: "/v1/orders", body: test.body, header: test.header})
				p := problem(t, w, test.status, test.slug)
				named := fieldsOf(p)
				for _, field := range test.fields {
					if !slices.Contains(named, field) {
						t.Errorf("%q is not named, but %q", field, named)
					}
				}
				if p.OrderID != "" {
					t.Errorf("it names order %s, which is not", p.OrderID)
				}
				if len(w.Body.String()) > 8<<10 {
					t.Errorf("the problem has %d bytes", w.Body.Len())
				}
			})
		})
	}
}

func manyUnknown(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`"n%d":1`, i)
	}
	return strings.Join(names, ",")
}

func fieldsOf(p Problem) []string {
	var fields []string
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
	}
	return fields
}

// TestGoodOrders: what is unusual and not wrong is taken.
func TestGoodOrders(t *testing.T) {
	for name, r := range map[string]request{
		"the type with a charset":  {header: map[string]string{"Content-Type": "application/json; charset=utf-8"}},
		"the charset quoted":       {header: map[string]string{"Content-Type": `Application/JSON ; charset="UTF-8"`}},
		"white space":              {body: " \r\n\t" + goodBody + "\n"},
		"escapes":                  {body: with(`"mug"`, `"\u006dug"`)},
		"the order of names":       {body: `{"lines":[{"unit_price":300,"quantity":2,"sku":"mug"}],"payment_method":"tok_ok","currency":"EUR","customer_id":"c-1"}`},
		"lines to be merged":       {body: body(line(`"mug"`, "1", "300"), line(`"mug"`, "1", "300"))},
		"a total of 0":             {body: body(line(`"mug"`, "2", "0"))},
		"minus 0":                  {body: body(line(`"mug"`, "2", "-0"))},
		"the largest total":        {body: body(line(`"mug"`, "1", "9007199254740991"))},
		"other preferences":        {header: map[string]string{"Prefer": "respond-async, handling=lenient"}},
		"the wait among others":    {header: map[string]string{"Prefer": `respond-async, Wait="3"; x=1`}},
		"just 64 KiB":              {body: goodBody + strings.Repeat(" ", maxBody-len(goodBody))},
		"a key of 255":             {header: map[string]string{"Idempotency-Key": strings.Repeat("k", 255)}},
		"an encoding that is none": {header: map[string]string{"Content-Encoding": "identity"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			r.method, r.path = http.MethodPost, "/v1/orders"
			if r.body == "" {
				r.body = goodBody
			}
			document[any](t, s.send(r), http.StatusCreated)
		})
	}
}

// TestTooLargeWithoutLength: a body whose length nobody says is cut off where it becomes too long.
func TestTooLargeWithoutLength(t *testing.T) {
	s := newShop(t)
	s.unchanged(func() {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/orders", strings.NewReader(goodBody+strings.Repeat(" ", maxBody)))
		req.ContentLength = -1
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, req)
		problem(t, w, http.StatusRequestEntityTooLarge, slugTooLarge)
	})
}

// TestBadQueries: parameters and paths of other calls.
func TestBadQueries(t *testing.T) {
	shared := newShop(t)
	for name, test := range map[string]struct {
		path   string
		status int
		slug   slug
		field  string
	}{
		"status unknown":            {"/v1/orders?status=DONE", 422, slugInvalid, "status"},
		"status in small":           {"/v1/orders?status=pending", 422, slugInvalid, "status"},
		"customer of wrong shape":   {"/v1/orders?customer_id=c%201", 422, slugInvalid, "customer_id"},
		"attention neither":         {"/v1/orders?attention=maybe", 422, slugInvalid, "attention"},
		"limit 0":                   {"/v1/orders?limit=0", 422, slugInvalid, "limit"},
		"limit 201":                 {"/v1/orders?limit=201", 422, slugInvalid, "limit"},
		"limit negative":            {"/v1/orders?limit=-1", 422, slugInvalid, "limit"},
		"limit beyond int64":        {"/v1/orders?limit=9223372036854775808", 422, slugInvalid, "limit"},
		"limit a word":              {"/v1/orders?limit=all", 422, slugInvalid, "limit"},
		"a parameter misspelt":      {"/v1/orders?sattus=PENDING", 422, slugInvalid, "sattus"},
		"cursor of nobody":          {"/v1/orders?cursor=abc", 400, slugMalformed, "cursor"},
		"cursor not base64":         {"/v1/orders?cursor=%21%21", 400, slugMalformed, "cursor"},
		"cursor of stock":           {"/v1/orders?cursor=" + stockCursor("mug"), 400, slugMalformed, "cursor"},
		"stock limit 201":           {"/v1/stock?limit=201", 422, slugInvalid, "limit"},
		"stock cursor of nobody":    {"/v1/stock?cursor=abc", 400, slugMalformed, "cursor"},
		"stock cursor of no SKU":    {"/v1/stock?cursor=" + stockCursor("a b"), 400, slugMalformed, "cursor"},
		"order id of wrong shape":   {"/v1/orders/4711", 422, slugInvalid, "id"},
		"order id too long":         {"/v1/orders/ord_" + strings.Repeat("a", 27), 422, slugInvalid, "id"},
		"order id of wrong letters": {"/v1/orders/ord_" + strings.Repeat("1", 26), 422, slugInvalid, "id"},
		"no such order":             {"/v1/orders/ord_" + strings.Repeat("a", 26), 404, slugNotFound, ""},
		"SKU of wrong shape":        {"/v1/stock/a%20b", 422, slugInvalid, "sku"},
		"SKU with a slash":          {"/v1/stock/a%2Fb", 422, slugInvalid, "sku"},
		"SKU of 65":                 {"/v1/stock/" + strings.Repeat("a", 65), 422, slugInvalid, "sku"},
		"no such SKU":               {"/v1/stock/cup", 404, slugNotFound, ""},
		"no such route":             {"/v1/baskets", 404, slugNotFound, ""},
		"no SKU":                    {"/v1/stock/", 404, slugNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := shared.in(t)
			s.unchanged(func() {
				p := problem(t, s.get(test.path), test.status, test.slug)
				if test.field != "" && !slices.Contains(fieldsOf(p), test.field) {
					t.Errorf("%q is not named, but %q", test.field, fieldsOf(p))
				}
			})
		})
	}
}

// TestWrongMethod: a 405 says what is allowed.
func TestWrongMethod(t *testing.T) {
	s := newShop(t)
	for path, want := range map[string][]string{
		"/v1/orders":             {"GET", "HEAD", "POST"},
		"/v1/stock/mug":          {"GET", "HEAD", "PUT"},
		"/v1/audit":              {"GET", "HEAD"},
		"/v1/stock/mug/receipts": {"POST"},
	} {
		w := s.send(request{method: http.MethodDelete, path: path})
		problem(t, w, http.StatusMethodNotAllowed, slugMethodNotAllowed)
		if got := w.Header().Values("Allow"); !slices.Equal(got, want) {
			t.Errorf("%s allows %q, want %q", path, got, want)
		}
	}
}

func TestAnOrderTakesNoParameters(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.unchanged(func() {
		w := s.send(request{
			method: http.MethodPost, path: "/v1/orders?wait=3", body: goodBody, header: map[string]string{"Idempotency-Key": "key-1"},
		})
		if p := problem(t, w, http.StatusUnprocessableEntity, slugInvalid); len(p.Errors) != 1 || p.Errors[0].Field != "wait" {
			t.Errorf("answered %+v", p)
		}
	})
}
