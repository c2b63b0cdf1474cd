package temporalserver_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"holdfast/devstack/temporalserver"
)

// victimDir, in the environment, makes a process to be killed of the test program.
const victimDir = "TEMPORALSERVER_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Println(beVictim(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// beVictim runs a server with a finished and a waiting workflow, says "ready" and does no more.
func beVictim(dir string) error {
	srv, err := temporalserver.Start(context.Background(), config(dir))
	if err != nil {
		return err
	}
	c, err := client.Dial(client.Options{HostPort: srv.Addr(), Namespace: namespace})
	if err != nil {
		return err
	}
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(echoWorkflow)
	w.RegisterWorkflow(waitWorkflow)
	if err := w.Start(); err != nil {
		return err
	}
	ctx := context.Background()
	run, err := c.ExecuteWorkflow(ctx,
		client.StartWorkflowOptions{ID: "finished", TaskQueue: queue}, echoWorkflow, "finished")
	if err != nil {
		return err
	}
	if err := run.Get(ctx, nil); err != nil {
		return err
	}
	if _, err := c.ExecuteWorkflow(ctx,
		client.StartWorkflowOptions{ID: "waiting", TaskQueue: queue}, waitWorkflow); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

type victim struct{ *exec.Cmd }

// startVictim returns once its workflows are there.
func startVictim(t *testing.T, dir string) victim {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			return victim{cmd}
		}
		t.Log("victim:", lines.Text())
	}
	t.Fatal("the victim died by itself:", cmd.Wait())
	return victim{}
}

// kill is a kill -9.
func (v victim) kill(t *testing.T) {
	t.Helper()
	if err := v.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = v.Wait() // the error is the kill
}
