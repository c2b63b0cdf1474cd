// Package config is all of holdfast's configuration in one struct, read from the environment and
// validated as a whole. Only app and programs import it; everything else is given what it needs. How to
// reach Temporal is not in here: TEMPORAL_* are read as Temporal's own envconfig does.
package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"
	_ "time/tzdata" // a program in a container without time zones knows them

	"github.com/caarlos0/env/v11"
	"github.com/robfig/cron/v3"
)

// Config is the configuration of api and worker. The tags name the variables and give the defaults.
type Config struct {
	// APIAddr is where the API listens, HOST:PORT.
	APIAddr string `env:"HOLDFAST_API_ADDR" envDefault:":8080"`
	// WorkerAddr is where a worker serves /healthz, /readyz and /metrics, HOST:PORT.
	WorkerAddr string `env:"HOLDFAST_WORKER_ADDR" envDefault:":9090"`
	// TaskQueue is the Temporal task queue between api and worker.
	TaskQueue string `env:"HOLDFAST_TASK_QUEUE" envDefault:"holdfast"`

	// Deployment and BuildID are a worker's version for Temporal's worker versioning: orders then end on the version that
	// they began on. Empty, both of them: the worker is not versioned.
	Deployment string `env:"HOLDFAST_DEPLOYMENT"`
	BuildID    string `env:"HOLDFAST_BUILD_ID"`

	// MySQLDSN is the order database, as go-sql-driver/mysql writes it: user:password@tcp(host:port)/database.
	MySQLDSN string `env:"HOLDFAST_MYSQL_DSN"`
	// SQLitePath is an order database in a file, for the embedded stack.
	SQLitePath string `env:"HOLDFAST_SQLITE_PATH"`
	// MySQLConns bounds the connections of one process.
	MySQLConns int `env:"HOLDFAST_MYSQL_CONNS" envDefault:"32"`

	// RedisAddrs are one address for a server, several for a Cluster, or the sentinels.
	RedisAddrs    []string `env:"HOLDFAST_REDIS_ADDRS"`
	RedisMaster   string   `env:"HOLDFAST_REDIS_MASTER"` // the master's name, if the addresses are sentinels
	RedisUsername string   `env:"HOLDFAST_REDIS_USERNAME"`
	RedisPassword string   `env:"HOLDFAST_REDIS_PASSWORD"`
	RedisTLS      bool     `env:"HOLDFAST_REDIS_TLS"`
	// ReservationTTL is how long Redis remembers an order.
	ReservationTTL time.Duration `env:"HOLDFAST_RESERVATION_TTL" envDefault:"30m"`
	// StockIdleTTL is how long Redis keeps the count of a SKU that nobody buys.
	StockIdleTTL time.Duration `env:"HOLDFAST_STOCK_IDLE_TTL" envDefault:"10m"`

	// DirectOpens bounds how many orders a worker has in the order database at once that Redis did not reserve
	// because it was away. A hot row takes one at a time anyway; more only wait for its lock.
	DirectOpens int `env:"HOLDFAST_DIRECT_OPENS" envDefault:"8"`

	// PaymentURL is the base URL of the payment provider.
	PaymentURL string `env:"HOLDFAST_PAYMENT_URL"`
	// PaymentTimeout bounds one request to the provider.
	PaymentTimeout time.Duration `env:"HOLDFAST_PAYMENT_TIMEOUT" envDefault:"8s"`
	// PaymentConcurrency bounds the requests that one process has open at the provider.
	PaymentConcurrency int `env:"HOLDFAST_PAYMENT_CONCURRENCY" envDefault:"2048"`
	// PaymentKeyMemory is how long the provider surely remembers an idempotency key. Providers promise
	// 24 h; the default leaves room for clocks and time-outs.
	PaymentKeyMemory time.Duration `env:"HOLDFAST_PAYMENT_KEY_MEMORY" envDefault:"20h"`
	// PaymentDeadline is how old an order may get while the provider has not decided its payment. Then it is reversed.
	PaymentDeadline time.Duration `env:"HOLDFAST_PAYMENT_DEADLINE" envDefault:"15m"`
	// PaymentWebhookSecret is what the provider signs its webhooks with, as Standard Webhooks writes it: whsec_ and 24 to
	// 64 bytes in base64. Without one the API takes no webhooks, and pending payments are found decided by polling.
	PaymentWebhookSecret string `env:"HOLDFAST_PAYMENT_WEBHOOK_SECRET"`

	// InFlight is how many workflows an api has carried at once at most. Orders that find no place gather and go together.
	InFlight int `env:"HOLDFAST_IN_FLIGHT" envDefault:"8"`
	// Queue is how many orders may wait in an api, and CustomerQueue how many of one customer, before more are answered 503.
	Queue         int `env:"HOLDFAST_QUEUE" envDefault:"20000"`
	CustomerQueue int `env:"HOLDFAST_CUSTOMER_QUEUE" envDefault:"1000"`
	// PatientOrders is how many orders may be unsettled for longer than usual before new ones are answered 503.
	PatientOrders int `env:"HOLDFAST_PATIENT_ORDERS" envDefault:"5000"`

	// AttentionAfter is how long a step may be without an answer before its order asks for a person. It is longer than a
	// restart of anything takes.
	AttentionAfter time.Duration `env:"HOLDFAST_ATTENTION_AFTER" envDefault:"15m"`

	// ReconcileEvery is how often the reconciliation runs by itself. 0 leaves it to people.
	ReconcileEvery time.Duration `env:"HOLDFAST_RECONCILE_EVERY" envDefault:"5m"`
	// ReconcileGrace is the age below which the reconciliation leaves an order alone. It is longer than an order needs
	// on a system that is well; a shorter one costs a question to Temporal for each order in flight, and no more.
	ReconcileGrace time.Duration `env:"HOLDFAST_RECONCILE_GRACE" envDefault:"1m"`

	// AuditEvery is how often the audit runs by itself. 0 leaves it to people. It reads all orders, and the provider's and the
	// warehouse's whole records once for each 500,000 of them.
	AuditEvery time.Duration `env:"HOLDFAST_AUDIT_EVERY" envDefault:"24h"`

	// WarehouseURL is the base URL of the warehouse. Without one nothing is handed off.
	WarehouseURL string `env:"HOLDFAST_WAREHOUSE_URL"`
	// WarehouseTimeout bounds one request to the warehouse. Longer than it needs for a page of orders.
	WarehouseTimeout time.Duration `env:"HOLDFAST_WAREHOUSE_TIMEOUT" envDefault:"15s"`
	// HandOffCron is the day's cutoff, at which orders are handed off, in the five fields of cron; "off" leaves it to people.
	HandOffCron string `env:"HOLDFAST_HANDOFF_CRON" envDefault:"0 17 * * *"`
	// HandOffTimeZone is the zone of HandOffCron, by its name in the IANA database.
	HandOffTimeZone string `env:"HOLDFAST_HANDOFF_TIME_ZONE" envDefault:"Asia/Seoul"`
	// HandOffPage is how many orders the warehouse is sent at a time. What it refuses, or does not answer for, holds no more up.
	HandOffPage int `env:"HOLDFAST_HANDOFF_PAGE" envDefault:"500"`

	// KafkaBrokers are HOST:PORT of brokers, of which one has to be there at first. Without any, no events are published.
	KafkaBrokers []string `env:"HOLDFAST_KAFKA_BROKERS"`
	// EventsTopic is the topic of all events. It has to be there, unless the brokers make it.
	EventsTopic string `env:"HOLDFAST_EVENTS_TOPIC" envDefault:"holdfast.events"`

	// UntoldOrders is how many orders may wait for Kafka before new ones are answered 503.
	UntoldOrders int `env:"HOLDFAST_UNTOLD_ORDERS" envDefault:"100000"`

	// Retention is how old an order gets before its rows are deleted, once it has reached its end and nothing is owed for it. 0 keeps
	// all.
	Retention time.Duration `env:"HOLDFAST_RETENTION" envDefault:"0"`
	// PurgeEvery is how often such orders are deleted.
	PurgeEvery time.Duration `env:"HOLDFAST_PURGE_EVERY" envDefault:"1h"`

	// ShutdownTimeout is how long work under way may take to end when the program is stopped.
	ShutdownTimeout time.Duration `env:"HOLDFAST_SHUTDOWN_TIMEOUT" envDefault:"20s"`
	// LogLevel is DEBUG, INFO, WARN or ERROR.
	LogLevel slog.Level `env:"HOLDFAST_LOG_LEVEL" envDefault:"INFO"`
}

