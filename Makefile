# `make` alone prints what there is. CI runs `make check test e2e-k8s` and nothing else.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-builtin-rules

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
FUZZTIME ?= 10s
BENCH    ?=
RUN      ?=
ROWS     ?= 1000000
STREAMS  ?= 10000
DURATION ?= 30m
SEED     ?=
ARCHS    ?= amd64 arm64

# Development tools have a module of their own, so that they never decide a version in ours.
TOOL    := go tool -modfile=internal/tools/go.mod
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X sark/internal/cli.Version=$(VERSION) -X sark/internal/cli.Revision=$(REVISION)'

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## start the demo: the gateway before an example MCP server; flags in RUN, such as RUN='--listen 127.0.0.1:8080'
	@exec bin/sark-demo --sark bin/sark $(RUN)

.PHONY: build
build: ## build every binary into bin/, static
	$(GOBUILD) -o bin/ ./cmd/...

.PHONY: image
image: ## pack sark into an OCI image layout, bin/image, for ARCHS (amd64 arm64); needs no engine and no registry
	for arch in $(ARCHS); do GOOS=linux GOARCH=$$arch $(GOBUILD) -o bin/linux-$$arch/ ./cmd/sark; done
	go -C internal/image run . -out '$(CURDIR)/bin/image' -version '$(VERSION)' -revision '$(REVISION)' \
		$(foreach arch,$(ARCHS),$(arch)='$(CURDIR)/bin/linux-$(arch)/sark')

.PHONY: test
test: needs-gcc go-test conformance ## run every test, conformance included; installs what is missing when root

.PHONY: race
race: needs-gcc go-test ## run the Go tests alone, with the race detector

.PHONY: go-test
go-test: needs-redis needs-postgresql needs-npm needs-netns
	go test -race -shuffle=on ./...
	go -C internal/image test ./...
	go -C internal/monitoring test -count=1 ./... # what it reads is outside of its module, which the cache does not see

.PHONY: conformance
conformance: needs-npm needs-netns build ## compare the MCP conformance suite through the gateway with a direct run
	SARK_TEST_BINARY=$(CURDIR)/bin/sark go test -v -tags conformance -count=1 -run '^TestConformance$$' ./internal/conformance

.PHONY: e2e-netns
e2e-netns: needs-netns ## test transparent mode with real packet rules in network namespaces; needs root, part of `make test`
	go test -v -count=1 ./internal/transparent

.PHONY: e2e-k8s
e2e-k8s: bin/cluster/kube-apiserver bin/cluster/etcd ## install, upgrade and remove the chart in a Kubernetes API server; builds one first, 10 minutes once
	KUBEBUILDER_ASSETS=$(CURDIR)/bin/cluster go -C charts test -tags e2e -count=1 -run '^TestCluster$$' .

# The control plane of e2e-k8s, in the versions of its own module, whose go.sum has their checksums. It is plain Go, so it is
# built like ours; the module proxy has the sources of Kubernetes, and nobody has to be trusted for a binary.
BUILDCLUSTER = cd charts/cluster && CGO_ENABLED=0 go build -trimpath -o $(CURDIR)/$@
KUBERNETES   = $(shell go -C charts/cluster list -m -f '{{.Version}}' k8s.io/kubernetes)
KUBEVERSION  = k8s.io/component-base/version
bin/cluster/kube-apiserver: charts/cluster/go.sum
	$(BUILDCLUSTER) -ldflags '-s -w -X $(KUBEVERSION).gitVersion=$(KUBERNETES) -X $(KUBEVERSION).gitMajor=1 -X $(KUBEVERSION).gitMinor=$(word 2,$(subst ., ,$(KUBERNETES)))' \
		k8s.io/kubernetes/cmd/kube-apiserver
bin/cluster/etcd: charts/cluster/go.sum
	$(BUILDCLUSTER) -ldflags '-s -w' go.etcd.io/etcd/server/v3

