# What a person types. Each target says what it does in `make help`; the work is in scripts and in cargo.
.DEFAULT_GOAL := help
.PHONY: help preflight packages axe node tools control-plane inbox build image image-twice test test-cluster torture lint fmt crds corpus charts example demo bench sabotage clean-cache
SHELL := bash

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/clinic-operator
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
IMAGE := $(TARGET)/image/clinic-operator.tar

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

preflight:
	@tests/preflight

packages:
	@tests/packages

axe:
	@tests/pages/axe/get >/dev/null

# Before anything that takes long: whether this machine can run a node, and if so, what a node needs.
node:
	@if tests/node/run --check; then tests/tools/build for-node >/dev/null; else [ "$(NODE_TESTS)" != required ]; fi

control-plane: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl into the cache (once, about 10 min)
	@tests/tools/build control-plane >/dev/null

inbox: ## Install the demo's inbox into the cache (once, about 30 s)
	@demo/inbox/run --install-only

build: ## Compile the operator
	@image/compile

image: ## Build target/image/clinic-operator.tar, an OCI image, without a container engine; says its digest and size
	@image/build

image-twice: ## Build the image in two folders with nothing compiled and demand the same digest (about 10 min)
	@image/reproduce

lint: ## Formatting and clippy, without a warning
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --test node -- -D warnings
	cargo clippy --features test-clock --bin clinic-operator-test-clock -- -D warnings

STARTED := $(shell date +%s)

tools:
	@tests/tools/build for-tests >/dev/null
	@tests/charts/kinds >/dev/null

test: preflight node packages axe lint tools ## Every test, on a real API server and, where that can be, a real node; ends with the counts. ONLY=part-of-a-name for some
	@STARTED=$(STARTED) tests/run $(ONLY)

test-cluster: export NODE_TESTS = required
test-cluster: preflight node packages image ## Clinics on a real node from the release image: charts, pods, Services (needs root). ONLY=part-of-a-name for some
	@STARTED=$(STARTED) RUST_TEST_THREADS=4 CLINIC_OPERATOR_IMAGE="$(IMAGE)" tests/run --test node -- $(ONLY)

torture: preflight control-plane ## The long tests, with progress and a summary (about half an hour); ONLY=part for one
	@tests/torture $(ONLY)

# A cluster of one's own only where it is asked for on the command line, never because the shell happens to name one.
OWN_CLUSTER = $(if $(filter command line,$(origin KUBECONFIG)),$(KUBECONFIG))

demo: preflight ## Manifests become accounts and mails; DEMO_EXIT=1 ends after the last step, KUBECONFIG=… uses your cluster
	@KUBECONFIG=$(OWN_CLUSTER) demo/run

bench: preflight node control-plane image ## The figures of the README, with the machine they were taken on
	CLINIC_OPERATOR_BINARY="$(TARGET)/release/clinic-operator" cargo bench --profile figures --bench figures
	@! tests/node/run --check 2>/dev/null || CLINIC_OPERATOR_IMAGE="$(IMAGE)" cargo test -q --test node -- --nocapture nobody_is_refused | grep -o '[0-9]* of [0-9]* sign-ins .*'

sabotage: preflight control-plane ## Break each invariant on purpose and demand that its test fails; ONLY=name for one
	@tests/sabotage/run $(ONLY)

crds: ## Write what is generated from the Rust types: crds/, schemas/, docs/api.md and the rules of the chart's Roles
	cargo run -q -- crds --output crds/
	cargo run -q -- schemas --output schemas
	cargo run -q -- api-docs > docs/api.md
	cargo run -q -- role --rules > charts/clinic-operator/files/controller-role-rules.yaml
	cargo run -q -- role --portal --rules > charts/clinic-operator/files/portal-role-rules.yaml

corpus: ## Write into examples/invalid what validate says to each; what kubectl answers is written by hand
	VALIDATE_WRITE=1 cargo test -q --test validate -- corpus::what

charts: ## Write what the charts' tests compare with: the README's table of values, the objects of two clinics
	CHARTS_WRITE=1 cargo test -q --test charts -- the_readme_has the_objects_of

example: ## Write the tables of examples/gitops/README.md, as kubectl prints them
	EXAMPLE_WRITE=1 cargo test -q --test cluster -- gitops::the_life

fmt: ## Format the code
	cargo fmt

clean-cache: ## Remove what is in the cache: everything that was built or fetched
	rm -rf "$(CACHE)"
