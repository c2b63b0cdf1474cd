package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/app"
)

// TestMain lets this executable be api and worker as well.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "api":
		os.Exit(app.Run("api", os.Stderr, app.NewAPI))
	case "worker":
		os.Exit(app.Run("worker", os.Stderr, app.NewWorker))
	}
	m.Run()
}

// tiny is a whole run in seconds, whose figures mean nothing.
var tiny = Options{
	Duration: 200 * time.Millisecond, Repetitions: 1, Shoppers: 8, Orders: 220, Slice: 20, Levels: []int{1, 20}, Embedded: true,
}

// TestAWholeRun is on the embedded stack, which every machine has.
func TestAWholeRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "worker"} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	o := tiny
	o.Programs, o.CSV, o.SVG = dir, filepath.Join(dir, "docs", "sweep.csv"), filepath.Join(dir, "docs", "sweep.svg")
	var out bytes.Buffer
	if err := Run(t.Context(), o, &out, t.Output()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	var object struct {
		Servers map[string]string `json:"servers"`
		Spread  map[string]spread `json:"spread"`
		Audited []string          `json:"audited"`
	}
	var figures map[string]any
	for _, into := range []any{&object, &figures} {
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range keysOfDesign {
		if value, ok := figures[key].(float64); !ok || value <= 0 || value != object.Spread[key].Median {
			t.Errorf("%s is %v, of %+v", key, figures[key], object.Spread[key])
		}
	}
	if want := []string{"footprint", "single", "hot", "many", "slow", "separate", "soldout", "sweep", "soak"}; !slices.Equal(object.Audited, want) {
		t.Errorf("the books balanced after %v, want %v", object.Audited, want)
	}
	if object.Servers["redis"] != "embedded" || object.Servers["mysql"] != "embedded" || !strings.HasPrefix(lines[0], "NOT ON REAL SERVERS") {
		t.Errorf("it does not say that the servers are embedded: %v, %s", object.Servers, lines[0])
	}
	for _, file := range []string{o.CSV, o.SVG} {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s was not written: %v", filepath.Base(file), err)
		}
	}
}
