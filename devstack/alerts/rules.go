package alerts

import (
	"bytes"
	"fmt"
	"os"
	"regexp"

	"go.yaml.in/yaml/v3"
)

var (
	minutes  = regexp.MustCompile(`\b(\d+)m\b`)
	ofSixty  = regexp.MustCompile(` \* 60\b`)
	alertKey = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
)

// quicken makes a second of each minute in rules: of their windows, of how long they wait, and of their thresholds.
func quicken(rules []byte) []byte {
	return ofSixty.ReplaceAll(minutes.ReplaceAll(rules, []byte("${1}s")), []byte(" * 1"))
}

// readRules reads a file of rules, quickens it into another one, and gives the names of its alerts.
func readRules(from, to string) (names []string, err error) {
	text, err := os.ReadFile(from) //nolint:gosec // the caller's own
	if err != nil {
		return nil, err
	}
	for _, match := range alertKey.FindAllSubmatch(text, -1) {
		names = append(names, string(match[1]))
	}
	quick := quicken(text)
	var parsed struct{ Groups []any }
	if err := yaml.NewDecoder(bytes.NewReader(quick)).Decode(&parsed); err != nil || len(names) == 0 {
		return nil, fmt.Errorf("%s: no rules: %w", from, err)
	}
	return names, os.WriteFile(to, quick, 0o600) //nolint:gosec // the run's own directory
}
