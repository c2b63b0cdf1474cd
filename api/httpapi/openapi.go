package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// humaConfig starts from nothing and not from huma's defaults, which add $schema to every answer and
// serve documentation that loads its scripts from elsewhere.
func humaConfig(version string) huma.Config {
	format := huma.Format{Marshal: marshal, Unmarshal: json.Unmarshal}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "holdfast", Version: version, Description: description()},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			},
			Tags: []*huma.Tag{
				{Name: tagOrders, Description: "Place orders and look at them. Amounts are integers, in minor units of the currency."},
				{Name: tagStock, Description: "What there is to sell, in units."},
				{Name: tagPayments, Description: "For the payment provider."},
				{Name: tagSystem, Description: "For those who run it."},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format}, // the latter for what ends in +json
		DefaultFormat:                "application/json",
		Transformers:                 []huma.Transformer{traceProblem},
		RejectUnknownQueryParameters: true, // a filter that is misspelt must not list everything
	}
}

// marshal writes an answer. A client that hung up is not an error of ours, as huma would have it.
func marshal(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, _ = w.Write(append(text, '\n'))
	return nil
}

// schemaName drops what tells Go types from each other.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "JSON")
}

// description lists the sorts of problems.
func description() string {
	var b strings.Builder
	b.WriteString("Places orders that hold under fire.\n\n" +
		"Every error is a problem document (RFC 9457) whose `type` ends in one of these slugs:\n\n| slug | status | |\n|---|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", k.slug, k.status, k.title)
	}
	return b.String()
}

// takesBody documents the body of the operation at the path that takes one. It comes after the
// registration: huma reads every body that it knows of, which jsonBody does itself.
func takesBody[T any](a *API, path string) {
	item := a.huma.OpenAPI().Paths[path]
	op := item.Post
	if op == nil {
		op = item.Put
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: jsonContent[T](a.huma)}
}

func jsonContent[T any](api huma.API) map[string]*huma.MediaType {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	return map[string]*huma.MediaType{"application/json": {Schema: schema}}
}

func orderResponse(api huma.API, words string) *huma.Response {
	location := &huma.Param{Description: "Where the order is.", Schema: &huma.Schema{Type: huma.TypeString}}
	return &huma.Response{Description: words, Content: jsonContent[orderJSON](api), Headers: map[string]*huma.Param{"Location": location}}
}

func stockResponse(api huma.API, words string) *huma.Response {
	etag := &huma.Param{Description: "The version of the stock, for If-Match.", Schema: &huma.Schema{Type: huma.TypeString}}
	return &huma.Response{Description: words, Content: jsonContent[stockJSON](api), Headers: map[string]*huma.Param{"ETag": etag}}
}

// documents makes the routes of the OpenAPI document, which is complete by now, and of its viewer.
func (a *API) documents() error {
	text, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return fmt.Errorf("make the OpenAPI document: %w", err)
	}
	a.mux.Get("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(text)
	})
	a.docs()
	return nil
}
