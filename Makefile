# Everything here sets itself up from nothing: it needs python3.11 (or 3.12) with its venv module, make, and PyPI.
#
#   make run    a charging site, live, on http://127.0.0.1:8000   (make run ARGS="--port 8001 --speed 60")
#   make test   the tests                                         (make test ARGS="-k allocate")
#   make nightly  all tests, campaigns of minutes too, with thousands of examples each
#   make check  format, lint, types, layers
#   make bench  the benchmarks, each beside its peer
#   make docs   the reference pages in docs/reference, from the code
#   make accuracy  docs/accuracy.md: the cells' simulations beside PyBaMM itself, and curves beside cars (3 minutes)
#   make ocpp-messages  src/voltbench/ocpp/*/messages.py, from the schemas in the PyPI package ocpp

PYTHON ?= $(or $(firstword $(shell command -v python3.11 python3.12 python3)),python3.11)
UV_VERSION := 0.13.8
ARGS ?=

# The machine's own habits do not reach in here: of uv's settings only those about its cache and the network stay.
KEPT_UV := UV_CACHE_DIR UV_HTTP_% UV_CONCURRENT_% UV_LINK_MODE UV_NATIVE_TLS UV_SYSTEM_CERTS UV_OFFLINE UV_NO_PROGRESS
unexport $(filter-out $(KEPT_UV),$(filter UV_%,$(.VARIABLES)))
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX
export PIP_USER := 0

VENV := .venv
TOOLS := .venv-tools
BIN := $(VENV)/bin
UV := $(TOOLS)/uv-$(UV_VERSION)
SYNC = UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=$(CURDIR)/$(VENV) \
	$(TOOLS)/bin/uv sync --locked --inexact --quiet --python $(TOOLS)/bin/python \
	--extra cells
LOCK := pyproject.toml uv.lock
# The peers want old dependencies, or many, so each has an environment of its own.
PEERS := acn emhass flexmeasures

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test nightly check bench docs accuracy ocpp-messages format lock clean

help:
	@sed -n 's/^#   //p' Makefile

run: $(VENV)/.synced-run
	@exec $(BIN)/voltbench up $(ARGS)

test: $(VENV)/.synced-dev
	@$(BIN)/pytest -n logical --maxprocesses 4 -m "not campaign" $(ARGS)

nightly: $(VENV)/.synced-dev
	@HYPOTHESIS_PROFILE=nightly $(BIN)/pytest -n logical $(ARGS)

check: $(VENV)/.synced-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.synced-bench $(PEERS:%=.venv-%/.synced)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.synced-run
	@$(BIN)/python docs/build.py

accuracy: $(VENV)/.synced-run
	@$(BIN)/python -m docs.accuracy $(ARGS)

ocpp-messages: $(VENV)/.synced-dev
	@$(BIN)/python tools/ocpp_messages.py

format: $(VENV)/.synced-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: $(UV)
	UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never $(TOOLS)/bin/uv lock --python $(TOOLS)/bin/python $(ARGS)

clean:
	rm -rf $(VENV) $(TOOLS) $(PEERS:%=.venv-%) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that an environment is as the lock file wants it: with the runtime dependencies, or with the tools too.
$(VENV)/.synced-run: $(UV) $(LOCK)
	@echo "Setting up $(VENV) (once) ..."
	@$(SYNC) --no-default-groups
	@touch $@

$(VENV)/.synced-dev: $(UV) $(LOCK)
	@echo "Setting up $(VENV) with the development tools (once) ..."
	@$(SYNC) --extra cluster --extra rabbitmq
	@touch $(VENV)/.synced-run $@

$(VENV)/.synced-bench: $(UV) $(LOCK)
	@echo "Setting up $(VENV) with what the benchmarks need (once) ..."
	@$(SYNC) --no-default-groups --group bench
	@touch $(VENV)/.synced-run $@

.venv-%/.synced: $(UV) benchmarks/peers/%-requirements.txt
	@echo "Setting up .venv-$*, a peer's own environment (once) ..."
	@UV_NO_CONFIG=1 $(TOOLS)/bin/uv venv --clear --quiet --python $(TOOLS)/bin/python .venv-$*
	@UV_NO_CONFIG=1 $(TOOLS)/bin/uv pip install --quiet --python .venv-$*/bin/python \
		-r benchmarks/peers/$*-requirements.txt
	@touch $@

$(UV):
	@echo "Setting up uv $(UV_VERSION) in $(TOOLS) (once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
		|| { echo "voltbench needs Python 3.11 or 3.12; say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(TOOLS) \
		|| { echo "this Python cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@
