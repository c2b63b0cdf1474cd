package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"holdfast/starter/flashsale"
)

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second // a log is read later
)

// showProgress shows how far the sale is, until finish is called: as a bar on a terminal, else as a line now and
// then. It alone writes to stderr meanwhile, and so it is the one to tell of an interruption.
func (a *app) showProgress(ctx context.Context, sale *flashsale.Sale, shoppers int) (finish func()) {
	show, every, end := a.lines(sale, shoppers), lineEvery, func() {}
	if isTerminal(a.stderr) {
		show, end = a.bar(sale, shoppers)
		every = barEvery
	}
	done := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		defer end()
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		interrupted := ctx.Done()
		for {
			select {
			case <-done:
				return
			case <-interrupted:
				interrupted = nil // said once
				end()
				a.sayf("Interrupted: no more shoppers come, and those under way have %s.", saleGrace)
			case <-ticker.C:
				show()
			}
		}
	})
	return func() { close(done); showing.Wait() }
}

// lines shows progress as lines.
func (a *app) lines(sale *flashsale.Sale, shoppers int) (show func()) {
	began := time.Now()
	return func() {
		now := sale.Progress()
		a.sayf("%s: %d of %d shoppers served, %d of them with a confirmed order; %d are waiting",
			time.Since(began).Round(time.Second), now.Ended, shoppers, now.Confirmed, now.Arrived-now.Ended)
	}
}

// bar shows progress as a bar, and end leaves it as it is on a line of its own.
func (a *app) bar(sale *flashsale.Sale, shoppers int) (show, end func()) {
	bar := progressbar.NewOptions(shoppers, progressbar.OptionSetWriter(a.stderr), progressbar.OptionFullWidth(),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("shoppers"))
	show = func() {
		now := sale.Progress()
		bar.Describe(fmt.Sprintf("%d confirmed, %d waiting", now.Confirmed, now.Arrived-now.Ended))
		_ = bar.Set64(now.Ended) // a terminal that is gone
	}
	return show, func() {
		show()
		_, _ = fmt.Fprintln(a.stderr)
	}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
