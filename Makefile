# Everything runs in .venv inside the checkout; stamp files in it make repeats quick.
# PYTHON=python3.12 make test   takes another interpreter (delete .venv first).

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# With `make -s` or in CI logs pip's progress bars are noise.
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench load fuzz card examples browser constraints clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(VENV)/.dev ## everything a contributor needs: the core, training and development extras

demo: $(VENV)/.core ## install the core (no torch) and assess the recordings in examples/
	@$(BIN)/python examples/run.py

# Files of tests go to as many processes as there are cores, at most four.
test: $(VENV)/.dev ## all tests
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/.dev ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# browser.py needs Chromium, backbones.py an hour: run these by themselves.
bench: $(VENV)/.dev ## speed and memory: the scripts in benchmarks/ that need nothing else
	@set -e; for script in $(filter-out %/browser.py %/backbones.py,$(wildcard benchmarks/[!_]*.py)); do \
	  echo "== $$script"; $(BIN)/python "$$script"; done

load: $(VENV)/.dev ## 8 clients for 60 s on a real server: make load [ARGS="--requests 2000"], the soak test
	$(BIN)/python tools/load.py $(ARGS)

fuzz: $(VENV)/.dev ## 10,000 damaged uploads, and requests made from the OpenAPI document, on a real server
	$(BIN)/python tools/fuzz_server.py $(ARGS)
	$(BIN)/python tools/fuzz_openapi.py

CARD = --split train --folds 5 --latency benchmarks/latency.json --card docs
card: $(VENV)/.core ## the benchmark card in docs/ from stored predictions: make card CORPUS=speechocean762 [CHECK=1]
	@test -n "$(CORPUS)" || { echo "say where speechocean762 is: make card CORPUS=DIR" >&2; exit 2; }
	$(BIN)/elocute evaluate speechocean762 "$(CORPUS)" $(CARD) $(if $(CHECK),--check)

examples: $(VENV)/.core ## make the recordings in examples/ again (needs flite)
	$(BIN)/python examples/make.py

browser: $(VENV)/.core ## fetch, strip and compress again what a page assesses with (needs npm)
	$(BIN)/python tools/browser_runtime.py

# Resolves every extra in a fresh environment and pins what came out. The local version of a CPU-only
# torch (+cpu) is cut off, so that the pins hold for the ordinary registry too.
constraints: ## pin the newest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear build/constraints
	build/constraints/bin/python -m pip --disable-pip-version-check install --quiet '.[train,evaluate,gruut,plot,praat,serve,hf,retrieval,phi4,ray,dev]'
	{ echo "# Made by: make constraints ($$($(PYTHON) --version), $$(uname -sm))"; \
	  build/constraints/bin/python -m pip --disable-pip-version-check freeze --exclude elocute \
	  | sed 's/+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt
	rm -rf build/constraints

clean: ## delete the environment, caches and build outputs
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks tools examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; ok = sys.version_info >= (3, 11); \
	  ok or print(f"elocute needs Python 3.11 or newer, $(PYTHON) is {sys.version.split()[0]}; run: make PYTHON=python3.12 ...", file=sys.stderr); \
	  sys.exit(not ok)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(PIP) --editable '.[train,dev,praat]'
	@touch $@
