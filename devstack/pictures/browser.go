package pictures

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"holdfast/devstack/stack"
)

// patience is how long a page may take to be there.
const patience = 30 * time.Second

// photograph takes the Web UI: the list of workflows, and one of an order that asked for its payment more than once.
func (s *studio) photograph(ctx context.Context, out string) error {
	order, err := s.patientOrder(ctx)
	if err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(1400, 1300))
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	ctx, hangUp := chromedp.NewContext(ctx)
	defer hangUp()
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context that it was first used in
		return fmt.Errorf("start a browser: %w", err)
	}
	base := s.stack.UIURL() + "/namespaces/" + stack.Namespace + "/workflows"
	for _, page := range []struct{ file, at, shows string }{
		{"web-ui-workflows.png", base + "?query=" + url.QueryEscape(`WorkflowType="PlaceOrder"`), "PlaceOrder"},
		{"web-ui-order.png", base + "/" + order, "Charg"},
	} {
		file := filepath.Join(out, page.file)
		if err := take(ctx, page.at, page.shows, file); err != nil {
			return fmt.Errorf("photograph %s: %w", page.at, err)
		}
		s.say("%s", file)
	}
	return nil
}

// take photographs a page once it shows a text.
func take(ctx context.Context, at, shows, file string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx,
		chromedp.Navigate(at),
		chromedp.Poll[chromedp.Void](fmt.Sprintf("document.body.innerText.includes(%q)", shows), chromedp.WithPollingInterval(100*time.Millisecond)),
		chromedp.Sleep(2*time.Second), // what is drawn on the page comes after its text, and tells nobody
	)
	if err != nil {
		return err
	}
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	return os.WriteFile(file, picture, 0o600)
}

// patientOrder finds an order whose payment was asked for again, as the path of its page.
func (s *studio) patientOrder(ctx context.Context) (path string, err error) {
	temporal, err := client.DialContext(ctx, client.Options{HostPort: s.stack.TemporalAddr(), Namespace: stack.Namespace})
	if err != nil {
		return "", err
	}
	defer temporal.Close()
	found, err := temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: stack.Namespace, Query: `WorkflowType = "PlaceOrder" AND HistoryLength > 15`, PageSize: 1,
	})
	if err != nil {
		return "", err
	}
	if len(found.GetExecutions()) == 0 {
		return "", errors.New("no order asked for its payment more than once")
	}
	run := found.GetExecutions()[0].GetExecution()
	return fmt.Sprintf("%s/%s/timeline", url.PathEscape(run.GetWorkflowId()), run.GetRunId()), nil
}
