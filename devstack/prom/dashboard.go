package prom

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Dashboard is what is read of one of deploy/grafana/dashboards.
type Dashboard struct {
	UID    string  `json:"uid"`
	Title  string  `json:"title"`
	Panels []Panel `json:"panels"`
}

// Panel is one of its panels. Rows have no targets.
type Panel struct {
	ID      int    `json:"id"`
	Title   string `json:"title"`
	Type    string `json:"type"`
	Targets []struct {
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
	} `json:"targets"`
	FieldConfig struct {
		Defaults struct {
			Unit string `json:"unit"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
}

// ReadDashboard reads a file of Grafana's.
func ReadDashboard(file string) (d Dashboard, err error) {
	text, err := os.ReadFile(file) //nolint:gosec // the caller's own
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err == nil && len(d.Panels) == 0 {
		err = fmt.Errorf("%s has no panels", file)
	}
	return d, err
}

// Expr gives a panel's expression with what Grafana fills in: the window of rates.
func Expr(expr, window string) string { return strings.ReplaceAll(expr, "$__rate_interval", window) }
