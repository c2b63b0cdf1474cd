// Package deploy_test checks what can be checked of the compose file and the Dockerfile without a
// container engine: that what they name exists and fits together.
package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"holdfast/config"
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
	Command     []string
	Environment map[string]string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Ports       []string
	Volumes     []string
	Healthcheck *struct{ Test []string }
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
	pinned := regexp.MustCompile(`^[a-z0-9/_-]+:\d+\.\d+\.\d+$`)
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

func TestWhatServicesNameExists(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	published := make(map[string]string)
	for name, s := range c.Services {
		for dependency, d := range s.DependsOn {
			target, exists := c.Services[dependency]
			if !exists {
				t.Errorf("service %s depends on %s, which is not there", name, dependency)
			}
			if d.Condition == "service_healthy" && target.Healthcheck == nil {
				t.Errorf("service %s waits for the health of %s, which has no check", name, dependency)
			}
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[source]; named {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", source)); err != nil {
				t.Errorf("service %s mounts %s: %v", name, source, err)
			}
		}
		for _, p := range s.Ports {
			host := p[:strings.LastIndexByte(p, ':')]
			if !strings.HasPrefix(host, "127.0.0.1:") {
				t.Errorf("service %s publishes %s beyond loopback", name, p)
			}
			if other, taken := published[host]; taken {
				t.Errorf("services %s and %s publish the same port %s", name, other, host)
			}
			published[host] = name
		}
	}
}

func TestProgramsAcceptTheirEnvironment(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"TEMPORAL_ADDRESS": true, "TEMPORAL_NAMESPACE": true}
	for field := range reflect.TypeFor[config.Config]().Fields() {
		known[field.Tag.Get("env")] = true
	}
	c := readCompose(t)
	for _, name := range []string{"api", "worker", "migrate"} {
		s := c.Services[name]
		for variable := range s.Environment {
			if !known[variable] {
				t.Errorf("service %s sets %s, which no program reads", name, variable)
			}
		}
		if _, err := config.LoadFrom(s.Environment); err != nil {
			t.Errorf("service %s: %v", name, err)
		}
	}
}

func TestAddressesPointToServicesAndTheirPorts(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	ports := map[string]string{"mysql": "3306", "redis": "6379", "temporal": "7233", "sandbox": "8090", "warehouse": "8091"}
	for _, name := range []string{"api", "worker", "migrate"} {
		for variable, value := range c.Services[name].Environment {
			for _, address := range regexp.MustCompile(`\b([a-z]+):(\d{4,5})\b`).FindAllStringSubmatch(value, -1) {
				if _, exists := c.Services[address[1]]; !exists || ports[address[1]] != address[2] {
					t.Errorf("service %s: %s points to %s, which is not there", name, variable, address[0])
				}
			}
		}
	}
	sandbox := c.Services["sandbox"]
	if !slices.Contains(sandbox.Command, "http://api:8080/v1/payments/webhook") ||
		sandbox.Environment["HOLDFAST_SANDBOX_WEBHOOK_SECRET"] != c.Services["api"].Environment["HOLDFAST_PAYMENT_WEBHOOK_SECRET"] {
		t.Error("the sandbox's webhooks do not reach the API with its secret")
	}
	if !slices.Contains(sandbox.Command, ":"+ports["sandbox"]) {
		t.Error("the sandbox does not listen where the others look for it")
	}
	if !slices.Contains(c.Services["warehouse"].Command, ":"+ports["warehouse"]) {
		t.Error("the warehouse does not listen where the others look for it")
	}
	if c.Services["migrate"].Command[0] != "migrate" {
		t.Error("the service migrate does not migrate")
	}
}
