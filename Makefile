# Everything runs in .venv, made by the first target that needs it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup train test unit contracts soak cov check fix docs table1 bench gpu wheel clean
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

unit: setup  ## the unit tests alone
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not slow" tests/unit

contracts: setup  ## what every part promises, of each class that its room exports
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder tests/contracts

soak: setup  ## the slow tests: twenty kills, clusters, fifty jobs at once, CelebA's full size, a built wheel
	$(BIN)/python -m pytest -q -m slow

cov: setup  ## which lines the fast tests reach: htmlcov/index.html
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow" --cov=reslag_vae --cov-report=html --cov-report=term:skip-covered

check: setup  ## lint, format, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup  ## what lint and format can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/docs  ## the site, in site/: notebooks executed, links checked, no network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.venv/docs: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

wheel: setup  ## the package as a wheel, in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

table1: setup  ## Table 1 of the thesis and its report; stop and start it at will: OPTIONS="data=fashion_mnist seed=0,1,2"
	$(BIN)/python train.py experiment=table1 $(OPTIONS); status=$$?; \
	$(BIN)/python -m reslag_vae.report studies/table1 && exit $$status

bench: setup  ## speed, memory and start-up, beside what people would use instead: an hour on an idle machine
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	for part in training data startup memory profiling scaling busy sampling sweep; do $(BIN)/python -m benchmarks.$$part || exit 1; done

gpu: setup  ## what only a GPU can show, in under ten minutes: tests, speed, a real training (PICTURES=cifar10.tar.gz OUT=gpu)
	$(BIN)/python -m benchmarks.gpu --out $(or $(OUT),gpu) $(if $(PICTURES),--pictures $(PICTURES))

clean:  ## remove the environment and the caches, not your runs
	rm -rf dist site htmlcov .coverage .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
