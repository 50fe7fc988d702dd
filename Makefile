# `make demo` and `make test` need Python 3.10 to 3.13 and nothing else; all that they install goes into .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.10 --generate-hashes --no-header
# Whoever publishes the image names the registry and the account in metadata.yaml, and nowhere else.
IMAGE := $(shell sed -n 's/^  dockerRepository: //p' metadata.yaml)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
BASE_IMAGE ?= python:3.13-slim-bookworm
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements-dev.lock)

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: install ## Read a Harvest account (a made-up one, or yours: HARVEST_ACCESS_TOKEN=…) into DuckDB and look at it
	@$(BIN)/python -m demo

# Tests mostly wait, so more of them run at once than a small machine has cores.
test: install ## Run all tests: unit_tests/ and integration_tests/
	@$(BIN)/python -m pytest -q -n 4 --dist loadfile

unit: install ## Run the quick tests: those of unit_tests/ that are not marked slow
	@$(BIN)/python -m pytest -q unit_tests -n auto -m "not slow"

bench: install ## Measure requests, time and memory beside a plain loop (BENCH=--quick, BENCH=--full)
	@$(BIN)/python -m benchmarks $(BENCH)

bench-memory: install ## Measure peak memory over a million time entries in many runs, for an hour or two (BENCH=--runs=3)
	@$(BIN)/python -m benchmarks.memory $(BENCH)

check: install ## Look at the code without running it: style, types, generated docs
	@$(BIN)/ruff format --check -q
	@$(BIN)/ruff check -q
	@$(BIN)/mypy
	@$(BIN)/python -m docs.generate --check

format: install ## Lay out the code
	@$(BIN)/ruff format -q
	@$(BIN)/ruff check -q --fix

docs: install ## Write the generated pages of docs/ anew
	@$(BIN)/python -m docs.generate

image: ## Build the Docker image source-harvest (from another base: BASE_IMAGE=…)
	@docker build -q --network host --build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg IMAGE=$(IMAGE) \
		-t source-harvest:$(VERSION) -t source-harvest:latest -t $(IMAGE):$(VERSION) .
	@printf '%s\n' 'Built source-harvest:$(VERSION), which is source-harvest:latest too. What to run next:' \
		'  docker run --rm source-harvest spec' \
		'  docker run --rm -u "$$(id -u)" -v "$$PWD:/config:ro" source-harvest check --config /config/config.json'

push: ## Push the image to the registry that metadata.yaml names
	@case '$(IMAGE)' in */*) ;; *) \
		echo 'Put the registry or account before the name: "dockerRepository" in metadata.yaml.' >&2; exit 1;; esac
	@docker push $(IMAGE):$(VERSION)

lock: install ## Take in new versions of what is depended on
	@$(LOCK) pyproject.toml -o requirements.lock
	@$(LOCK) --group build -o requirements-build.lock
	@$(LOCK) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

install: $(VENV)/installed ## Install everything into .venv

$(VENV)/installed: pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; (3, 10) <= sys.version_info < (3, 14) or sys.exit("Python 3.10 to 3.13 is needed; this is %d.%d. Name another one: make PYTHON=python3.13 …" % sys.version_info[:2])'
	@echo "Installing into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

clean: ## Remove what was installed and made
	@rm -rf $(VENV) demo/output .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: help demo test unit bench bench-memory check format docs image push lock install clean
