# `make demo` and `make test` are enough; they need Python 3.11, 3.12 or 3.13 and make, nothing else.
VENV := .venv
PY := $(VENV)/bin/python
WORKERS ?= 2
# Set-up is done anew when pyproject.toml changes or the checkout moves.
STAMP := $(VENV)/.installed-$(shell { cat pyproject.toml; pwd; } | cksum | cut -d ' ' -f 1)

.PHONY: help setup demo test bench soak rehearse lint clean

help:
	@echo "make demo    set up, then the main job on the bundled tape; ends with the report's path"
	@echo "make test    set up, then all tests"
	@echo "make bench   benchmarks; PEER_PYTHON=path/to/python adds the one against hftbacktest,"
	@echo "             LARGE=1 a tape of 200 million rows (15 GB of disk)"
	@echo "make soak    long runs"
	@echo "make rehearse  ten minutes of live quoting at the local gateway (SECONDS=600)"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make setup   only the environment, in .venv"
	@echo "make clean   remove .venv and all caches; runs and reports stay"

setup: $(STAMP)

demo: setup
	@$(PY) -m mmquant demo

# One process compiles all kernels first, so that the workers only load them.
test: setup
	@$(PY) -m mmquant warmup >&2
	@$(PY) -m pytest -n $(WORKERS) -q

bench: setup
	@$(PY) -m tests.benchmarks $(if $(PEER_PYTHON),--peer-python $(PEER_PYTHON)) $(if $(LARGE),--large)

soak: setup
	@$(PY) -m pytest -m soak -q -rs

rehearse: setup
	@MMQUANT_REHEARSE_S=$(or $(SECONDS),600) $(PY) -m pytest -m soak -q -rs tests/live/test_rehearsal.py

lint: setup
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	rm -rf .coverage build dist *.egg-info
	find mmquant tests notebooks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(STAMP):
	@set -e; python=; \
	for name in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	  if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	    >/dev/null 2>&1; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "error: no Python 3.11, 3.12 or 3.13 found - install one," \
	    "or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	    echo "error: $$python cannot make virtual environments (no ensurepip) -" \
	      "on Debian and Ubuntu: sudo apt install $$("$$python" -c \
	      'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; \
	  fi; \
	  "$$python" -m venv --clear $(VENV); \
	fi; \
	echo "Setting up $(VENV) with $$($(PY) --version): some minutes the first time" >&2; \
	$(PY) -m pip install -qq --no-input --disable-pip-version-check -e '.[dev,notebook]' >&2; \
	rm -f $(VENV)/.installed-*; touch $@
