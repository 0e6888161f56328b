# Everything runs in .venv, which the first target that needs it makes; python3 and make are all a machine must have.
# Another Python has an environment of its own: make test-rooms PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
EXTRAS := cli,mcp,otel,postgres,prometheus,redis,sandbox
# Python compiles what is imported, a fraction of what is installed.
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --no-compile
# What is installed: dev, or test where nothing but the tests is run.
GROUP ?= dev
# The versions that tests, checks and documentation run with: `make constraints` writes the newest ones.
CONSTRAINTS = .ci/constraints.txt
# More workers than cores: much of the suite waits for processes, sockets and deadlines.
PYTEST = $(BIN)/python -m pytest --dist worksteal -n 4
# Warnings are errors with these versions alone: others may have new ones. redis and psycopg draw from `random` in threads
# of their own, also while Hypothesis looks whether a strategy does. On Python 3.14 it warns of its own first call.
STRICT = -W error -W 'ignore:Do not use the `random` module inside strategies' -W 'ignore:It looks like `register_random` was'
# The generator's own environment, for it holds back packages that users get newer.
GENERATOR = .venv-generate
DEMO = .venv-demo
LOWEST = .venv-lowest
NEWEST = .venv-newest
GENERATE = $(GENERATOR)/bin/python generator-templates/generate.py
BUNDLE = $(PYTHON) generator-templates/bundle.py
# What depends on how Python runs threads, event loops, signals, forks and the end of a process, on what it says of types
# and in messages of its own, and on its modules for sockets, TLS, logging and SQLite.
TESTS_OF_PYTHON = $(addprefix tests/,streams tokens tools transports) \
	$(patsubst %,tests/client/test_%.py,cancellation client_lifecycle client_surface closing config deadline_table \
	deadlines effects errors first_guesses fork helpful_errors httpx2 interrupts logs \
	pagination_left_early shared_options views wait) \
	$(patsubst %,tests/webhooks/test_webhook_%.py,hand_over hangs router stores transactions worker worker_process)
# What runs on each package that users install, or reads with it.
TESTS_OF_DEPENDENCIES = $(addprefix tests/,cli limits relay sandbox telemetry tokens transports) \
	$(patsubst %,tests/client/test_%.py,client_tolerant closing every_request extras httpx2 invalid_items) \
	tests/generated/test_generated_models.py tests/streams/test_stream_client.py tests/tools/test_mcp.py \
	$(patsubst %,tests/webhooks/test_webhook_%.py,front_ends postgres router stores)
# Else each of the hundreds of processes that tests start would compile the packages anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-full test-rooms test-lowest test-newest constraints coverage nightly check check-mypy check-pyright check-rest dist format generate sandbox cassettes pictures bench docs docs-serve clean

help:
	@echo "demo       walk the quickstart with the real client on the embedded sandbox"
	@echo "test       the test suite (about two minutes on two cores)"
	@echo "test-full  the longer tests"
	@echo "coverage   the test suite with the coverage gate"
	@echo "test-rooms   the tests that can depend on the version of Python: make test-rooms PYTHON=python3.13 VENV=.venv-3.13"
	@echo "test-lowest  the tests that can depend on dependencies, with their oldest versions"
	@echo "test-newest  these and those of test-rooms with the newest versions, as users get them; PYTHON=python3.14 names a Python"
	@echo "nightly    all tests, with many more examples and minutes"
	@echo "check      format, lint, types, spec, generated code up to date"
	@echo "constraints  write the newest versions of all tools into .ci/constraints*.txt; PACKAGE=ruff: of that one alone"
	@echo "dist       the wheel and the source distribution of the last commit, in dist/, built twice and checked"
	@echo "generate   write interactor_client/ and the types for browsers anew from openapi.yaml and generator-templates/,"
	@echo "           and build the scripts of the relay, if their sources have changed (needs node and npm)"
	@echo "sandbox    serve the sandbox of the platform on this machine"
	@echo "cassettes  record tests/cassettes/ anew from the sandbox"
	@echo "pictures   make the pictures of docs/pictures/ anew"
	@echo "bench      CPU cost of calls, as ratios within one run; writes docs/benchmarks.md"
	@echo "docs       build the documentation into site/; a broken link fails"
	@echo "docs-serve   show the documentation at http://127.0.0.1:8000 while you write it"

# $(call venv,how): an environment without packages. One of another Python is made anew: venv would keep its link.
define venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and this is \
	%d.%d. Name a newer one: make PYTHON=python3.13" % sys.version_info[:2])'
@echo "Setting up $(VENV) ..."
@$(PYTHON) -m venv $$([ "$$($(BIN)/python -V 2>&1)" = "$$($(PYTHON) -V 2>&1)" ] || echo --clear) $(VENV)
endef

# $(call install,what): an environment that has it. pip 25.1 is the first that knows dependency groups.
define install
$(call venv)
@$(INSTALL) --upgrade 'pip>=25.1'
@$(INSTALL) $(1)
endef

$(READY): pyproject.toml $(CONSTRAINTS)
	$(call install,--constraint $(CONSTRAINTS) --editable '.[$(EXTRAS)]' --group $(GROUP))
	@touch $@

