# Everything runs in .venv, made by the first target that needs it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup train test soak check table1 bench clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/ready  ## install the project and its tools into .venv

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

train: setup  ## train a real model on real images, bundled: no account, no download
	$(BIN)/python train.py model=lagging data=digits

test: setup  ## the tests
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not slow"

soak: setup  ## the slow tests: twenty kills, clusters, fifty jobs at once, CelebA's full size
	$(BIN)/python -m pytest -q -m slow

check: setup  ## lint, format, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

table1: setup  ## Table 1 of the thesis and its report; stop and start it at will: OPTIONS="data=fashion_mnist seed=0,1,2"
	$(BIN)/python train.py experiment=table1 $(OPTIONS); status=$$?; \
	$(BIN)/python -m reslag_vae.report studies/table1 && exit $$status

bench: setup  ## speed, memory and start-up, beside what people would use instead: an hour on an idle machine
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	for part in training data startup memory profiling scaling busy; do $(BIN)/python -m benchmarks.$$part || exit 1; done

clean:  ## remove the environment and the caches, not your runs
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
