package alerts

import (
	"fmt"
	"os"
	"regexp"
)

var alertKey = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)

// readRules reads a file of rules and gives the names of its alerts.
func readRules(file string) (names []string, err error) {
	text, err := os.ReadFile(file) //nolint:gosec // the caller's own
	if err != nil {
		return nil, err
	}
	for _, match := range alertKey.FindAllSubmatch(text, -1) {
		names = append(names, string(match[1]))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no alerts", file)
	}
	return names, nil
}
