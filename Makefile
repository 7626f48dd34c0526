# The developer's day. `make help` lists the targets; every target installs what it needs first.
# The machine needs Python 3.11 or newer, make and a package index, nothing else.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

VENV   := .venv
BIN    := $(VENV)/bin
PY     := $(BIN)/python
PIP    := PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip --quiet
ROOMS  := domain engine exchange ledger risk router monitoring backtest services bot scripts

# `make lock` asks the public index alone, so that hashes of every published wheel are written, not those of a local mirror.
LOCK_ENV  ?= PIP_CONFIG_FILE=/dev/null
LOCK_VENV := build/lock-venv
PIP_TOOLS := pip-tools==7.6.2

ARGS ?=
T    ?=

.PHONY: help install run backtest test test-nightly check format bench draw lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/.dev ## create .venv and install everything, tools included
	@:

run: $(VENV)/.runtime ## trade on paper: make run ARGS="--for 60s"
	@$(BIN)/hat run $(ARGS)

backtest: $(VENV)/.runtime ## run over recorded data: make backtest ARGS="FILE --coin BTC"
	@$(BIN)/hat backtest $(ARGS)

test: $(VENV)/.dev ## run the tests; one corner: make test T=tests/domain; pytest options: ARGS="-k fill"
	@$(PY) -m pytest -q $(if $(T),-n 0 $(T)) $(ARGS)

test-nightly: $(VENV)/.dev ## run all tests, the long ones too
	@$(PY) -m pytest -q -m "" --timeout 3600 $(if $(T),-n 0 $(T)) $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import contract, house rules; all of them, then one verdict
	@clean=yes; \
	$(PY) -m ruff format --quiet --check --diff . || clean=; \
	$(PY) -m ruff check --quiet . || clean=; \
	$(PY) -m mypy --no-error-summary || clean=; \
	contract=$$($(BIN)/lint-imports --no-logo) || { echo "$$contract"; clean=; }; \
	$(PY) -m pytest -q -n 0 tests/tidy || clean=; \
	if [ -n "$$clean" ]; then echo "check: clean"; else echo "check: see above" >&2; exit 1; fi

format: $(VENV)/.dev ## format the code and fix what ruff can fix
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format --quiet .

bench: $(VENV)/.dev ## measure; prints numbers, asserts none
	@$(PY) -m benchmarks $(ARGS)

draw: $(VENV)/.dev ## write the diagrams and tables that docs/ takes from the code
	@$(PY) -m scripts.draw $(ARGS)

lock: ## write both lock files again; newer versions: make lock ARGS=--upgrade
	@$(call find_python) && $$python -m venv $(LOCK_VENV)
	@$(LOCK_ENV) $(LOCK_VENV)/bin/python -m pip --quiet --disable-pip-version-check install $(PIP_TOOLS)
	@$(call compile_lock,requirements-dev.lock,--extra dev,the bot and the tools)
	@$(call compile_lock,requirements.lock,-c requirements-dev.lock,the bot alone)

clean: ## remove .venv, caches and build output; state/ (your ledger and journal) stays
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find $(ROOMS) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Set $$python to the first interpreter that is new enough; python3.11 is the one the lock was made with.
define find_python
python=; for candidate in python3.11 python3 python3.12 python3.13 python3.14; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo "hat needs Python 3.11 or newer; found: $$(python3 --version 2>/dev/null || echo no python3)." >&2; exit 1; \
fi
endef

define compile_lock
$(LOCK_ENV) PIP_FIND_LINKS= $(LOCK_VENV)/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	--build-deps-for editable $(2) $(ARGS) --output-file $(1) pyproject.toml && \
{ echo "# Exact versions with hashes of $(3); written by \`make lock\`, never by hand."; \
  grep -v '^#' $(1) | grep -v '^$$'; } > build/lock.txt && mv build/lock.txt $(1)
endef

$(VENV)/.created:
	@$(call find_python); \
	echo "Creating $(VENV) with $$($$python --version)." >&2; \
	$$python -m venv $(VENV) || { \
		echo "Could not create $(VENV): this Python lacks the venv module (on Debian: the package python3-venv)." >&2; exit 1; }
	@touch $@

$(VENV)/.runtime: $(VENV)/.created requirements.lock pyproject.toml
	@echo "Installing the bot into $(VENV) (a minute the first time)." >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.created requirements-dev.lock pyproject.toml
	@echo "Installing the bot and its tools into $(VENV) (a minute the first time)." >&2
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime
