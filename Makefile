# What there is to do, each in one word. The work is in .ci/*.sh; make help lists the words.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
FUZZTIME ?= 10s
BENCH    ?= .
SOAK     ?= 10m
SESSIONS ?= 2000

# The version is stamped below; asking git again fails in a clone that another user owns.
export GOFLAGS := -buildvcs=false $(GOFLAGS)
export FUZZTIME

.DEFAULT_GOAL := build
.PHONY: build demo test setup static unit fuzz players soak bench bench-rig cover sample help clean

build: ## build bin/mediagate with its version
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/mediagate ./cmd/mediagate

demo: build ## build, then play the sample by every way there is, and print a table
	bin/mediagate demo

test: setup static unit fuzz players ## set the machine up, then everything that CI checks

setup: ## install what the tests need (root, Debian), else say what is left out
	@.ci/setup.sh

static: ## gofmt -s, go vet, staticcheck
	@.ci/static.sh

unit: ## every test without real players, with the race detector
	@.ci/test.sh unit

fuzz: ## each fuzz target for FUZZTIME; make fuzz TARGET=FuzzReader for one
	@.ci/fuzz.sh $(TARGET)

players: ## real players, origins and network namespaces
	@.ci/test.sh players

soak: ## players come and go, SESSIONS at a time for SOAK (2000, 10m); nothing may be left of them
	@.ci/test.sh soak $(SOAK) $(SESSIONS)

bench: ## benchmarks (BENCH=Forward for some), then the relays side by side (root; RIG=quick for 3 minutes, not 30)
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	@$(MAKE) --no-print-directory bench-rig POINT='-table -json bin/rig.json $(if $(filter quick,$(RIG)),-quick)'

bench-rig: ## one point of the rig (root): make bench-rig POINT='-relay nat,plain -flows 100'
	go build -o bin/rig ./internal/rig
	bin/rig $(POINT)

cover: ## statements that the tests reach, by function, in bin/cover.out
	@mkdir -p bin
	go test -coverprofile=bin/cover.out $$(go list ./... | grep -vE '/internal/(lab|e2e)$$')
	go tool cover -func=bin/cover.out | tail -n 1

sample: ## make the bundled media sample anew (ffmpeg)
	testdata/sample/make-sample.sh

clean: ## remove what was built
	rm -rf bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
