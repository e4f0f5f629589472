# Two commands from a bare clone: `make demo` shows Lamella, `make test` checks it.
# Both make .venv and install what they need, once, and again when pyproject.toml changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2

# Compiled modules are kept whatever the shell says: tests start many processes, and each would
# compile all of Lamella again.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint lint-ruff lint-format lint-types lint-imports lint-budgets \
        format bench bench-comparison bench-lsn bench-narrowing bench-spine docs train clean

help:                    ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

demo: $(VENV)/.core      ## separate the bones of a phantom joint: look into lamella-demo/
	$(BIN)/lamella demo -o lamella-demo --force

test: $(VENV)/.dev $(VENV)/.browser  ## tests and documented examples, without the slow ones
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow"

test-all: $(VENV)/.dev $(VENV)/.browser  ## all of them
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: lint-ruff lint-format lint-types lint-imports lint-budgets  ## everything that holds the style

lint-ruff: $(VENV)/.dev
	$(BIN)/ruff check .

lint-format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint-types: $(VENV)/.dev
	$(BIN)/mypy

lint-imports: $(VENV)/.dev
	$(BIN)/lint-imports

lint-budgets: $(VENV)/.dev
	$(BIN)/python scripts/budgets.py

format: $(VENV)/.dev     ## let ruff lay out the code and mend what it safely can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev      ## the tables of the README; needs LAMELLA_DATA
	@test -n "$$LAMELLA_DATA" || { echo "make bench: set LAMELLA_DATA to the folder that holds mcp/"; exit 1; }
	$(BIN)/lamella evaluate layers --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate segmentation --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate calibration --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate recomposition --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate cross-visit --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate widths --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate soft-tissue --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate realism --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate speed

bench-comparison: $(VENV)/.dev  ## train every separator (hours on two cores; resumes) and compare them
	@test -n "$$LAMELLA_DATA" || { echo "make bench-comparison: set LAMELLA_DATA to the folder that holds mcp/"; exit 1; }
	$(BIN)/lamella train comparison --out runs/comparison
	$(BIN)/lamella train cross-fit --out runs/cross-fit
	$(BIN)/lamella evaluate reconstruction --networks runs/comparison
	$(BIN)/lamella evaluate reader --networks runs/comparison
	$(BIN)/lamella evaluate cross-visit --networks runs/cross-fit
	$(BIN)/lamella evaluate training-speed

bench-lsn: $(VENV)/.dev  ## train LSN's ablations and the few-labels grid (hours; resumes) and judge them
	@test -n "$$LAMELLA_DATA" || { echo "make bench-lsn: set LAMELLA_DATA to the folder that holds mcp/"; exit 1; }
	for variant in as-published reconstruction reconstruction-shift reconstruction-shift-adversary without-shift; do \
	  $(BIN)/lamella train lsn --variant $$variant --steps 300 --out runs/lsn/$$variant || exit 1; done
	$(BIN)/lamella evaluate three-layers --data "$$LAMELLA_DATA/mcp/dev.json" --networks runs/lsn
	$(BIN)/lamella train few-labels --out runs/few-labels
	$(BIN)/lamella evaluate few-labels --networks runs/few-labels

bench-narrowing: $(VENV)/.dev  ## the evidence for narrowing between visits (an hour on two cores)
	@test -n "$$LAMELLA_DATA" || { echo "make bench-narrowing: set LAMELLA_DATA to the folder that holds mcp/"; exit 1; }
	$(BIN)/lamella evaluate narrowing-phantoms
	$(BIN)/lamella evaluate narrowing-engines
	$(BIN)/lamella evaluate narrowing-known --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate narrowing-visits --data "$$LAMELLA_DATA/mcp/dev.json"
	$(BIN)/lamella evaluate narrowing-failures --data "$$LAMELLA_DATA/mcp/dev.json"

bench-spine: $(VENV)/.dev  ## the evidence for spines (an hour on two cores; what was done is kept)
	@test -n "$$LAMELLA_DATA" || { echo "make bench-spine: set LAMELLA_DATA to the folder that holds spine/"; exit 1; }
	$(BIN)/lamella evaluate spine-phantoms
	$(BIN)/lamella evaluate spine-real --data "$$LAMELLA_DATA/spine"
	$(BIN)/lamella evaluate spine-speed --data "$$LAMELLA_DATA/spine"
	for variant in exact as-published without-edges without-height without-attention coarse-only; do \
	  $(BIN)/lamella train healthivert --variant $$variant --out runs/healthivert || exit 1; done
	$(BIN)/lamella evaluate spine-ablation --networks runs/healthivert

docs: $(VENV)/.dev       ## the reference, from the docstrings, into build/docs
	$(BIN)/python -W "ignore:The module specification" -m pdoc --docformat google -o build/docs $(MODULES)

train: $(VENV)/.dev      ## train a recipe: make train RECIPE=bones, or shares
	@test -n "$(RECIPE)" || { echo "make train: name a recipe, for instance RECIPE=bones"; exit 1; }
	$(BIN)/lamella train $(RECIPE)

clean:                   ## remove what the commands above made, .venv included
	rm -rf $(VENV) build dist lamella-demo .pytest_cache .ruff_cache .mypy_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lamella needs Python 3.11 or newer; $(PYTHON) is older or missing: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Every module by name: pdoc stops at a package's __all__, and warns of what it meets twice.
MODULES = $(shell find src/lamella -name '*.py' ! -name '__main__.py' | \
  sed -e 's|^src/||; s|/__init__\.py$$||; s|\.py$$||; s|/|.|g' | sort)

# Stamps: .core holds what inference needs (no torch), .dev everything for tests and training.
# --no-compile halves the wait: Python compiles what it imports, when it imports it.
PIP_INSTALL := -m pip install --quiet --no-compile --editable

$(VENV)/.core: pyproject.toml | $(BIN)/python
	@echo "installing Lamella into $(VENV), once"
	$(BIN)/python $(PIP_INSTALL) .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing Lamella with all that tests and training need into $(VENV), once: about a minute"
	$(BIN)/python $(PIP_INSTALL) '.[dev]'
	@touch $(VENV)/.core $@

$(VENV)/.browser: scripts/browser.sh | $(BIN)/python
	@sh scripts/browser.sh
	@touch $@
