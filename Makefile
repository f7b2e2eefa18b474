# Only Go, git and make are needed for build, run and test.

GO       ?= go
BIN      := bin/paperplane
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS  := -X main.version=$(VERSION)
PACKAGES ?= ./...
RACE     ?=
FUZZTIME ?= 5s
LINT_VERSION := v2.15.0
LINT     := $(shell $(GO) env GOPATH)/bin/golangci-lint

.DEFAULT_GOAL := help
.PHONY: help build run test race kernel fuzz bench soak study microbench verdicts conformance lint cover clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/paperplane
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/paperplane

run: build ## build, then play April 2018 in one process (ARGS='--duration 30s')
	$(BIN) lab $(ARGS)

test: ## run all tests, in random order (RACE=1 for the race detector)
	$(GO) test -shuffle=on -timeout 20m $(if $(RACE),-race) $(PACKAGES)

race: ## run all tests with the race detector
	@$(MAKE) --no-print-directory test RACE=1

# Tests in worlds on a kernel wait in real time, most of it for time limits: a
# dozen of them run at once where the machine does nothing else. SHORT leaves out
# repetitions, and of the failure table what the backend does not matter to.
KERNEL_PACKAGES := testenv/kernel testenv/conformance testenv/worldtest testenv relay/failure cmd/paperplane/internal/failure
KERNEL_PARALLEL ?= $(if $(SHORT),6,12)
KERNEL_RUN_relay/failure := $(if $(SHORT),^Test(OneEndpoint(Dropped|Reset|Frozen)|OneProcessHangs|WholePrefixAtOnce)$$,^Test)
KERNEL_RUN_testenv := ^Test

kernel: $(KERNEL_PACKAGES:%=kernel/%) ## run tests in worlds on the kernel, and say how long they take (SHORT=1: a few minutes)

kernel/%:
	@mkdir -p out/kernel
	@$(GO) test -c -o out/kernel/$(subst /,-,$*).test ./$*
	@cd $* && began=$$(date +%s); \
		PAPERPLANE_WORLD=kernel $(CURDIR)/out/kernel/$(subst /,-,$*).test -test.timeout 60m \
			-test.run '$(or $(KERNEL_RUN_$*),.)' -test.parallel $(KERNEL_PARALLEL) $(if $(SHORT),-test.short); \
		status=$$?; echo "$*: $$(($$(date +%s) - began)) s"; exit $$status

fuzz: ## fuzz each parser for a few seconds (FUZZTIME=5s)
	@set -e; for package in $$($(GO) list $(PACKAGES)); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

bench: build ## measure the relay against others that are installed (ARGS='--quick')
	$(BIN) bench $(ARGS)

soak: build ## keep the relay busy for 10 minutes, and see whether it grows (ARGS='--duration 1m')
	$(BIN) soak $(ARGS)

study: build ## simulate a scenario for many seeds (ARGS='compat/ephemeral-aggressive --seeds 30')
	$(BIN) study $(if $(ARGS),run $(ARGS),list)

microbench: ## run the benchmarks of the packages, with allocations
	$(GO) test -run '^$$' -bench . -benchmem $(PACKAGES)

# All seeds of each truth at each level of loss take hours; without FULL as many
# of the judged ones as there is time for.
VERDICTS = $(if $(FULL),-seeds 1000 -hours 10000,-seeds 1000 -hours 160 -limit 8m30s)

verdicts: ## hold the pool's verdicts against the truth, into out/verdicts.txt and .svg (FULL=1: all of it)
	@mkdir -p out
	$(GO) test -c -o out/verdicts.test ./testenv/verdicts
	@out/verdicts.test -test.run '^TestVerdicts$$' -judged $(VERDICTS) -out out >&2; \
		status=$$?; cat out/verdicts.txt; exit $$status

conformance: ## hold the world in memory against the kernel, into out/conformance.txt
	@mkdir -p out
	@$(GO) test -count=1 -run '^TestConformance$$' ./testenv/conformance -args -out $(CURDIR)/out >&2; \
		status=$$?; cat out/conformance.txt; exit $$status

lint: $(LINT) ## look for mistakes, and for imports against the rules
	$(LINT) run $(PACKAGES)

$(LINT):
	$(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

cover: ## measure the tests' coverage, into out/cover.html
	@mkdir -p out
	$(GO) test -coverprofile out/cover.txt -coverpkg ./... $(PACKAGES)
	$(GO) tool cover -html out/cover.txt -o out/cover.html
	@$(GO) tool cover -func out/cover.txt | tail -n 1

clean: ## remove what the targets above have made
	rm -rf bin out
