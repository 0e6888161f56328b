# Everything runs in .venv, which the first target that needs it makes; python3 and make are all a machine must have.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Else each of the hundreds of processes that tests start would compile the packages anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-full nightly check format generate sandbox cassettes bench clean

help:
	@echo "demo       walk the quickstart with the real client on the embedded sandbox"
	@echo "test       the test suite, with the coverage gate (about two minutes on two cores)"
	@echo "test-full  the longer tests as well"
	@echo "nightly    the same with many more examples and minutes"
	@echo "check      format, lint, types, spec, generated code up to date"
	@echo "generate   write interactor_client/ anew from openapi.yaml and generator-templates/"
	@echo "sandbox    serve the sandbox of the platform on this machine"
	@echo "cassettes  record tests/cassettes/ anew from the sandbox"
	@echo "bench      CPU cost of calls, as ratios within one run"

$(READY): pyproject.toml
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/python -m interactor_ext.cli.demo

# Three workers keep two cores busy: much of the suite waits for processes, sockets and deadlines.
test: $(READY)
	$(BIN)/python -m pytest -m "not full" -n 3 --dist worksteal --cov --cov-report=term:skip-covered

test-full: $(READY)
	$(BIN)/python -m pytest -m full -n 2 --dist worksteal

nightly: $(READY)
	INTERACTOR_EXAMPLES=100 INTERACTOR_SOAK_SECONDS=300 $(BIN)/python -m pytest -m full -n 2 --dist worksteal

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --warnings
	$(BIN)/openapi-spec-validator openapi.yaml
	$(BIN)/yamllint --strict openapi.yaml
	$(BIN)/python generator-templates/generate.py --check
	$(BIN)/python -m pytest -q tests/generated/test_spec.py tests/house/test_house_rules.py

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(READY)
	$(BIN)/python generator-templates/generate.py

sandbox: $(READY)
	@$(BIN)/python -m interactor_ext.sandbox

cassettes: $(READY)
	INTERACTOR_RECORD=1 $(BIN)/python -m pytest tests/testing/test_cassettes.py

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .coverage dist
