package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"holdfast/order"
)

// TestOpenAPI: the document is OpenAPI 3.1, names every route, resolves every reference, and says of
// every error that it is a problem.
func TestOpenAPI(t *testing.T) {
	s := newShop(t)
	w := s.get("/openapi.json")
	var doc struct {
		OpenAPI string `json:"openapi"`
		Info    struct {
			Title   string `json:"title"`
			Version string `json:"version"`
		} `json:"info"`
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct {
				Name     string `json:"name"`
				In       string `json:"in"`
				Required bool   `json:"required"`
			} `json:"parameters"`
			RequestBody *struct {
				Content map[string]any `json:"content"`
			} `json:"requestBody"`
			Responses map[string]struct {
				Description string `json:"description"`
				Content     map[string]struct {
					Schema map[string]any `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" {
		t.Errorf("the document is of version %q, with info %+v", doc.OpenAPI, doc.Info)
	}
	ids := make(map[string]bool)
	err := chi.Walk(s.api.mux, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasPrefix(route, "/docs") || route == "/openapi.json" {
			return nil
		}
		op, ok := doc.Paths[route][strings.ToLower(method)]
		if !ok {
			t.Errorf("%s %s is not in the document", method, route)
		}
		if op.OperationID == "" || ids[op.OperationID] {
			t.Errorf("%s %s has the id %q", method, route, op.OperationID)
		}
		ids[op.OperationID] = true
		if takes := (method == http.MethodPost || method == http.MethodPut) && op.OperationID != "cancelOrder"; takes != (op.RequestBody != nil) {
			t.Errorf("%s %s: a body is described: %v", method, route, op.RequestBody != nil)
		}
		for status, response := range op.Responses {
			if response.Description == "" {
				t.Errorf("%s %s: %s has no description", method, route, status)
			}
			if status >= "400" && response.Content[problemType].Schema["$ref"] != "#/components/schemas/Problem" {
				t.Errorf("%s %s: %s is no problem", method, route, status)
			}
		}
		for _, segment := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(route, -1) {
			found := false
			for _, p := range op.Parameters {
				found = found || (p.In == "path" && p.Name == segment[1] && p.Required)
			}
			if !found {
				t.Errorf("%s %s: %s is not described", method, route, segment[0])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 13 {
		t.Errorf("there are %d routes: %q", len(ids), slices.Sorted(maps.Keys(ids)))
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("%s does not exist", ref[0])
		}
	}
	for _, k := range kinds {
		if !strings.Contains(w.Body.String(), "`"+string(k.slug)+"`") {
			t.Errorf("%s is not described", k.slug)
		}
	}
}

// TestOpenAPIAgrees: the patterns of the document, which only describe, are those that package order
// enforces.
func TestOpenAPIAgrees(t *testing.T) {
	s := newShop(t)
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Pattern string `json:"pattern"`
				} `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(s.get("/openapi.json").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	pattern := func(schema, property string) *regexp.Regexp {
		p := doc.Components.Schemas[schema].Properties[property].Pattern
		if p == "" {
			t.Fatalf("%s.%s has no pattern", schema, property)
		}
		return regexp.MustCompile(p)
	}
	samples := []string{"", "a", "A.b_c-9", "a:b", "a@b", "a+b", "-a", ".a", "a b", "ä", "a/b", "a\n"}
	for _, length := range []int{64, 65, 128, 129} {
		samples = append(samples, strings.Repeat("a", length))
	}
	for _, v := range samples {
		for property, check := range map[string]func() error{
			"customer_id": func() error {
				_, err := order.New(v, "k", "EUR", "t", []order.Line{{SKU: "s", Quantity: 1}})
				return err
			},
			"payment_method": func() error {
				_, err := order.New("c", "k", "EUR", v, []order.Line{{SKU: "s", Quantity: 1}})
				return err
			},
		} {
			if got, want := pattern("OrderInput", property).MatchString(v), check() == nil; got != want {
				t.Errorf("%s %q: the document says %v, package order %v", property, v, got, want)
			}
		}
		if got, want := pattern("OrderLine", "sku").MatchString(v), order.CheckSKU(v) == nil; got != want {
			t.Errorf("sku %q: the document says %v, package order %v", v, got, want)
		}
	}
}

// TestDocs: the viewer comes from here alone.
func TestDocs(t *testing.T) {
	s := newShop(t)
	page := s.get("/docs")
	if page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("answered %d %s", page.Code, page.Header().Get("Content-Type"))
	}
	if policy := page.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "http") {
		t.Errorf("the policy is %q", policy)
	}
	loaded := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(loaded) != 4 {
		t.Errorf("the page loads %q", loaded)
	}
	for _, l := range loaded {
		if w := s.get(l[1]); !strings.HasPrefix(l[1], "/docs/") || w.Code != http.StatusOK || w.Header().Get("Content-Type") == "" || w.Body.Len() == 0 {
			t.Errorf("%s answers %d", l[1], w.Code)
		}
	}
	if script := s.get("/docs/initializer.js").Body.String(); strings.Contains(script, "http") || !strings.Contains(script, `"/openapi.json"`) {
		t.Errorf("the script is %s", script)
	}
	problem(t, s.get("/docs/swagger-ui.js.map"), http.StatusNotFound, slugNotFound)
	if w := s.get("/docs/"); w.Header().Get("Location") != "/docs" {
		t.Errorf("/docs/ leads to %q", w.Header().Get("Location"))
	}
}
