package cli

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// Defaults of what the environment may say otherwise.
const (
	defaultAPI       = "http://127.0.0.1:8080"
	defaultTaskQueue = "holdfast"
	defaultNamespace = "default" // Temporal's own
)

// Variables of the environment that are not Temporal's.
const (
	envAPI       = "HOLDFAST_API_URL"
	envUI        = "HOLDFAST_UI_URL"
	envTaskQueue = "HOLDFAST_TASK_QUEUE"
	envMySQL     = "HOLDFAST_MYSQL_DSN"
	envSQLite    = "HOLDFAST_SQLITE_PATH"
	envBrokers   = "HOLDFAST_KAFKA_BROKERS"
	envTopic     = "HOLDFAST_EVENTS_TOPIC"
)

// environ are environment variables as NAME=value. It implements envconfig.EnvLookup.
type environ []string

// Environ gives all of them.
func (e environ) Environ() []string { return e }

// LookupEnv gives a variable's value and whether it is set. The last one counts, as in os/exec.
func (e environ) LookupEnv(name string) (string, bool) {
	for _, variable := range slices.Backward(e) {
		if n, value, ok := strings.Cut(variable, "="); ok && n == name {
			return value, true
		}
	}
	return "", false
}

// get gives a variable's value, "" if it is not set.
func (e environ) get(name string) string {
	value, _ := e.LookupEnv(name)
	return value
}

// base is the API's address: the flag, else the environment, else this machine.
func (a *app) base() (*url.URL, error) {
	raw := cmp.Or(a.apiURL, a.environ.get(envAPI), defaultAPI)
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, usagef("the API's URL %q (--api or %s) must look like %s", raw, envAPI, defaultAPI)
	}
	return u, nil
}

// webUI is the link to a workflow in Temporal's Web UI, "" if nobody said where that is.
func (a *app) webUI(workflowID string) string {
	ui := a.environ.get(envUI)
	if ui == "" || workflowID == "" {
		return ""
	}
	return strings.TrimRight(ui, "/") + "/namespaces/" + url.PathEscape(a.namespace()) +
		"/workflows/" + url.PathEscape(workflowID)
}
