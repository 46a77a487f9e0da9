# Each target does its whole set-up: a virtual environment in .venv, then the work.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo live test lint format types docs docs-fast clean

.venv/run.stamp: setup.cfg setup.py pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/test.stamp: .venv/run.stamp
	$(BIN)/pip install --quiet --editable '.[test,docs]'
	touch $@

.venv/docs.stamp: .venv/run.stamp
	$(BIN)/pip install --quiet --editable '.[docs,notebooks]'
	touch $@

demo: .venv/run.stamp
	$(BIN)/python -m pagjax.synthesize

live: .venv/live.stamp
	$(BIN)/python -m pagjax.explore

.venv/live.stamp: .venv/run.stamp
	$(BIN)/pip install --quiet --editable '.[explore]'
	touch $@

test: lint types .venv/test.stamp
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv/test.stamp
	$(BIN)/mypy

# The site, docs/_build/html, with the notebooks executed; those that have not changed are not run again.
# The live page is a folder of it, where npm can fetch the page's runtime.
docs: .venv/docs.stamp .venv/live.stamp
	if command -v npm >/dev/null; then \
	    $(BIN)/python -m pagjax.explore --build-only --out docs/_build/html/explore; fi
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# The same without executing the notebooks; the tests build it too.
docs-fast: .venv/docs.stamp
	PAGJAX_NOTEBOOKS=off $(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv build *.egg-info docs/_build docs/notebooks docs/reference
