# The two commands are `make run` and `make test`; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: requirements.txt requirements-demo.txt | $(VENV)/.made
	@echo "installing requirements (once, about a minute)"
	$(PIP) install -r requirements.txt -r requirements-demo.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-demo.txt requirements-dev.txt | $(VENV)/.run
	@echo "installing developer tools (once)"
	$(PIP) install -r requirements-dev.txt
	@touch $@

.PHONY: setup
setup: $(VENV)/.run  ## make the environment at .venv

.PHONY: run
run: setup  ## set up, fill the demo, serve until Ctrl-C
	@exec $(BIN)/python manage.py serve --demo

.PHONY: test
test: $(VENV)/.dev  ## all tests that need no service, in parallel, with coverage
	$(BIN)/python -m pytest -n auto --cov --cov-report=term --cov-report=xml --junitxml=test-results.xml -m "not kafka and not postgres and not redis and not browser and not smoke"

.PHONY: check
check: $(VENV)/.dev  ## style, types, layers, migrations, deployment checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

.PHONY: lock
lock: $(VENV)/.dev  ## compile the requirements, with hashes, for every supported Python
	@for pair in base:requirements demo:requirements-demo dev:requirements-dev; do \
	  $(BIN)/uv pip compile requirements/$${pair%%:*}.in -o $${pair##*:}.txt --universal --python-version 3.11 \
	    --generate-hashes --no-strip-extras --no-emit-find-links --no-emit-index-url --custom-compile-command "make lock" --quiet || exit 1; \
	done
