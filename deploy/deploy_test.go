// Package deploy_test checks what can be checked of the compose file, the Dockerfile and what they mount without a
// container engine: that what they name exists and fits together, and that the real servers take it. That Docker takes the
// compose file, and Temporal's server what is meant for it, is checked in devstack/compose.
package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type composeFile struct {
	Services map[string]service
	Volumes  map[string]any
}

type service struct {
	Image string
	Build *struct {
		Context, Dockerfile, Target string
	}
	Entrypoint  []string
	Command     []string
	Environment map[string]string
	Profiles    []string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Ports       []string
	Volumes     []string
	Healthcheck *struct{ Test []string }
	Restart     string
	Deploy      struct {
		Replicas  int
		Resources struct {
			Limits struct{ CPUs, Memory string }
		}
	}
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	if len(c.Services) == 0 {
		t.Fatal("docker-compose.yml has no services")
	}
	return c
}

func readDockerfile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[a-z0-9/_-]+:v?\d+\.\d+\.\d+(-alpine)?$`)
	for name, s := range readCompose(t).Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("service %s: image %q has no full version", name, s.Image)
		}
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(readDockerfile(t), -1) {
		if !slices.Contains([]string{"scratch", "base"}, from[1]) && !pinned.MatchString(from[1]) {
			t.Errorf("Dockerfile: image %q has no full version", from[1])
		}
	}
}

func TestWhatIsBuiltExists(t *testing.T) {
	t.Parallel()
	dockerfile := readDockerfile(t)
	for _, pkg := range regexp.MustCompile(`(?: |=)\./([a-z/]+)`).FindAllStringSubmatch(dockerfile, -1) {
		if _, err := os.Stat(filepath.Join("..", pkg[1], "main.go")); err != nil {
			t.Errorf("Dockerfile builds ./%s: %v", pkg[1], err)
		}
	}
	for name, s := range readCompose(t).Services {
		if s.Build == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join("..", s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("service %s: %v", name, err)
		}
		if !strings.Contains(dockerfile, fmt.Sprintf(" AS %s\nCOPY --from=build /out/%[1]s /%[1]s\n", s.Build.Target)) {
			t.Errorf("service %s: the Dockerfile has no stage %s that holds its program", name, s.Build.Target)
		}
		if !strings.Contains(dockerfile, fmt.Sprintf("ENTRYPOINT [\"/%s\"]", s.Build.Target)) {
			t.Errorf("service %s: no entrypoint /%s", name, s.Build.Target)
		}
	}
}
