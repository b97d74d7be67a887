# Needs Python >= 3.11, make and a shell. Everything else comes into .venv, from requirements.lock.

SHELL := /bin/sh
BIN := .venv/bin
PROTOS := $(shell find protos -name '*.proto' 2>/dev/null)
INSTALLED := .venv/.installed
STUBS := .venv/.stubs

# The first Python that will do; PYTHON=/path/to/python3.12 names another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$name"; break; }; done)

# What the caller set for another Python must not reach ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install protos run test coverage check types tidy bench bench-large bench-soak bench-curve faults soak mutants clean

help: ## Show these lines
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1:\2/p' Makefile | sed 's/:/\t/'

install: $(INSTALLED) $(STUBS) ## Make .venv with the locked dependencies, and the protobuf stubs

run: install ## Start Kassa with a demo company; flags: make run ARGS="--port 9000"
	@exec $(BIN)/kassa serve --demo $(ARGS)

# Processes that each have a PostgreSQL of their own, one more than there are processors, since some
# always wait; ARGS="-n 0" runs in this one, for -s or --pdb.
PYTEST := $(BIN)/python -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN || echo 1) + 1)) \
	--dist loadfile --no-loadscope-reorder

test: install ## Run the tests, on a PostgreSQL of their own; flags: make test ARGS="-k wallet"
	@$(PYTEST) $(ARGS)

# The same, slower: what is counted, and the floor, stand in pyproject.toml; in which tests, in
# tests/conftest.py.
coverage: install ## Run the tests, and refuse too many branches of domain and use cases that none takes
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

check: install ## Check format, lint, types, import layers, tidiness and dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory -j2 types tidy

types: install
	$(BIN)/mypy src

tidy: install
	$(BIN)/python -m pytest -q tests/test_tidy.py tests/test_minor_units.py tests/test_deadlines.py tests/test_dead_code.py

bench: install ## Measure, and write bench/RESULTS.md and bench/results.json
	@$(BIN)/python -m bench $(ARGS)

bench-large: install ## What grows when payments do, into bench/LARGE.md: make bench-large ARGS="--payments 1000000"
	@$(BIN)/python -m bench.large $(ARGS)

bench-soak: install ## An hour of load, and whether anything grows, into bench/SOAK.md; ten minutes: ARGS=--short
	@$(BIN)/python -m bench.soak $(ARGS)

bench-curve: install ## What more HTTP processes and a second node are worth, into bench/CURVE.md
	@$(BIN)/python -m bench.curve $(ARGS)

faults: install ## What accidents and attackers come to, into bench/FAULTS.md; flags: make faults ARGS="soak --seconds 600"
	@$(BIN)/python -m bench.faults $(ARGS)

soak: install ## Random steps for as long as asked: make soak SECONDS=600 OF=tests/oracle (or tests/money)
	@KASSA_TEST_SOAK=$(or $(SECONDS),600) $(BIN)/python -m pytest -q -s -x $(or $(OF),tests/money) -k soak $(ARGS)

# In a copy of the tree, with an environment of its own; a module takes minutes, all of domain a day.
mutants: install ## Change domain place by place and show what no test of it notices: make mutants MODULE=lifecycle
	@tests/mutants/run $(MODULE)

protos: ## Build the protobuf stubs anew
	@rm -f $(STUBS)
	@$(MAKE) --no-print-directory $(STUBS)

clean: ## Remove what make install made; .kassa, the data, stays
	rm -rf .venv src/moego src/kassa_protos .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .mutants

# pip keeps downloads under HOME; where there is none to write to, it shall not try.
$(INSTALLED): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; \
	then echo "Kassa needs Python 3.11 or later, and found none: install it, or say" \
		"make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(BIN)/python -c '' 2>/dev/null || rm -rf .venv
	@echo "Installing into .venv; the first time takes about a minute."
	@set -e; \
	if [ ! -w "$${HOME:-/nonexistent}" ]; then export PIP_NO_CACHE_DIR=1; fi; \
	if [ ! -x $(BIN)/python ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		if "$(PYTHON)" -c 'import ensurepip' 2>/dev/null; \
		then "$(PYTHON)" -m venv .venv; \
		else "$(PYTHON)" -m venv --without-pip .venv; fi; fi; \
	if $(BIN)/python -m pip --version >/dev/null 2>&1; \
	then pip="$(BIN)/python -m pip"; \
	elif "$(PYTHON)" -m pip --version >/dev/null 2>&1; \
	then pip="$(PYTHON) -m pip --python $(BIN)/python"; \
	else echo "This Python has neither ensurepip nor pip: install its venv package" \
		"(on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; fi; \
	$$pip install --quiet --require-hashes -r requirements.lock; \
	$$pip install --quiet --no-deps --no-build-isolation --editable .; \
	touch $(INSTALLED)

$(STUBS): $(PROTOS) $(INSTALLED)
	@rm -rf src/moego src/kassa_protos
	@test -z "$(PROTOS)" || $(BIN)/python -m grpc_tools.protoc -I protos \
		-I "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
		--python_out=src --pyi_out=src --grpc_python_out=src $(PROTOS)
	@touch $@
