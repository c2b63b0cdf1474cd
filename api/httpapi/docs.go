package httpapi

import (
	"io/fs"
	"mime"
	"net/http"
	"path"

	"github.com/go-chi/chi/v5"
	swagger "github.com/swaggo/files/v2"
)

// docsPage is Swagger UI's page without its top bar, which would only load documents of others.
const docsPage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>holdfast API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/initializer.js"></script>
</body>
</html>
`

// docsScript points the viewer at our document, and keeps it from asking a validator on the internet.
const docsScript = `window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
`

// docsPolicy lets the page load from here and from nowhere else. The viewer sets styles from its script.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docsFiles are the files of Swagger UI that the page needs; the package has many more.
var docsFiles = map[string]bool{"swagger-ui.css": true, "swagger-ui-bundle.js": true, "favicon-32x32.png": true}

// docs makes the routes of the viewer, all from what is built in.
func (a *API) docs() {
	a.mux.Get("/docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		serve(w, "text/html; charset=utf-8", []byte(docsPage))
	})
	a.mux.Get("/docs/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/docs", http.StatusMovedPermanently)
	})
	a.mux.Get("/docs/initializer.js", func(w http.ResponseWriter, _ *http.Request) {
		serve(w, "text/javascript; charset=utf-8", []byte(docsScript))
	})
	a.mux.Get("/docs/{file}", func(w http.ResponseWriter, r *http.Request) {
		name := chi.URLParam(r, "file")
		if !docsFiles[name] {
			a.notFound(w, r)
			return
		}
		text, err := fs.ReadFile(swagger.FS, name)
		if err != nil { // cannot be: it is built in
			a.notFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=86400") // it changes with the program only
		serve(w, mime.TypeByExtension(path.Ext(name)), text)
	})
}

func serve(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body) //nolint:gosec // all bodies are constants of this program; the client is gone if it fails
}