// Load reads the environment. The error lists everything that is wrong.
func Load() (Config, error) {
	cfg, err := env.ParseAs[Config]()
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return cfg, cfg.Validate()
}

// LoadFrom reads the variables given instead of the environment.
func LoadFrom(variables map[string]string) (Config, error) {
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: variables})
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return cfg, cfg.Validate()
}

// Validate returns an error that names every variable that is wrong.
func (c Config) Validate() error {
	var problems []error
	check := func(ok bool, variable, message string) {
		if !ok {
			problems = append(problems, fmt.Errorf("%s %s", variable, message))
		}
	}
	check((c.MySQLDSN == "") != (c.SQLitePath == ""), "HOLDFAST_MYSQL_DSN", "or HOLDFAST_SQLITE_PATH must be set, and not both")
	check(c.MySQLConns >= 1 && c.MySQLConns <= 10_000, "HOLDFAST_MYSQL_CONNS", "must be 1 to 10000")
	check(c.DirectOpens >= 1 && c.DirectOpens <= 10_000, "HOLDFAST_DIRECT_OPENS", "must be 1 to 10000")
	check(c.InFlight >= 1 && c.InFlight <= 10_000, "HOLDFAST_IN_FLIGHT", "must be 1 to 10000")
	check(c.Queue >= 1 && c.Queue <= 1_000_000, "HOLDFAST_QUEUE", "must be 1 to 1000000")
	check(c.CustomerQueue >= 1 && c.CustomerQueue <= c.Queue, "HOLDFAST_CUSTOMER_QUEUE", "must be 1 to HOLDFAST_QUEUE")
	check(c.PatientOrders >= 1 && c.PatientOrders <= 1_000_000, "HOLDFAST_PATIENT_ORDERS", "must be 1 to 1000000")
	check(len(c.RedisAddrs) > 0, "HOLDFAST_REDIS_ADDRS", "must be set, to HOST:PORT or several of them with commas")
	check(c.PaymentConcurrency >= 1 && c.PaymentConcurrency <= 100_000, "HOLDFAST_PAYMENT_CONCURRENCY", "must be 1 to 100000")
	check(c.PaymentURL != "", "HOLDFAST_PAYMENT_URL", "must be set")
	check((c.Deployment == "") == (c.BuildID == ""), "HOLDFAST_DEPLOYMENT", "and HOLDFAST_BUILD_ID must be set together, or neither")
	check(c.TaskQueue != "", "HOLDFAST_TASK_QUEUE", "must not be empty")
	address := func(variable, addr string) {
		_, _, err := net.SplitHostPort(addr)
		check(err == nil, variable, "must be HOST:PORT or :PORT")
	}
	address("HOLDFAST_API_ADDR", c.APIAddr)
	address("HOLDFAST_WORKER_ADDR", c.WorkerAddr)
	duration := func(variable string, d time.Duration) {
		check(d >= 100*time.Millisecond, variable, "must be at least 100ms")
	}
	duration("HOLDFAST_RESERVATION_TTL", c.ReservationTTL)
	duration("HOLDFAST_STOCK_IDLE_TTL", c.StockIdleTTL)
	duration("HOLDFAST_PAYMENT_TIMEOUT", c.PaymentTimeout)
	duration("HOLDFAST_PAYMENT_KEY_MEMORY", c.PaymentKeyMemory)
	duration("HOLDFAST_PAYMENT_DEADLINE", c.PaymentDeadline)
	duration("HOLDFAST_ATTENTION_AFTER", c.AttentionAfter)
	duration("HOLDFAST_RECONCILE_GRACE", c.ReconcileGrace)
	// Beyond it a payment that the provider forgot could not be asked for again.
	check(c.PaymentDeadline <= c.PaymentKeyMemory, "HOLDFAST_PAYMENT_DEADLINE", "must not be longer than HOLDFAST_PAYMENT_KEY_MEMORY")
	check(c.PaymentWebhookSecret == "" || isWebhookSecret(c.PaymentWebhookSecret),
		"HOLDFAST_PAYMENT_WEBHOOK_SECRET", "must be whsec_ and 24 to 64 bytes in base64")
	// Temporal's schedules count in whole seconds.
	check(c.ReconcileEvery == 0 || c.ReconcileEvery >= 10*time.Second && c.ReconcileEvery%time.Second == 0,
		"HOLDFAST_RECONCILE_EVERY", "must be 0, or at least 10s in whole seconds")
	check(c.AuditEvery == 0 || c.AuditEvery >= 10*time.Second && c.AuditEvery%time.Second == 0,
		"HOLDFAST_AUDIT_EVERY", "must be 0, or at least 10s in whole seconds")
	check(c.WarehouseTimeout >= 100*time.Millisecond && c.WarehouseTimeout <= 20*time.Second,
		"HOLDFAST_WAREHOUSE_TIMEOUT", "must be 100ms to 20s") // a try of a page has 30 s
	check(c.HandOffPage >= 1 && c.HandOffPage <= 5000, "HOLDFAST_HANDOFF_PAGE", "must be 1 to 5000")
	check(c.HandOffCron == Off || isCron(c.HandOffCron),
		"HOLDFAST_HANDOFF_CRON", "must be off, or the five fields of cron: minute, hour, day, month, day of the week")
	check(c.UntoldOrders >= 1 && c.UntoldOrders <= 10_000_000, "HOLDFAST_UNTOLD_ORDERS", "must be 1 to 10000000")
	_, err := time.LoadLocation(c.HandOffTimeZone)
	check(err == nil && c.HandOffTimeZone != "" && c.HandOffTimeZone != "Local",
		"HOLDFAST_HANDOFF_TIME_ZONE", "must be a time zone by its name, such as Asia/Seoul")
	check(c.EventsTopic != "" && len(c.EventsTopic) <= 249, "HOLDFAST_EVENTS_TOPIC", "must have 1 to 249 characters")
	for _, broker := range c.KafkaBrokers {
		address("HOLDFAST_KAFKA_BROKERS", broker)
	}
	check(c.Retention == 0 || c.Retention >= time.Second, "HOLDFAST_RETENTION", "must be 0, or at least 1s")
	check(c.PurgeEvery >= 10*time.Second && c.PurgeEvery%time.Second == 0, "HOLDFAST_PURGE_EVERY", "must be at least 10s in whole seconds")
	check(c.ShutdownTimeout >= 0, "HOLDFAST_SHUTDOWN_TIMEOUT", "must not be negative")
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("configuration: %w", errors.Join(problems...))
}

// Off is what a schedule is set to that is left to people.
const Off = "off"

// isCron knows the lines that Temporal takes as well.
func isCron(line string) bool {
	_, err := cron.ParseStandard(line)
	return err == nil && len(strings.Fields(line)) == 5 && !strings.ContainsAny(line, "@#=")
}

// isWebhookSecret knows the form and the lengths that Standard Webhooks asks for.
func isWebhookSecret(text string) bool {
	encoded, prefixed := strings.CutPrefix(text, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	return prefixed && err == nil && len(key) >= 24 && len(key) <= 64
}
