# Everything a person types. `make help` lists it; each target prepares what it needs by itself.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
STATE := $(CURDIR)/.flyball
PYTEST_ARGS ?=
# The locks are complete: nothing is left to resolve, and a newer release cannot get in by an extra.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Runs tests, each file in one process (what its tests share is made once). Where PYTEST_ARGS names some, one of the
# two turns may find none: pytest's exit status 5. Three processes for two cores: those that drive servers wait a third
# of their time. In the order of their folders, so that what ends last are the short ones under tests/unit.
TOGETHER := -n 3 --dist loadfile --no-loadscope-reorder
# Only these files, as reading all of them takes half a minute.
ALONE = $(if $(PYTEST_ARGS),,$(shell grep -rlE 'mark\.alone' tests --include='test_*.py'))
tested = PATH="$$PATH:/usr/sbin" $(BIN)/python -m pytest $(1) $(PYTEST_ARGS) || [ "$(if $(PYTEST_ARGS),$$?)" = 5 ]

.PHONY: setup up demo check test test-all bench bench-check bench-store lock help

setup: $(RUNTIME) ## prepare .venv with everything `flyball` needs, exactly as locked

up: $(RUNTIME) ## serve on http://localhost:4000/v1, state in ./.flyball (sim-* models if no provider key is set)
	@FLYBALL_HOME="$(STATE)" exec $(BIN)/flyball serve

demo: $(RUNTIME) ## two minutes of live traffic of three tenants, one of which hits its cap
	@FLYBALL_HOME="$(STATE)" exec $(BIN)/flyball demo $(DEMO_ARGS)

check: $(DEV) ## format, lint, types, layers and generated dashboards: what CI checks before it tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m dashboards.build --check

test: $(DEV) ## the tests CI runs (25 minutes at most), with the coverage gate
	@.ci/packages chromium nginx redis-server
	$(call tested,$(TOGETHER) -m "not long and not alone" --cov --cov-report=)
	$(call tested,$(ALONE) -m "alone and not long" --cov --cov-append --cov-report=term --cov-fail-under=90)

test-all: $(DEV) ## every test, the long ones too: frameworks, soaks, faults
	@.ci/packages chromium nginx redis-server npm
	$(call tested,$(TOGETHER) -m "not alone" --timeout 1800)
	$(call tested,$(ALONE) -m alone --timeout 1800)

bench: $(DEV) ## cost per call, chunk, hold and decision, beside plain nginx, a bare relay and two peers, into docs/bench.md
	@.ci/packages nginx wrk redis-server npm
	PATH="$$PATH:/usr/sbin" $(BIN)/python -m tests.bench
	PATH="$$PATH:/usr/sbin" $(BIN)/python -m tests.bench.ledger
	$(BIN)/python -m tests.bench.policy
	$(BIN)/python -m tests.bench.routing

bench-check: $(DEV) ## whether a call or a chunk has become over 15 % dearer than docs/bench says, as multiples of nginx
	@.ci/packages nginx wrk
	PATH="$$PATH:/usr/sbin" $(BIN)/python -m tests.bench --check --rounds 3

bench-store: $(DEV) ## what the telemetry store takes in, holds and answers: BENCH_ARGS="--operations 10000000" for less than 100 million
	$(BIN)/python -m tests.bench.store $(BENCH_ARGS)

lock: ## write requirements/*.txt anew from *.in, and the node lock (needs `uv` and `npm` on the path)
	cd requirements && for part in runtime dev image frameworks-llama-index frameworks-crewai frameworks-smolagents frameworks-presidio \
	    frameworks-langchain frameworks-haystack frameworks-openai-agents frameworks-semantic-kernel frameworks-pydantic-ai \
	    frameworks-dspy frameworks-instructor frameworks-autogen frameworks-litellm frameworks-litellm-proxy \
	    frameworks-anthropic-0x; do \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-header --no-annotate --quiet $$part.in -o $$part.txt; done
	for part in vercel node portkey; do (cd tests/frameworks/$$part && \
	  npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund); done

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Flyball needs Python 3.11 or newer; name one: make PYTHON=python3.12 setup" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/packages python3-venv
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Flyball needs into $(VENV) (a minute or two, once)"
	@$(PIP) --no-deps --require-hashes -r requirements/runtime.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	@echo "Installing what checks and tests need into $(VENV)"
	@$(PIP) --no-deps --require-hashes -r requirements/dev.txt
	@touch $@
