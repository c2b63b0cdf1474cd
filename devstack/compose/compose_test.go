// Package compose_test reads docker-compose.yml as Docker does, and starts Temporal's server as the file says: both take code that
// must not be in the product's module.
package compose_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// load reads the project with these variables in the environment. It is validated by the schema, and by the rules that the
// schema cannot state.
func load(t *testing.T, environ ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root), cli.WithEnv(environ), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithDefaultProfiles())
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

var (
	servers = []string{
		"grafana", "kafka", "kafka-topic", "mysql", "prometheus", "redis", "sandbox", "temporal", "temporal-namespace",
		"temporal-schema", "temporal-ui", "warehouse",
	}
	holdfast = []string{"api", "migrate", "proxy", "worker"}
)

func TestEverythingStartsByDefaultAndTheServersAloneIfAsked(t *testing.T) {
	t.Parallel()
	everything := slices.Sorted(slices.Values(slices.Concat(servers, holdfast)))
	for _, c := range []struct {
		environ []string
		starts  []string
	}{
		{nil, everything},
		{[]string{"COMPOSE_PROFILES="}, servers},
	} {
		if got := slices.Sorted(maps.Keys(load(t, c.environ...).Services)); !slices.Equal(got, c.starts) {
			t.Errorf("with %q it starts %q, and not %q", c.environ, got, c.starts)
		}
	}
}

// TestNothingIsLeftToTheEnvironment but the profile: the file means the same on every machine.
func TestNothingIsLeftToTheEnvironment(t *testing.T) {
	t.Parallel()
	for name, s := range load(t).Services {
		for variable, value := range s.Environment {
			if value == nil {
				t.Errorf("service %s takes %s from whoever starts it", name, variable)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("service %s: %v", name, err)
			}
		}
	}
}
