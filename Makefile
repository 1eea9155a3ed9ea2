# `make help` lists the targets. Each installs the Debian packages that it
# needs and that are missing; SETUP=skip keeps it from that where there are none.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# Without its check for deprecated names: Endpoints are, and users have them.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# A guard against tests that hang, not a measure. The kube-apiserver, ten minutes
# on two cores, is built before the tests and once.
TEST_TIMEOUT := 30m

# Where `make rootfs` puts the tree of the image: a folder that `go list ./...` does
# not look into, since parts of it are root's alone.
ROOTFS ?= bin/_rootfs

.PHONY: build rootfs run test test-image fuzz compat lint golden docs bench bench-l4 clean help

build: ## bin/sallyport, sallyport-proxier and kubectl-sallyport (the default)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

rootfs: ## the tree of the image in bin/_rootfs, or ROOTFS, with debootstrap; wants root
	@test/setup/install rootfs
	@$(MAKE) --no-print-directory build
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./rootfs/image/sbom
	rootfs/image/build '$(ROOTFS)' bin

run: ## the quickstart on :8080 and :8443, until Ctrl-C
	@test/setup/install run
	@$(MAKE) --no-print-directory build
	@test/quickstart/run

# Packages that count lost requests or packets have the machine to themselves:
# one that is starved loses some. The others go two at a time, the longest first.
ALONE := /nginx$$|/test/e2e$$|/test/quickstart$$|/test/l4$$|/proxier/(iptables|nftables|userspace)$$
LONGEST := ./controller/proxier/ipvs

test: ## all tests; e2e runs a real kube-apiserver, etcd and nginx
	@test/setup/install test
	go run ./test/cluster/prepare
	go test -count=1 -p 2 -timeout $(TEST_TIMEOUT) $(LONGEST) $$(go list ./... | grep -Ev '$(LONGEST)$$|$(ALONE)|/test/image$$')
	go test -count=1 -p 1 -timeout $(TEST_TIMEOUT) $$(go list ./... | grep -E '$(ALONE)')
	@nginx -V 2>&1 | grep -q http_v3 || echo 'NO HTTP/3 WAS TESTED: the nginx of this machine is built without it. make test-image tests it.'

# What needs only one run of the image is in test/image; e2e runs there as it runs
# here, the tree's sallyport and nginx in the place of this machine's.
test-image: rootfs ## the tests of the image in its tree, and e2e against it
	@test/setup/install test
	SALLYPORT_ROOT='$(abspath $(ROOTFS))' go test -count=1 -p 1 -timeout $(TEST_TIMEOUT) ./test/image ./test/e2e

fuzz: ## ten million hostile annotations, in about an hour
	@test/setup/install run
	FUZZ_INPUTS=10000000 GOGC=400 go test ./test -run TestFuzzAnnotations -count=1 -v -timeout 12h

compat: ## which annotation is proven by which case
	go test ./test/compat -run TestTable -count=1 -v

lint: ## gofmt, go vet, staticcheck, luacheck
	@test/setup/install lint
	@files=$$(gofmt -l cmd controller nginx rootfs template test); \
	  test -z "$$files" || { echo "run gofmt -w on: $$files"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) -checks inherit,-SA1019 ./...
	cd rootfs && luacheck --quiet .

golden: ## rewrite what the examples and the proxier's plans expect; then read the diff
	go test ./test -run Example -count=1 -update
	go test ./test/l4 ./controller/proxier/... -run Golden -count=1 -update

docs: ## rewrite the references of annotations, settings, flags and the chart's values
	go run ./cmd/sallyport docs
	go run ./cmd/sallyport-proxier docs
	go test ./test/chart -run Fresh -count=1 -update

bench: ## the measures of speed and memory, as ratios and counts
	@test/setup/install bench
	@$(MAKE) --no-print-directory build
	go run ./test/bench
	go test ./controller/admission -run "^$$" -bench Admit -benchtime 2000x

bench-l4: ## the proxier beside kube-proxy, as ratios and counts
	@test/setup/install bench-l4
	@$(MAKE) --no-print-directory build
	go run ./test/bench/l4

clean: ## remove what build made
	rm -rf bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
