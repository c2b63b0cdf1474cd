package chaos

import (
	"slices"
	"testing"
	"time"
)

func TestASeedRepeatsItsPlan(t *testing.T) {
	t.Parallel()
	first := plan(7, time.Minute)
	if len(first) < 20 || !slices.Equal(first, plan(7, time.Minute)) {
		t.Errorf("%d faults, and not the same again", len(first))
	}
	if slices.Equal(first, plan(8, time.Minute)) {
		t.Error("another seed has the same plan")
	}
}

// TestAllIsOverInTime, and nobody has two faults at a time.
func TestAllIsOverInTime(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for seed := range uint64(300) {
		until := make(map[string]time.Duration)
		for _, f := range plan(seed, 30*time.Second) {
			seen[f.kind+" "+f.target] = true
			if f.at < until[f.subject()] || f.at+f.length > 30*time.Second {
				t.Errorf("seed %d: %s at %s", seed, f, f.at)
			}
			until[f.subject()] = f.at + f.length
		}
	}
	for _, k := range kinds {
		for _, target := range append(k.targets, "") {
			if target == "" && len(k.targets) > 0 {
				continue
			}
			if !seen[k.kind+" "+target] {
				t.Errorf("%s %s never happens", k.kind, target)
			}
		}
	}
}