# Less than a tenth of what the tests need, so that a fresh machine shows the demo within seconds.
$(DEMO)/.ready: VENV := $(DEMO)
$(DEMO)/.ready: pyproject.toml
	$(call venv)
	@$(INSTALL) --editable '.[cli]'
	@touch $@

$(GENERATOR)/.ready: VENV := $(GENERATOR)
$(GENERATOR)/.ready: pyproject.toml .ci/constraints-generate.txt
	$(call install,--constraint .ci/constraints-generate.txt --group generate)
	@touch $@

# The oldest versions that pyproject.toml allows of what users install, and the newest tools that go with them. The
# generator and the type checkers need newer ones.
$(LOWEST)/.ready: VENV := $(LOWEST)
$(LOWEST)/.ready: pyproject.toml
	@$(PYTHON) .ci/lowest.py > $(VENV).txt
	$(call install,--constraint $(VENV).txt --editable '.[$(EXTRAS)]' --group test)
	@touch $@

# What users get today, and the tools of tests that hold none of it back: one that does fails the installation. The
# instrumentation brings the SDK that goes with opentelemetry-api: the index gets one before the other.
$(NEWEST)/.ready: VENV := $(NEWEST)
$(NEWEST)/.ready: pyproject.toml
	@rm -rf $(VENV)
	$(call install,--editable '.[$(EXTRAS)]' opentelemetry-instrumentation-httpx)
	@$(BIN)/pip freeze --exclude-editable > $(VENV).txt
	@$(INSTALL) --constraint $(VENV).txt --group test-newest
	@touch $@

# $(call pin,file,what): writes the newest versions, or that of PACKAGE alone.
define pin
@rm -rf $(VENV)
@grep -iv '^$(or $(PACKAGE),.*)==' $(1) > $(VENV).txt || true
$(call install,--constraint $(VENV).txt $(2))
@$(BIN)/pip freeze --exclude-editable > $(1)
endef

constraints: VENV := .venv-constraints
constraints:
	$(call pin,$(CONSTRAINTS),--editable '.[$(EXTRAS)]' --group dev --group docs --group bench --group release)
	$(call pin,.ci/constraints-generate.txt,--group generate)

demo: $(DEMO)/.ready
	@$(DEMO)/bin/python -m interactor_ext.cli.demo

test: $(READY) $(GENERATOR)/.ready
	$(PYTEST) $(STRICT) -m "not full"

coverage: $(READY) $(GENERATOR)/.ready
	$(PYTEST) $(STRICT) -m "not full" --cov --cov-report=term:skip-covered

# Only the files that have such tests: each of the eight workers collects for itself.
test-full: $(READY) $(GENERATOR)/.ready
	$(PYTEST) $(STRICT) -m full -n 8 $(shell grep -l 'mark\.full' tests/*/test_*.py)

test-rooms: $(READY)
	$(PYTEST) $(STRICT) -m "not full" $(TESTS_OF_PYTHON)

test-lowest: VENV := $(LOWEST)
test-lowest: $(LOWEST)/.ready
	$(PYTEST) -m "not full" $(TESTS_OF_DEPENDENCIES)

# The next run takes the versions that are the newest then. Tests that need another tool are skipped.
test-newest: VENV := $(NEWEST)
test-newest: $(NEWEST)/.ready
	@rm $(NEWEST)/.ready
	@$(BIN)/python --version && cat $(VENV).txt
	$(PYTEST) -m "not full" $(sort $(TESTS_OF_DEPENDENCIES) $(TESTS_OF_PYTHON))

nightly: $(READY) $(GENERATOR)/.ready
	INTERACTOR_EXAMPLES=100 $(PYTEST) $(STRICT)

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

check-rest: $(READY) $(GENERATOR)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/openapi-spec-validator openapi.yaml
	$(BIN)/yamllint --strict openapi.yaml .github .pre-commit-config.yaml
	$(BIN)/zizmor --quiet --offline --min-severity medium .github
	$(GENERATE) --check
	$(BUNDLE) --check
	$(BIN)/python -m pytest $(STRICT) -q tests/generated/test_spec.py tests/house/test_house_rules.py

# The files of the commit alone are built, and a second time from the unpacked source distribution: the bytes are the same.
dist: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)
dist: $(READY)
	@$(INSTALL) --constraint $(CONSTRAINTS) --group release
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

generate: $(GENERATOR)/.ready
	$(GENERATE)
	$(BUNDLE)

sandbox: $(READY)
	@$(BIN)/python -m interactor_ext.sandbox

cassettes: $(READY)
	INTERACTOR_RECORD=1 $(BIN)/python -m pytest tests/testing/test_cassettes.py

pictures: $(READY)
	$(BIN)/python -m tests.support.ways
	INTERACTOR_PICTURES=docs/pictures $(BIN)/python -m pytest -m full tests/docs/test_pictures.py

bench: $(READY)
	@$(INSTALL) --constraint $(CONSTRAINTS) --group bench
	$(BIN)/python -m tests.benchmarks

# Not --quiet: it would hide the warnings from strict mode.
docs: $(READY)
	@$(INSTALL) --constraint $(CONSTRAINTS) --group docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

docs-serve: $(READY)
	@$(INSTALL) --constraint $(CONSTRAINTS) --group docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

clean:
	rm -rf .venv .venv-* .python-* .mypy_cache .pytest_cache .ruff_cache .coverage dist site examples/*/dist examples/*/node_modules
