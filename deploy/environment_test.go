package deploy_test

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/config"
)

// listensOn are the ports of services, inside their containers.
var listensOn = map[string][]string{
	"mysql": {"3306"}, "redis": {"6379"}, "temporal": {"7233", "8000"}, "temporal-ui": {"8080"},
	"kafka":   {"9092", "9093", "19092"}, // for the host, the controller and other containers
	"sandbox": {"8090"}, "warehouse": {"8091"}, "proxy": {"8080"}, "prometheus": {"9090"}, "grafana": {"3000"},
	"api": {portOf(configDefault("HOLDFAST_API_ADDR"))}, "worker": {portOf(configDefault("HOLDFAST_WORKER_ADDR"))},
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// configDefault is what a variable is if it is not set.
func configDefault(variable string) string {
	for field := range reflect.TypeFor[config.Config]().Fields() {
		if field.Tag.Get("env") == variable {
			return field.Tag.Get("envDefault")
		}
	}
	return ""
}

// programs are the services that have holdfast's configuration.
var programs = []string{"api", "worker", "migrate"}

func TestProgramsAcceptTheirEnvironment(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"TEMPORAL_ADDRESS": true, "TEMPORAL_NAMESPACE": true}
	for field := range reflect.TypeFor[config.Config]().Fields() {
		known[field.Tag.Get("env")] = true
	}
	c := readCompose(t)
	for _, name := range programs {
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
	address := regexp.MustCompile(`\b([a-z-]+):(\d{4,5})\b`)
	for name, s := range c.Services {
		for _, value := range append(slices.Collect(values(s.Environment)), s.Command...) {
			for _, a := range address.FindAllStringSubmatch(value, -1) {
				if _, exists := c.Services[a[1]]; !exists || !slices.Contains(listensOn[a[1]], a[2]) {
					t.Errorf("service %s: %s points to %s, which is not there", name, value, a[0])
				}
			}
		}
	}
	for _, name := range []string{"sandbox", "warehouse"} {
		if !slices.Contains(c.Services[name].Command, ":"+listensOn[name][0]) {
			t.Errorf("service %s does not listen where the others look for it", name)
		}
	}
}

func values(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func TestServicesAgree(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	sandbox, api := c.Services["sandbox"], c.Services["api"].Environment
	if !slices.Contains(sandbox.Command, "http://proxy:8080/v1/payments/webhook") ||
		sandbox.Environment["HOLDFAST_SANDBOX_WEBHOOK_SECRET"] != api["HOLDFAST_PAYMENT_WEBHOOK_SECRET"] {
		t.Error("the sandbox's webhooks do not reach the API with its secret")
	}
	if c.Services["migrate"].Command[0] != "migrate" {
		t.Error("the service migrate does not migrate")
	}
	topic := cmp.Or(api["HOLDFAST_EVENTS_TOPIC"], configDefault("HOLDFAST_EVENTS_TOPIC"))
	if !slices.Contains(c.Services["kafka-topic"].Command, topic) {
		t.Errorf("kafka-topic makes no topic %s", topic)
	}
	schema, temporal := c.Services["temporal-schema"].Environment, c.Services["temporal"].Environment
	for of, as := range map[string]string{"SQL_HOST": "MYSQL_SEEDS", "SQL_PORT": "DB_PORT", "SQL_USER": "MYSQL_USER", "SQL_PASSWORD": "MYSQL_PWD", "SQL_PLUGIN": "DB"} {
		if schema[of] == "" || schema[of] != temporal[as] {
			t.Errorf("Temporal's schema is made with %s=%q, and its server has %s=%q", of, schema[of], as, temporal[as])
		}
	}
	if c.Services["temporal"].Image != strings.Replace(c.Services["temporal-schema"].Image, "admin-tools", "server", 1) {
		t.Error("Temporal's schema is not that of its server's version")
	}
}

// TestKafkaIsReachedFromContainersAndFromTheHost, each by the address that the broker itself gives out.
func TestKafkaIsReachedFromContainersAndFromTheHost(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	kafka := c.Services["kafka"]
	listeners := func(variable string) map[string]string {
		found := make(map[string]string)
		for listener := range strings.SplitSeq(kafka.Environment[variable], ",") {
			name, addr, _ := strings.Cut(listener, "://")
			found[name] = addr
		}
		return found
	}
	bound, advertised := listeners("KAFKA_LISTENERS"), listeners("KAFKA_ADVERTISED_LISTENERS")
	for name, addr := range advertised {
		if bound[name] != ":"+portOf(addr) {
			t.Errorf("the listener %s is advertised as %s, and listens on %q", name, addr, bound[name])
		}
	}
	if brokers := c.Services["worker"].Environment["HOLDFAST_KAFKA_BROKERS"]; advertised["CONTAINERS"] != brokers {
		t.Errorf("workers ask %s, and are sent on to %s", brokers, advertised["CONTAINERS"])
	}
	if host := advertised["HOST"] + ":" + portOf(bound["HOST"]); !slices.Contains(kafka.Ports, host) {
		t.Errorf("the host is sent to %s, and published is %s", advertised["HOST"], kafka.Ports)
	}
}
