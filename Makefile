# `make demo` and `make test` need Python 3.10 or later and a C compiler, nothing else:
# each makes .venv when it is missing or older than the two files that describe it.

PYTHON ?= python3
JOBS   ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
SOURCE := ad_core bridges robotics_ad robograd

.DEFAULT_GOAL := help
.PHONY: help demo test test-all campaign coverage lint format bench bench-quick docs gpu dist clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## run the demonstration on the packaged arm; writes demo.png
	$(BIN)/robograd demo

# Test processes must agree on the names of parametrized tests, and the text of a set depends on the seed.
test test-all campaign coverage: export PYTHONHASHSEED ?= 0
# Tests start hundreds of processes, and none of them should compile our modules anew.
test test-all campaign coverage bench-quick: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/.dev ## run the tests, all but the slow ones
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

test-all: $(VENV)/.dev ## run all tests
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

campaign: export ROBOGRAD_TEST_CAMPAIGN := full
campaign: $(VENV)/.dev ## run all random hard trials, of which the tests have a twentieth, and count
	$(BIN)/python -m pytest tests/campaign -n $(JOBS) --dist worksteal

coverage: $(VENV)/.dev ## run the tests and report the lines and branches they reach
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --cov --cov-report=term

lint: $(VENV)/.dev ## check style, format, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.dev ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.bench ## time ours beside the peers
	$(BIN)/python -m benchmarks

bench-quick: $(VENV)/.dev ## run workloads once, small, beside the peers that happen to be installed
	$(BIN)/python -m benchmarks --quick

docs: $(VENV)/.docs ## build the documentation into build/site
	$(BIN)/python -m sphinx -W --keep-going -q -j auto -d build/doctrees docs build/site
	@echo "build/site/index.html"

gpu: $(VENV)/.bench ## on a machine with a GPU: run the tests that need one, and time kernels on it
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[cuda,test]'
	$(BIN)/python -m benchmarks.gpu --save build/gpu
	$(BIN)/python -m benchmarks.gpu build/gpu

dist: $(VENV)/.demo ## build the wheel and the source archive, and check them and the citation
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[release]'
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/cffconvert --validate

clean: ## remove the environment, caches and outputs
	rm -rf $(VENV) build dist .kernel-cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f demo.png .coverage
	find $(SOURCE) tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# A stamp for each set of extras; .dev holds all that .demo does.
$(VENV)/.demo: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[viz]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(VENV)/.demo $@

$(VENV)/.docs: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

$(VENV)/.bench: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	touch $@
