package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// endsByItself says of a service that others wait for its end.
func endsByItself(c composeFile, name string) bool {
	for _, s := range c.Services {
		if s.DependsOn[name].Condition == "service_completed_successfully" {
			return true
		}
	}
	return false
}

func TestServicesWaitForWhatIsThere(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, s := range c.Services {
		for dependency, d := range s.DependsOn {
			target, exists := c.Services[dependency]
			if !exists {
				t.Errorf("service %s depends on %s, which is not there", name, dependency)
			}
			if d.Condition == "service_healthy" && target.Healthcheck == nil {
				t.Errorf("service %s waits for the health of %s, which has no check", name, dependency)
			}
			if len(s.Profiles) == 0 && len(target.Profiles) > 0 {
				t.Errorf("service %s always starts, and waits for %s, which does not", name, dependency)
			}
		}
	}
}

func TestEveryServiceIsBoundedWatchedAndStartedAgain(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, s := range c.Services {
		if limits := s.Deploy.Resources.Limits; limits.CPUs == "" || limits.Memory == "" {
			t.Errorf("service %s has no limit for its processors or its memory", name)
		}
		if endsByItself(c, name) {
			if s.Restart != "on-failure:10" {
				t.Errorf("service %s, which ends by itself, has the restart policy %q", name, s.Restart)
			}
			continue
		}
		if s.Restart != "unless-stopped" {
			t.Errorf("service %s has the restart policy %q", name, s.Restart)
		}
		switch {
		case s.Healthcheck == nil:
			t.Errorf("service %s has no health check", name)
		case s.Build != nil && !slices.Equal(s.Healthcheck.Test, healthCheck(s)):
			t.Errorf("service %s is checked by %q, and not by its own program, by %q", name, s.Healthcheck.Test, healthCheck(s))
		}
	}
	for _, name := range []string{"api", "worker"} {
		if n := c.Services[name].Deploy.Replicas; n != 2 {
			t.Errorf("there are %d of %s", n, name)
		}
	}
}

// healthCheck is how a program of holdfast is asked for its health: by itself, told where it serves as it was.
func healthCheck(s service) []string {
	test := []string{"CMD", "/" + s.Build.Target}
	if at := slices.Index(s.Command, "--addr"); at >= 0 {
		test = append(test, s.Command[at:at+2]...)
	}
	return append(test, "--healthcheck")
}

func TestMountsExist(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	used := make(map[string]bool)
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			source, target, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[source]; named {
				used[source] = true
				continue
			}
			if _, err := os.Stat(filepath.Join("..", source)); err != nil {
				t.Errorf("service %s mounts %s: %v", name, source, err)
			}
			if !strings.HasSuffix(target, ":ro") {
				t.Errorf("service %s may write to %s", name, source)
			}
		}
	}
	for volume := range c.Volumes {
		if !used[volume] {
			t.Errorf("nobody mounts the volume %s", volume)
		}
	}
}

func TestPortsArePublishedOnLoopbackAndOnce(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^127\.0\.0\.1:(\d+):(\d+)$`)
	published := make(map[string]string)
	for name, s := range readCompose(t).Services {
		for _, p := range s.Ports {
			port := form.FindStringSubmatch(p)
			if port == nil {
				t.Errorf("service %s publishes %s, beyond loopback", name, p)
				continue
			}
			if !slices.Contains(listensOn[name], port[2]) {
				t.Errorf("service %s publishes the port %s, on which it does not listen", name, port[2])
			}
			if other, taken := published[port[1]]; taken {
				t.Errorf("services %s and %s publish the same port %s", name, other, port[1])
			}
			published[port[1]] = name
		}
	}
	// What README.md says, and what programs on the host find by default.
	for port, name := range map[string]string{"8080": "proxy", "8233": "temporal-ui", "3306": "mysql", "6379": "redis", "7233": "temporal", "9092": "kafka"} {
		if published[port] != name {
			t.Errorf("port %s is published by %q, and not by %s", port, published[port], name)
		}
	}
}
