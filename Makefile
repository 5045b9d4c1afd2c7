# Needs Python >= 3.11, make, and a package index; everything else is fetched, pinned, into .venv/ and server/graphiql/.

PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALL_SELF := $(INSTALL) --no-deps --no-build-isolation --editable .
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header
# Lines of targets that run side by side stay together, where this make can do that.
SYNCED := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# The longest first: those that start servers and mostly wait for them.
TESTS := test-server test-contract test-vendors test-graph
SERVER_TESTS := tests/server tests/bench tests/chaos tests/e2e tests/readme
VENDOR_TESTS := tests/vendors tests/execution
CHECKS := check-format check-lint check-mypy check-pyright check-imports check-schema

# Tests start processes by the hundred; each would compile the whole project again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test $(TESTS) fuzz chaos check $(CHECKS) format schema graphiql lock upgrade clean
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/runtime.stamp ## Serve the graph of five CRM sandboxes on this machine (ARGS="--port 9000" for options)
	@$(BIN)/python -m server.graphiql.build || echo 'make: the demo goes on without GraphiQL' >&2
	@exec $(BIN)/python -m server.cli demo $(ARGS)

test: .venv/dev.stamp graphiql ## Check everything and run the tests
	@$(MAKE) --no-print-directory --jobs=3 --keep-going $(SYNCED) $(if $(ARGS),,$(TESTS)) $(CHECKS)
	$(if $(ARGS),$(BIN)/python -m pytest $(ARGS))

test-server: .venv/dev.stamp
	$(BIN)/python -m pytest $(SERVER_TESTS)

test-contract: .venv/dev.stamp
	$(BIN)/python -m pytest tests/contract

test-vendors: .venv/dev.stamp
	$(BIN)/python -m pytest $(VENDOR_TESTS)

test-graph: .venv/dev.stamp # All the others
	$(BIN)/python -m pytest tests $(addprefix --ignore ,$(SERVER_TESTS) tests/contract $(VENDOR_TESTS))

chaos: .venv/dev.stamp ## Move 10,000 deals over all sandboxes while the server is killed again and again, and see that no event is lost
	CHAOS_MOVES=10000 $(BIN)/python -m pytest tests/chaos

fuzz: .venv/dev.stamp ## Run 200,000 random documents through our executor and graphql-core's (DOCUMENTS=1000 for fewer)
	FUZZ_DOCUMENTS=$(or $(DOCUMENTS),200000) $(BIN)/python -m pytest tests/execution/test_fuzz.py -q -s

check: .venv/dev.stamp ## Check format, lint, types, imports and schema.graphql
	@$(MAKE) --no-print-directory --jobs=2 --keep-going $(SYNCED) $(CHECKS)

check-mypy: .venv/dev.stamp
	$(BIN)/mypy

check-pyright: .venv/dev.stamp
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

check-format: .venv/dev.stamp
	$(BIN)/ruff format --check

check-lint: .venv/dev.stamp
	$(BIN)/ruff check

check-imports: .venv/dev.stamp
	$(BIN)/lint-imports

check-schema: .venv/dev.stamp
	$(BIN)/python -m server.cli schema --check

format: .venv/dev.stamp ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

schema: .venv/runtime.stamp ## Write schema.graphql anew from the code
	$(BIN)/python -m server.cli schema > .venv/schema.graphql
	mv .venv/schema.graphql schema.graphql

graphiql: .venv/runtime.stamp ## Build GraphiQL into server/graphiql/dist, unless it is up to date
	@$(BIN)/python -m server.graphiql.build

lock: .venv/dev.stamp ## Renew the locks after a change of pyproject.toml, keeping versions where possible
	$(COMPILE) --group build --output-file requirements.lock
	$(COMPILE) --group dev --output-file requirements-dev.lock

upgrade: .venv/dev.stamp ## Renew the locks with the latest versions
	$(COMPILE) --upgrade --group build --output-file requirements.lock
	$(COMPILE) --upgrade --group dev --output-file requirements-dev.lock

clean: ## Remove everything that make has made
	rm -rf .venv .node server/graphiql/dist server/graphiql/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# An interrupted creation leaves no Python that looks ready: it is removed again.
.venv/bin/python:
	@test -n "$(PYTHON)" || { echo 'make: no Python >= 3.11 found; install one, or name it: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; echo 'make: $(PYTHON) cannot make environments; on Debian and Ubuntu install python3-venv' >&2; exit 1; }

.venv/runtime.stamp: requirements.lock pyproject.toml | .venv/bin/python
	$(INSTALL) --require-hashes --requirement requirements.lock
	$(INSTALL_SELF)
	@touch $@

.venv/dev.stamp: requirements-dev.lock pyproject.toml | .venv/bin/python .venv/runtime.stamp
	$(INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@
