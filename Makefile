# The two commands are `make run` and `make test`; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CLIENTS := .venv-clients
NEEDS_SOMETHING := kafka or postgres or redis or spark or browser or clients or smoke

# Start services on loopback, end them whatever happens, and let no test skip for the lack of one.
with-services = set -e; trap 'deploy/services.sh down $(1)' EXIT; \
  variables=$$(PYTHON=$(BIN)/python deploy/services.sh up $(1)); eval "$$variables"; export REQUIRE_SERVICES=1;

# One test process more than cores: many tests wait for a process of their own.
WORKERS = $$($(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')

# Secrets for one command, never written down.
random = $$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(48))')

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null || { echo "setup: no program '$(PYTHON)'; name a Python 3.11 or newer: make setup PYTHON=python3.12" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "setup: needs Python 3.11 or newer, '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1); name another: make setup PYTHON=python3.12" >&2; exit 2; }
	@"$(PYTHON)" -m venv $(VENV) || \
	  { echo "setup: '$(PYTHON)' can't make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@touch $@

$(VENV)/.run: requirements.txt requirements-demo.txt | $(VENV)/.made
	@echo "installing requirements (once, about a minute)"
	@$(PIP) install -r requirements.txt -r requirements-demo.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "installing developer tools (once)"
	@$(PIP) install -r requirements-dev.txt
	@touch $@

$(VENV)/.spark: requirements-spark.txt $(VENV)/.dev
	@echo "installing Spark (once)"
	@$(PIP) install -r requirements-spark.txt
	@touch $@

.PHONY: setup
setup: $(VENV)/.run  ## make the environment at .venv

.PHONY: run
run: setup  ## set up, fill the demo, serve until Ctrl-C
	@exec $(BIN)/python manage.py serve --demo

NO_SERVICE = -n $(WORKERS) --dist loadgroup -m "not ($(NEEDS_SOMETHING))"

.PHONY: test
test: $(VENV)/.dev  ## all tests that need no service, in parallel
	$(BIN)/python -m pytest $(NO_SERVICE) --junitxml=test-results.xml

.PHONY: coverage
coverage: $(VENV)/.dev  ## the same, with coverage
	$(BIN)/python -m pytest $(NO_SERVICE) --cov --cov-report=term --cov-report=xml
	@echo "core/ and actions/ alone, at least 95 %:"
	@$(BIN)/coverage report --include='*/core/*,*/actions/*' --fail-under=95

.PHONY: test-kafka
test-kafka: $(VENV)/.dev  ## the tests that need a Kafka broker, against a real one
	@$(call with-services,kafka) $(BIN)/python -m pytest -m kafka --junitxml=test-results-kafka.xml

.PHONY: test-services
test-services: $(VENV)/.spark  ## the tests that need PostgreSQL, Redis or Spark, against real ones
	@$(call with-services,postgresql redis) $(BIN)/python -m pytest -m "postgres or redis or spark" --junitxml=test-results-services.xml

.PHONY: test-browser
test-browser: $(VENV)/.dev  ## the console in Chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile -m browser --junitxml=test-results-browser.xml

# An environment of their own: their pins and ours don't agree.
$(CLIENTS)/.made: requirements-clients.txt
	@"$(PYTHON)" -m venv $(CLIENTS)
	@echo "installing the clients (once)"
	@$(CLIENTS)/bin/python -m pip --disable-pip-version-check --quiet install -r requirements-clients.txt
	@touch $@

.PHONY: test-clients
test-clients: $(VENV)/.dev $(CLIENTS)/.made  ## unmodified clients of Triton, KServe and MLflow against the served product
	$(BIN)/python -m pytest -m clients --junitxml=test-results-clients.xml

.PHONY: smoke
smoke: $(VENV)/.dev  ## the whole product from a fresh clone: serve, predict, promote, predict
	$(BIN)/python -m pytest -m smoke --junitxml=test-results-smoke.xml

.PHONY: check
check: $(VENV)/.dev  ## style, types, layers, migrations, deployment checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@set -e; VAR_DIR=$$(mktemp -d); export VAR_DIR; trap 'rm -rf "$$VAR_DIR"' EXIT; \
	  echo "makemigrations --check"; $(BIN)/python manage.py makemigrations --check --dry-run; \
	  echo "check --deploy, prod overlay"; APP_ENV=prod SECRET_KEY="$(random)" JWT_SECRET="$(random)" SERVER__ALLOWED_HOSTS=example.com \
	  $(BIN)/python manage.py check --deploy --fail-level WARNING

.PHONY: lock
lock: $(VENV)/.dev  ## compile the requirements, with hashes, for every supported Python
	@for pair in base:requirements demo:requirements-demo polars:requirements-polars dask:requirements-dask \
	  otel:requirements-otel spark:requirements-spark grpc:requirements-grpc clients:requirements-clients dev:requirements-dev; do \
	  $(BIN)/uv pip compile requirements/$${pair%%:*}.in -o $${pair##*:}.txt --universal --python-version 3.11 \
	    --generate-hashes --no-strip-extras --no-emit-find-links --no-emit-index-url --custom-compile-command "make lock" --quiet || exit 1; \
	done

.PHONY: proto
proto: $(VENV)/.dev  ## write the messages of gRPC anew, from predictions/rpc/inference.proto
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. predictions/rpc/inference.proto

.PHONY: secrets
secrets: $(VENV)/.run  ## print fresh secrets for a .env file
	@$(BIN)/python deploy/make_secrets.py

.PHONY: clean
clean:  ## remove the environment and what tools left behind; var/ stays
	rm -rf $(VENV) $(CLIENTS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* coverage.xml test-results*.xml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
