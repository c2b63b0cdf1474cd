package sandbox_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/payment/sandbox"
)

// child is a provider in a process of its own.
func child(t *testing.T, journal string, asyncDelay time.Duration) (*exec.Cmd, string) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), executable)
	cmd.Env = append(os.Environ(), journalVariable+"="+journal, asyncVariable+"="+asyncDelay.String())
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(url)
}

// TestKilledProcess: kill -9 in the middle of a storm of charges and reversals loses nothing that was
// answered, and whoever got no answer asks again and is charged once.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	const shoppers, killAt = 16, 1000
	journal := filepath.Join(t.TempDir(), "journal")
	cmd, url := child(t, journal, time.Hour)
	var answers atomic.Int64
	last := make([]string, shoppers)       // the reference of each shopper that got no answer
	answered := make([][]string, shoppers) // the references of those that did
	var group sync.WaitGroup
	for shopper := range shoppers {
		group.Go(func() {
			for n := 0; ; n++ {
				reference := strconv.Itoa(shopper) + "_" + strconv.Itoa(n)
				last[shopper] = reference
				got, err := ask(t.Context(), http.MethodPost, url+"/v1/charges", "k"+reference, chargeBody(reference, 100, sandbox.TokenOK))
				if err == nil && n%3 == 0 {
					got, err = ask(t.Context(), http.MethodPost, url+"/v1/reversals", "k", `{"reference":"`+reference+`"}`)
				}
				if err != nil {
					return
				}
				if got.code != http.StatusOK {
					t.Errorf("got %+v", got)
				}
				answered[shopper] = append(answered[shopper], reference)
				if answers.Add(1) == killAt {
					if err := cmd.Process.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	_ = cmd.Wait() // it was killed

	a, stop := start(t, journal, quiet())
	defer stop()
	var net int64
	for shopper := range shoppers {
		for n, reference := range answered[shopper] {
			if n%3 == 0 {
				a.want(a.find(reference), "reversed", sandbox.ReasonReversed)
			} else {
				a.want(a.find(reference), "approved", "")
				net += 100
			}
		}
		got := a.charge("k"+last[shopper], last[shopper], 100, sandbox.TokenOK)
		if got.Reason == sandbox.ReasonReversed && len(answered[shopper])%3 == 0 {
			continue // its reversal was on the way, and was decided before the kill
		}
		a.want(got, "approved", "")
		net += 100
	}
	seen := make(map[string]bool)
	for _, e := range a.entries() {
		if e.Kind == sandbox.KindReversal {
			net += e.Amount
			continue
		}
		if seen[e.Reference] {
			t.Errorf("%s was charged twice", e.Reference)
		}
		seen[e.Reference] = true
		net -= e.Amount
	}
	if net != 0 {
		t.Errorf("the ledger and the answers differ by %d", net)
	}
}