.PHONY: needs-gcc needs-netns needs-npm needs-redis needs-postgresql
needs-gcc needs-netns needs-npm needs-redis needs-postgresql: needs-%:
	@.ci/install-missing $*

.PHONY: check
check: lint verify chart docs-check ## lint, verify generated files, check the chart, run the documented commands

.PHONY: lint
lint: ## run the linters of .golangci.yml
	$(TOOL) golangci-lint run ./...
	cd charts && go tool -modfile=../internal/tools/go.mod golangci-lint run ./...
	cd internal/image && go tool -modfile=../tools/go.mod golangci-lint run ./...
	cd internal/monitoring && go tool -modfile=../tools/go.mod golangci-lint run ./...

.PHONY: verify
verify: ## fail when generated files, go.mod or formatting are stale
	.ci/verify

.PHONY: chart
chart: ## lint and render the Helm chart, check it against the types of Kubernetes and the configuration against the gateway's
	go -C charts mod tidy -diff
	go -C charts vet ./...
	go -C charts test ./...

.PHONY: docs-check
docs-check: build ## run the commands that the documentation marks as checked
	.ci/docs-check

.PHONY: vuln
vuln: ## look for known vulnerabilities in what we link
	.ci/vuln

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@grep -rE --include='*_test.go' '^func Fuzz' . | sed -E 's|/[^/]*_test.go:func (Fuzz[A-Za-z0-9_]*).*| \1|' | while read -r package target; do \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package"; \
	done

.PHONY: bench
bench: build ## compare direct, bare proxy and SARK; flags in BENCH, such as BENCH=-quick
	go run ./internal/bench/cmd/bench run -binary bin/sark $(BENCH)

.PHONY: bench-cache
bench-cache: build needs-redis ## compare hits with a bare handler, and misses with the cache off; flags in BENCH
	go run ./internal/bench/cmd/bench cache -binary bin/sark $(BENCH)

.PHONY: bench-streams
bench-streams: build ## measure what STREAMS (10000) idle event streams take, and what they leave behind
	go run ./internal/bench/cmd/bench streams -binary bin/sark -streams $(STREAMS)

.PHONY: soak
soak: build ## send mixed traffic for DURATION (30m) and report how the gateway's memory grows
	go run ./internal/bench/cmd/bench soak -v -binary bin/sark -duration $(DURATION)

.PHONY: chaos
chaos: DURATION = 3m
chaos: needs-gcc needs-redis needs-postgresql ## let everything go wrong at once for DURATION (3m), with the race detector; SEED=N repeats the choices
	SARK_CRASH_DURATION=$(DURATION) SARK_CRASH_SEED=$(SEED) go test -race -v -count=1 -timeout 0 -run '^TestChaos$$' ./internal/crash

.PHONY: bench-micro
bench-micro: ## run the Go benchmarks, with allocations
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-store
bench-store: needs-postgresql ## measure the databases: appends, and lists and trails among ROWS (1000000) servers and events
	go test -run '^$$' -bench 'AppendEvents(/|$$)|OpenLoop' -benchmem ./store/postgres
	SARK_BENCH_ROWS=$(ROWS) go test -run '^$$' -bench 'Scale' -timeout 1h ./store/postgres ./store/sqlite

.PHONY: bench-timescale
bench-timescale: ## measure the audit trail on a real TimescaleDB: make bench-timescale URL=postgres://...
	SARK_TEST_TIMESCALE_URL='$(URL)' go test -run '^$$' -bench Timescale -count 5 ./store/postgres

.PHONY: golden
golden: ## rewrite the golden files; review the diff
	go test $$(grep -rlF --include='*_test.go' --exclude-dir=charts 'Bool("update"' . | xargs -n1 dirname | sort -u) -update
	go -C charts test . -update

.PHONY: generate
generate: ## rewrite generated files
	go generate ./...
