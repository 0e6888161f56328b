# Everything runs in .venv, which the first target that needs it makes; python3 and make are all a machine must have.
# Another Python has an environment of its own: make test-rooms PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
EXTRAS := aiohttp,cli,mcp,otel,postgres,prometheus,redis,sandbox
PIP = $(BIN)/pip --quiet --disable-pip-version-check
# What is installed: dev, or test where nothing but the tests is run.
GROUP ?= dev
# More workers than cores: much of the suite waits for processes, sockets and deadlines.
PYTEST = $(BIN)/python -m pytest --dist worksteal -n 4
# What depends on how Python runs threads, event loops, signals, forks and the end of a process, on what it says of types
# and in messages of its own, and on its modules for sockets, TLS, logging and SQLite.
TESTS_OF_PYTHON = $(addprefix tests/,streams tokens tools transports) \
	$(patsubst %,tests/client/test_%.py,cancellation client_lifecycle client_surface closing config deadline_table \
	deadlines effects errors first_tries fork helpful_errors httpx2 interrupts logging_config logs \
	pagination_left_early parity shared_options views wait) \
	$(patsubst %,tests/webhooks/test_webhook_%.py,hand_over hangs router stores transactions worker worker_process)
# What runs on each package that users install, or reads with it.
TESTS_OF_DEPENDENCIES = $(addprefix tests/,cli limits relay sandbox telemetry tokens transports) \
	$(patsubst %,tests/client/test_%.py,client_tolerant closing every_request extras httpx2 invalid_items) \
	tests/generated/test_generated_models.py tests/streams/test_stream_client.py tests/tools/test_mcp.py \
	$(patsubst %,tests/webhooks/test_webhook_%.py,front_ends postgres router stores)
# Else each of the hundreds of processes that tests start would compile the packages anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-full test-rooms test-lowest coverage nightly check check-mypy check-pyright check-rest dist format generate sandbox cassettes pictures bench docs docs-serve clean

help:
	@echo "demo       walk the quickstart with the real client on the embedded sandbox"
	@echo "test       the test suite (about two minutes on two cores)"
	@echo "test-full  the longer tests"
	@echo "coverage   the test suite with the coverage gate"
	@echo "test-rooms   the tests that can depend on the version of Python: make test-rooms PYTHON=python3.13 VENV=.venv-3.13"
	@echo "test-lowest  the tests that can depend on dependencies, with their oldest versions"
	@echo "nightly    all tests, with many more examples and minutes"
	@echo "check      format, lint, types, spec, generated code up to date"
	@echo "dist       the wheel and the source distribution of the last commit, in dist/, built twice and checked"
	@echo "generate   write interactor_client/ and the types for browsers anew from openapi.yaml and generator-templates/"
	@echo "sandbox    serve the sandbox of the platform on this machine"
	@echo "cassettes  record tests/cassettes/ anew from the sandbox"
	@echo "pictures   make the pictures of docs/pictures/ anew"
	@echo "bench      CPU cost of calls, as ratios within one run; writes docs/benchmarks.md"
	@echo "docs       build the documentation into site/; a broken link fails"
	@echo "docs-serve   show the documentation at http://127.0.0.1:8000 while you write it"

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'  # the first that knows dependency groups
	@$(PIP) install --editable '.[$(EXTRAS)]' --group $(GROUP)
	@touch $@

demo: $(READY)
	@$(BIN)/python -m interactor_ext.cli.demo

test: $(READY)
	$(PYTEST) -m "not full"

coverage: $(READY)
	$(PYTEST) -m "not full" --cov --cov-report=term:skip-covered

# Only the files that have such tests: each of the eight workers collects for itself.
test-full: $(READY)
	$(PYTEST) -m full -n 8 $(shell grep -l 'mark\.full' tests/*/test_*.py)

test-rooms: $(READY)
	$(PYTEST) -m "not full" $(TESTS_OF_PYTHON)

# The oldest versions that pyproject.toml allows of what users install, and the newest tools that go with them. The
# generator and the type checkers need newer ones.
test-lowest: VENV := .venv-lowest
test-lowest: pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(BIN)/python .ci/lowest.py > $(VENV)/lowest.txt
	@$(PIP) install --constraint $(VENV)/lowest.txt --editable '.[$(EXTRAS)]' --group test
	$(PYTEST) -m "not full" $(TESTS_OF_DEPENDENCIES)

nightly: $(READY)
	INTERACTOR_EXAMPLES=100 INTERACTOR_SOAK_SECONDS=300 $(PYTEST) -n 4

# `make -j2 check` uses two cores.
check: check-mypy check-pyright check-rest

check-mypy: $(READY)
	$(BIN)/mypy

check-pyright: $(READY)
	$(BIN)/pyright --warnings
	@# Each public symbol has a type. It looks into the environment of the Python that it finds on the path.
	@for package in interactor_client interactor_ext; do \
		PATH="$(abspath $(BIN)):$$PATH" pyright --verifytypes $$package --ignoreexternal >$(VENV)/types.txt || \
		{ grep 'error: ' $(VENV)/types.txt | grep -v 'partially unknown'; exit 1; }; \
	done

check-rest: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/openapi-spec-validator openapi.yaml
	$(BIN)/yamllint --strict openapi.yaml .github .pre-commit-config.yaml
	$(BIN)/zizmor --quiet --offline --min-severity medium .github
	$(BIN)/python generator-templates/generate.py --check
	$(BIN)/python -m pytest -q tests/generated/test_spec.py tests/house/test_house_rules.py

# The files of the commit alone are built, and a second time from the unpacked source distribution: the bytes are the same.
dist: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)
dist: $(READY)
	@$(PIP) install --group release
	@rm -rf dist && mkdir -p dist/commit dist/again
	@git archive HEAD | tar -x -C dist/commit
	$(BIN)/python -m build --no-isolation --outdir dist dist/commit
	@tar -xf dist/*.tar.gz -C dist/again --strip-components 1
	$(BIN)/python -m build --no-isolation --outdir dist/again/dist dist/again
	@for file in dist/*.*; do cmp $$file dist/again/$$file || exit 1; done
	@rm -r dist/commit dist/again
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	@sha256sum dist/*

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(READY)
	$(BIN)/python generator-templates/generate.py

sandbox: $(READY)
	@$(BIN)/python -m interactor_ext.sandbox

cassettes: $(READY)
	INTERACTOR_RECORD=1 $(BIN)/python -m pytest tests/testing/test_cassettes.py

pictures: $(READY)
	INTERACTOR_PICTURES=docs/pictures $(BIN)/python -m pytest -m full tests/docs/test_pictures.py

bench: $(READY)
	@$(PIP) install --group bench
	$(BIN)/python -m tests.benchmarks

# Not --quiet: it would hide the warnings from strict mode.
docs: $(READY)
	@$(PIP) install --group docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

docs-serve: $(READY)
	@$(PIP) install --group docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

clean:
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .coverage dist site examples/*/dist examples/*/node_modules
