# The commands of the project. `make help` lists them.
#
# CARGO_TARGET_DIR is honoured. Nothing here needs more than a Rust toolchain, make and bash.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
RUST_VERSION_MIN := 1.95
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BIN := $(TARGET_DIR)/release

# make demo
INPUT ?=
CRASH ?=
# make bench
ONLY ?=
SECONDS_EACH := $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),)

.PHONY: help demo test lint format-check clippy unit bench sim sim-seed sim-mutants torture fuzz toolchain

help: ## Say what there is
	@echo "make demo                 the main job: real orders in, workflows, ordered deliveries out"
	@echo "     INPUT=path.csv       with this file instead of generated orders"
	@echo "     CRASH=3              and kill -9 the server three times on the way"
	@echo "make test                 everything that must pass before a change goes in"
	@echo "make lint                 its first part: format and clippy"
	@echo "make bench                the workloads of docs/performance.md, one JSON line each"
	@echo "     ONLY=W1a,W2          only these"
	@echo "     SECONDS=5            so long for each that runs for a time (default 20)"
	@echo "make sim                  the engine in simulated worlds: seeds, crashes, faults, a model (docs/internals/testing.md)"
	@echo "     SECONDS=600          so long (default 60)"
	@echo "make sim-seed SEED=7      one seed again, with everything that happens"
	@echo "make torture              the real program: kill -9, failing disks, no space, standstills, jumping clocks;"
	@echo "                          then 100,000 jobs to a bad destination, with twenty kills;"
	@echo "                          then one of fifty destinations is down for a minute"
	@echo "     SECONDS=600          so long (default 60)"
	@echo "make fuzz                 wrong input for every decoder"
	@echo "     SECONDS=600          so long (default 60)"
	@echo "make sim-mutants          planted bugs, each of which must be caught"

demo: toolchain ## The main job
	$(CARGO) build --release --locked -p trunkline-cli -p trunkline-orders
	$(BIN)/orders demo $(if $(INPUT),--input "$(INPUT)") $(if $(CRASH),--crash "$(CRASH)")

test: toolchain lint unit ## Everything

lint: toolchain format-check clippy

format-check:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

unit:
	$(CARGO) test --workspace --locked --no-fail-fast

bench: toolchain ## The workloads
	@$(CARGO) build --release --locked -p trunkline-cli -p trunkline-bench
	@$(BIN)/bench $(if $(ONLY),--only "$(ONLY)") $(if $(SECONDS_EACH),--seconds "$(SECONDS_EACH)")

sim: toolchain ## Fresh seeds of the simulation
	@$(CARGO) build --release --locked -p trunkline-sim --bin sim
	@$(BIN)/sim seconds $(or $(SECONDS_EACH),60)

sim-seed: toolchain ## One seed again
	@$(CARGO) build --release --locked -p trunkline-sim --bin sim
	@$(BIN)/sim seed $(SEED)

sim-mutants: toolchain ## The planted bugs
	@$(CARGO) build --release --locked -p trunkline-sim --bin sim --features mutants --target-dir $(TARGET_DIR)/mutants
	@$(TARGET_DIR)/mutants/release/sim mutants

torture: toolchain ## The real program under every trouble
	@$(CARGO) build --release --locked -p trunkline-cli -p trunkline-sim
	@$(BIN)/sim torture $(or $(SECONDS_EACH),60)
	@$(BIN)/sim egress --jobs 100000 --lanes 1000 --kills 20
	@$(BIN)/sim outage --seconds 60

fuzz: toolchain ## Wrong input for every decoder
	@$(CARGO) build --release --locked -p trunkline-sim --bin sim
	@$(BIN)/sim fuzz $(or $(SECONDS_EACH),60)

toolchain:
	@command -v $(CARGO) >/dev/null || { \
	  echo "There is no Rust toolchain on the PATH. Install one from https://rustup.rs (Rust $(RUST_VERSION_MIN) or newer," \
	       "with rustfmt and clippy) and try again." >&2; exit 1; }
	@version=$$(rustc --version | cut -d' ' -f2 | cut -d- -f1); \
	if [ "$$(printf '%s\n' "$(RUST_VERSION_MIN)" "$$version" | sort -V | head -n 1)" != "$(RUST_VERSION_MIN)" ]; then \
	  echo "This is Rust $$version; Trunkline needs $(RUST_VERSION_MIN) or newer. Run: rustup update stable" >&2; exit 1; fi
