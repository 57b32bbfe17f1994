# Everything to set up and check this project. Needs only Python (3.10 or newer) and make: `make demo`, `make test`.
# Variables: PYTHON (interpreter to make .venv with), PIP_ARGS (more arguments for pip), ARGS (more arguments for pytest).

PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=

# The others of benchmarks/ need a folder of photographs, as each says in its head.
BENCHMARKS := startup score_sizes distortions compare roofline

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Stamps: an environment is installed into again only when pyproject.toml has changed, or a run of pip was cut short.
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint hooks bench docs clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(INSTALLED)  ## Install into .venv and score the photographs of examples/
	@$(BIN)/iqa score examples/*.jpg

test: $(INSTALLED_DEV)  ## Install into .venv and run the tests
	@$(BIN)/python -m pytest $(ARGS)

test-slow: $(INSTALLED_DEV)  ## Run the tests that take minutes
	@$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(INSTALLED_DEV)  ## Check style, formatting and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

hooks: $(INSTALLED_DEV)  ## Have git run the checks before each commit
	@$(BIN)/pre-commit install

bench: $(INSTALLED_DEV)  ## Run the benchmarks that need only examples/
	@set -e; for name in $(BENCHMARKS); do echo "# $$name"; $(BIN)/python -m benchmarks.$$name; done

docs: $(INSTALLED)  ## Write docs/commands.md anew, from the commands
	@$(BIN)/python -m iqa_cli.cli.manual

clean:  ## Remove .venv and everything that was built
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -type d -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): torch is large, this takes some minutes the first time." >&2
	@$(PIP) install $(PIP_ARGS) --editable .
	@touch $@

$(INSTALLED_DEV): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): torch is large, this takes some minutes the first time." >&2
	@$(PIP) install $(PIP_ARGS) --editable '.[dev]'
	@touch $@ $(INSTALLED)
