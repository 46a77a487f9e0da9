# Each target does its whole set-up: a virtual environment in .venv, then the work.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo live test lint format types clean

.venv/run.stamp: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/test.stamp: .venv/run.stamp
	$(BIN)/pip install --quiet --editable '.[test]'
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

clean:
	rm -rf .venv build *.egg-info
