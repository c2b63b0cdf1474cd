package temporalserver_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"holdfast/devstack/temporalserver"
)

func TestWebUIShowsWorkflows(t *testing.T) {
	t.Parallel()
	srv := start(t, config(t.TempDir()))
	c := dial(t, srv)
	work(t, c)
	finish(t, c, "order/ord_1")

	for _, page := range []string{"/", "/namespaces/" + namespace + "/workflows", "/healthz"} {
		if status, body := get(t, srv, page); status != http.StatusOK || body == "" {
			t.Errorf("%s: %d, %d bytes", page, status, len(body))
		}
	}
	if _, body := get(t, srv, "/"); !strings.Contains(body, "_app/") {
		t.Errorf("the first page is not the UI: %s", body)
	}
	await(t, "the UI's list of workflows", func() bool {
		_, body := get(t, srv, "/api/v1/namespaces/"+namespace+"/workflows")
		return strings.Contains(body, `"workflowId": "order/ord_1"`)
	})
	history := "/api/v1/namespaces/" + namespace + "/workflows/order%2Ford_1/history"
	if status, body := get(t, srv, history); status != http.StatusOK ||
		!strings.Contains(body, "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED") {
		t.Errorf("%s: %d %s", history, status, body)
	}
	var settings struct {
		DefaultNamespace string `json:"DefaultNamespace"`
	}
	_, body := get(t, srv, "/api/v1/settings")
	if err := json.Unmarshal([]byte(body), &settings); err != nil || settings.DefaultNamespace != namespace {
		t.Errorf("settings: %s, %v", body, err)
	}
}

// goOn is a signal as the UI sends it: the JSON text "went on", its encoding json/plain.
const goOn = `{"input": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "IndlbnQgb24i"}]}}`

// The buttons of a workflow's page work, and no other site can press them.
func TestWebUIChangesWorkflowsOnlyFromItsOwnPages(t *testing.T) {
	t.Parallel()
	srv := start(t, config(t.TempDir()))
	c := dial(t, srv)
	work(t, c)
	begin(t, c, "waiting")
	browser, token := browse(t, srv)

	signal := func(headers map[string]string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			srv.UIURL()+"/api/v1/namespaces/"+namespace+"/workflows/waiting/signal/go%20on",
			strings.NewReader(goOn))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			req.Header.Set(name, value)
		}
		return send(t, browser, req)
	}
	if got := signal(map[string]string{
		"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example", "X-CSRF-Token": token,
	}); got != http.StatusForbidden {
		t.Errorf("another site's request: %d", got)
	}
	if got := signal(map[string]string{"X-CSRF-Token": "guessed"}); got != http.StatusForbidden {
		t.Errorf("without the token: %d", got)
	}
	if got := signal(map[string]string{"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": token}); got != http.StatusOK {
		t.Fatalf("the UI's own request: %d", got)
	}
	var result string
	if err := c.GetWorkflow(t.Context(), "waiting", "").Get(t.Context(), &result); err != nil || result != "went on" {
		t.Fatalf("got %q, %v", result, err)
	}
}

func TestWithoutWebUI(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.UI = ""
	if url := start(t, cfg).UIURL(); url != "" {
		t.Fatalf("web UI at %s", url)
	}
}

// browse opens the first page and returns what a browser has then: its cookies, and the token from them.
func browse(t *testing.T, srv *temporalserver.Server) (browser *http.Client, token string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser = &http.Client{Jar: jar}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.UIURL()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	send(t, browser, req)
	for _, cookie := range jar.Cookies(req.URL) {
		if cookie.Name == "_csrf" {
			return browser, cookie.Value
		}
	}
	t.Fatal("the first page set no token")
	return nil, ""
}

func send(t *testing.T, browser *http.Client, req *http.Request) (status int) {
	t.Helper()
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

func get(t *testing.T, srv *temporalserver.Server, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.UIURL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(read)
}
