package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/devstack/chaos"
	"holdfast/internal/testserver"
)

// TestChaos breaks things for some seconds, with a seed that kills most kinds of processes.
func TestChaos(t *testing.T) {
	t.Parallel()
	testserver.Redis(t) // or the test is skipped, or fails, as all that need them
	testserver.MariaDB(t)
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "worker", "devstack"} { // see TestMain
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	err = chaos.Run(t.Context(), chaos.Options{
		Seed: 4, Duration: 15 * time.Second, Shoppers: 60, Programs: dir, Executable: filepath.Join(dir, "devstack"),
	}, &out, t.Output())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var summary struct {
		Faults     map[string]int `json:"faults"`
		Orders     map[string]int `json:"orders"`
		Violations []string       `json:"violations"`
	}
	if jsonErr := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); jsonErr != nil {
		t.Fatalf("%v; %v", err, jsonErr)
	}
	if err != nil || len(summary.Violations) > 0 {
		t.Errorf("%v: %q", err, summary.Violations)
	}
	if len(summary.Faults) < 5 || summary.Orders["confirmed"] == 0 {
		t.Errorf("the run shows too little: %+v", summary)
	}
}
