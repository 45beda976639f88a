# Set-up, demonstration, tests and checks; `make help` lists the targets.
#
#   PYTHON=python3.12     the interpreter that the environment is made with, 3.11 or later
#   JOBS=4                test processes
#   ARGS="-k feed -x"     more arguments for pytest
#   PIP_FLAGS=...         more arguments for pip, such as --extra-index-url https://download.pytorch.org/whl/cpu

PYTHON ?= python3
JOBS ?= 2
ARGS ?=
PIP_FLAGS ?=

VENV := .venv
WEB := web
DASHBOARD := src/rillnet/serving/dashboard/static/index.html
BENCH := .bench
BIN := $(VENV)/bin
PIP := -m pip install -qq --disable-pip-version-check --no-input $(PIP_FLAGS) -c constraints.txt
INSTALL := $(BIN)/python $(PIP)
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-fast test-web web web-where-npm check lint types contracts reference bench clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: $(VENV)/.dev  ## make .venv with everything that development needs

demo: $(VENV)/.run  ## train a small net on real handwritten digits: under a minute, no download of data
	@$(BIN)/rillnet run examples/00_digits.yaml
	@printf '%s\n' '' 'What next:' \
	  '  source $(BIN)/activate                       puts the command rillnet on your path' \
	  '  rillnet show examples/00_digits.yaml          what was trained: blocks, shapes, parameters' \
	  '  rillnet run examples/01_lenet_mnist.yaml      LeNet on MNIST' \
	  '  rillnet --help                                everything else; README.md tells the story'

test: $(VENV)/.dev web-where-npm  ## the whole test suite; in a browser too, where npm and chromium are there
	@$(PYTEST) $(ARGS)

test-fast: $(VENV)/.dev  ## the test suite without the slow tests
	@$(PYTEST) -m "not slow" $(ARGS)

test-web: $(WEB)/node_modules/.installed  ## the tests of the dashboard's own parts
	@cd $(WEB) && npm test

web: $(DASHBOARD)  ## build the dashboard into the package; needs node and npm, which its users do not

# What `make test` needs of it: without npm, or without its registry, the tests in a browser are skipped.
web-where-npm:
	@if ! command -v npm >/dev/null; then echo "no dashboard is built, as npm is not installed"; \
	elif ! $(MAKE) $(WEB)/node_modules/.installed; then echo "no dashboard is built, as npm could not fetch its parts"; \
	else $(MAKE) web; fi

check: lint types contracts  ## style, types and which package may import which

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports --no-logo

reference: $(VENV)/.dev  ## write docs/reference and the pictures anew; tests tell when they are stale
	@$(BIN)/python -m rillnet.serving.reference docs/reference
	@$(BIN)/python -m tests.test_pictures

bench: $(BENCH)/.installed  ## speed against peers, in an environment of its own: half an hour, on a machine at rest
	@$(BENCH)/bin/python benchmarks/startup.py
	@$(BENCH)/bin/python benchmarks/training.py $(ARGS)
	@$(BENCH)/bin/python benchmarks/precision.py

clean:  ## remove the environment and all caches; runs and data stay
	rm -rf $(VENV) $(BENCH) $(WEB)/node_modules $(dir $(DASHBOARD)) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, in three steps. Each leaves a file behind, so that a second call installs nothing.

$(VENV)/constraints.txt: constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: name another with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "rillnet needs Python 3.11 or later, and $(PYTHON) is `$(PYTHON) -V`: name another with make PYTHON=..." >&2; exit 1; }
	@echo "making $(VENV) with `$(PYTHON) -V`"
	@$(PYTHON) -m venv $(VENV)
	@echo "installing `grep '^torch' constraints.txt` (once; it is large)"
	@$(INSTALL) -r constraints.txt
	@cp constraints.txt $@

$(VENV)/.run: $(VENV)/constraints.txt pyproject.toml
	@echo "installing rillnet"
	@$(INSTALL) --editable '.[data,observe,video,serve,shell]'
	@touch $@

$(VENV)/.dev: $(VENV)/constraints.txt pyproject.toml
	@echo "installing rillnet and what its tests need"
	@$(INSTALL) --editable '.[data,observe,video,serve,shell,browser,dev]'
	@touch $(VENV)/.run $@

# The dashboard, in two steps.

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@echo "installing what the dashboard is built with"
	@cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(DASHBOARD): $(WEB)/node_modules/.installed $(shell find $(WEB)/src $(WEB)/public -type f) $(wildcard $(WEB)/*.*)
	@echo "building the dashboard"
	@cd $(WEB) && npm run --silent build
	@touch $@

# The peers, each of which would bring a torch of its own without the constraints.

$(BENCH)/.installed: constraints.txt pyproject.toml benchmarks/requirements.txt
	@echo "making $(BENCH) and installing rillnet and the peers of the benchmarks"
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python $(PIP) -r constraints.txt
	@$(BENCH)/bin/python $(PIP) -r benchmarks/requirements.txt --editable .
	@touch $@
