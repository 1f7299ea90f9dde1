# Two commands matter on a fresh machine: `make demo` and `make test`. Each target sets up what it needs and asks nothing.
SHELL := /bin/bash
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
# The line of `help` that belongs to the target, with the time: what the target is doing.
say = @awk -F ':.*\#\# ' -v time="$$(date +%T)" '$$1 == "$@" {printf "\n== %s: %s (%s)\n", $$1, $$2, time}' $(MAKEFILE_LIST)

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test components unit hostile conformance managers soak e2e parity faults bench bare-test lint format docs lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing: packages, virtual environments (scripts/setup --check only tells)
	$(say)
	@scripts/setup

demo: setup ## Deploy the example to two throwaway servers, update it under load, roll it back
	$(say)
	@$(PYTHON) -m scripts.demo up

demo-down: setup ## Remove everything the demo made
	$(say)
	@$(PYTHON) -m scripts.demo down

test: setup lint components e2e ## Everything that must pass before a change lands

lint: setup ## Style, formatting, types, dead code
	$(say)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m tests.dead_code

components: setup ## unit, hostile, conformance and managers in one run, which is faster than one after the other
	$(say)
	$(PYTEST) -n 4 --dist loadgroup -m "unit or hostile or conformance or managers" \
	  tests/unit tests/hostile tests/conformance tests/soak tests/managers

unit: setup ## Fast tests of the pure packages
	$(say)
	$(PYTEST) -n 2 -m unit tests/unit

hostile: setup ## Repositories, values and output that want to do harm
	$(say)
	$(PYTEST) -n 3 --dist loadgroup -m hostile tests/hostile

conformance: setup ## The proxy against its contract
	$(say)
	$(PYTEST) -n 4 -m conformance tests/conformance tests/soak

managers: setup ## Adapters of secret managers against real servers of this machine
	$(say)
	$(PYTEST) -n 4 -m managers tests/managers

soak: setup ## A hundred deploys, pauses, rollouts and a restart under constant traffic: nobody may notice
	$(say)
	$(PYTEST) -m soak tests/soak

e2e: setup ## Sandbox servers: deploys under load, failures, takeover from Ruby Kamal, parity samples
	$(say)
	$(PYTEST) -n 2 --dist loadfile -m "e2e or (parity and not long)" tests/e2e tests/parity

parity: setup ## The long comparison with Ruby Kamal
	$(say)
	$(PYTEST) -m parity tests/parity

faults: setup ## Things killed, cut off, filled up and lied to; secrets searched for everywhere meanwhile
	$(say)
	$(PYTEST) -m faults tests/faults

bench: ## Ratios against Ruby Kamal, plain nginx, Caddy, pyinfra and hvac, each in the same run
	$(say)
	@scripts/setup --bench
	$(PYTHON) -m benchmarks.proxy
	$(PYTHON) -m benchmarks.fan_out
	$(PYTHON) -m benchmarks.secret_managers
	$(PYTHON) -m benchmarks

bare-test: ## Every target once on a bare Debian 12, each in a file system of its own (as root, takes hours)
	$(say)
	@scripts/bare-test

format: setup ## Rewrite the code in the project's style
	$(say)
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

docs: setup ## Write the generated parts of the documentation anew
	$(say)
	$(PYTHON) -m scripts.docs.cli docs/cli.md
	$(PYTHON) -m scripts.docs.configuration docs/configuration.md
	$(PYTHON) -m pykamal.core.catalogue.reference docs/diagnostics.md

lock: setup ## Pin the dependencies anew
	$(say)
	scripts/lock

clean: ## Remove what tools left in the tree
	$(say)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
