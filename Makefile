# Everything that people and CI run. It needs Go, make and sh; "make test" also wants redis-server, mariadbd, mysqld, nginx
# and promtool, and says what it did not run without them.

.POSIX:
.NOTPARALLEL:
.PHONY: help build demo dev bench chaos alerts pictures fuzz mutants test lint histories strategies fmt clean programs devstack tools

# Flags for "go test" in "make test": make test TESTFLAGS='-run TestReserve -v'
TESTFLAGS =
# Flags for "bin/devstack bench" in "make bench": make bench BENCHFLAGS='--only hot'
BENCHFLAGS =

# What "make chaos" breaks follows from SEED, and for how long from DURATION: make chaos SEED=7 DURATION=10m
SEED = 0
DURATION = 60s
# How long "make fuzz" tries inputs on each target: make fuzz FUZZTIME=10m
FUZZTIME = 20s

# Programs are built without cgo: static, and SQLite's cgo driver stays out. What is compiled this way is compiled once,
# for programs, linters and devstack's tests alike.
NOCGO = CGO_ENABLED=0
PROGRESS = sh scripts/progress.sh
TOOLS = bin/tools

help:
	@echo 'make build      bin/api bin/worker bin/starter bin/devstack'
	@echo 'make demo       the whole stack from nothing, real orders and faults, an audit'
	@echo 'make dev        the whole stack in the foreground, its state in .holdfast/'
	@echo 'make bench      measure speed against yardsticks; takes minutes (BENCHFLAGS=... for bin/devstack bench)'
	@echo 'make chaos      break everything at random while shoppers buy, for SEED=n DURATION=60s, and check every promise'
	@echo 'make alerts     make each alert fire under a real Prometheus; takes minutes'
	@echo 'make pictures   take the pictures of the README: dashboards of a sale, and the Web UI'
	@echo 'make fuzz       feed every fuzz target inputs of all kinds, for FUZZTIME=20s each'
	@echo 'make test       every test; says what it could not run (TESTFLAGS=... for go test)'
	@echo 'make lint       formatting, linters, workflow determinism, known vulnerabilities'
	@echo 'make mutants    plant known bugs in a copy of the project, and see the tests catch each; takes minutes'
	@echo 'make histories  record the workflow histories that replay tests read'
	@echo 'make strategies compare ways to hold stock on real MariaDB and MySQL; takes minutes'
	@echo 'make fmt        format the code'
	@echo 'make clean      remove what was built; .holdfast/ stays'

build: programs devstack

programs:
	@echo 'building api, worker and starter: the first time takes about a minute'
	@mkdir -p bin
	@$(NOCGO) $(PROGRESS) go build -v -o bin/ ./api ./worker ./starter

devstack:
	@echo 'building devstack with the Temporal server: the first time takes 3 to 5 minutes'
	@mkdir -p bin
	@cd devstack && $(NOCGO) sh ../scripts/progress.sh go build -v -o ../bin/devstack .

demo: build
	@bin/devstack demo

dev: build
	@bin/devstack --data .holdfast

bench: build
	@bin/devstack bench --csv docs/bench/sweep.csv --svg docs/bench/sweep.svg $(BENCHFLAGS)

chaos: build
	@bin/devstack chaos --seed $(SEED) --duration $(DURATION)

alerts: build
	@bin/devstack alerts

pictures: build
	@bin/devstack pictures

fuzz:
	@for target in ./api/httpapi:FuzzDecode ./api/httpapi:FuzzCursor ./api/httpapi:FuzzRequest ./order:FuzzKey ./payment:FuzzWebhook; do \
		echo "$$target: compiling it to be fuzzed takes a while the first time"; \
		$(NOCGO) go test "$${target%:*}" -run '^$$' -fuzz "^$${target#*:}\$$" -fuzztime $(FUZZTIME) || exit 1; \
	done

histories: build
	@bin/devstack histories --out workflows/testdata/histories

mutants:
	@echo 'each of the planted bugs is tested without and with it: some minutes, and more the first time'
	@$(NOCGO) go run ./scripts/mutants

strategies:
	@mkdir -p bin
	@$(NOCGO) $(PROGRESS) go build -v -o bin/strategies ./scripts/strategies
	@bin/strategies

# What does not compile is left to the tests to report, with everything else.
test:
	@sh scripts/test-servers.sh
	@echo 'compiling the packages under test: the first time takes a few minutes'
	@if [ "$$(go env CGO_ENABLED)" = 1 ]; then race=-race; fi; $(PROGRESS) go build -v $$race ./... || true
	@echo 'compiling devstack with the Temporal server: the first time takes 3 to 5 minutes'
	@cd devstack && $(NOCGO) sh ../scripts/progress.sh go build -v ./... || true
	@go build -o bin/runtests ./scripts/runtests
	@bin/runtests $(TESTFLAGS)

# The module of the tools pins their versions.
tools: $(TOOLS)/.built

$(TOOLS)/.built: tools/go.mod tools/go.sum
	@echo 'building the linters: the first time takes about 3 minutes'
	@mkdir -p $(TOOLS)
	@cd tools && $(NOCGO) sh ../scripts/progress.sh go build -v -o ../$(TOOLS)/ tool
	@touch $@

lint: tools
	@echo 'formatting'
	@$(TOOLS)/golangci-lint fmt --diff ./...
	@cd devstack && ../$(TOOLS)/golangci-lint fmt --diff ./...
	@echo 'linters: the first time compiles the Temporal server, which takes 3 to 5 minutes'
	@$(NOCGO) $(PROGRESS) go build -v ./...
	@$(NOCGO) $(TOOLS)/golangci-lint run ./...
	@cd devstack && $(NOCGO) sh ../scripts/progress.sh go build -v ./...
	@cd devstack && $(NOCGO) ../$(TOOLS)/golangci-lint run ./...
	@echo 'workflow determinism'
	@$(NOCGO) $(TOOLS)/workflowcheck ./workflows/...
	@echo 'known vulnerabilities'
	@$(NOCGO) sh scripts/govulncheck.sh $(TOOLS)/govulncheck ./...
	@cd devstack && $(NOCGO) sh ../scripts/govulncheck.sh ../$(TOOLS)/govulncheck ./...

fmt: tools
	@$(TOOLS)/golangci-lint fmt ./...
	@cd devstack && ../$(TOOLS)/golangci-lint fmt ./...

clean:
	rm -rf bin
