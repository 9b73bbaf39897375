# The two commands of the README are `make demo` and `make test`; both do all the set-up. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(wildcard src/poolsift/_native/*.pyx src/poolsift/_native/*.pxd native/include/poolsift/*.hpp native/src/*.cpp)
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test lint types stubs sanitize fuzz package bench bench-smoke nightly clean

help:            ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

$(VENV)/.created: .ci/prerequisites
	@sh .ci/prerequisites $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' 'setuptools>=77' wheel 'cython>=3.3'
	@touch $@

$(VENV)/.built: $(VENV)/.created $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.built pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

demo: $(VENV)/.built  ## write a realistic archive, classify it, print the summary and where the results lie
	$(BIN)/poolsift demo poolsift-demo

test: $(VENV)/.dev  ## every test of the fast tier
	$(PYTEST) $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## mypy strict, and the stubs of the native modules against the modules
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest $(patsubst src/poolsift/_native/%.pyx,poolsift._native.%,$(wildcard src/poolsift/_native/*.pyx)) --ignore-disjoint-bases --allowlist .ci/stubtest-allowlist.txt

sanitize: $(VENV)/.dev  ## the native code under AddressSanitizer and UBSan: seeded fuzz runs, then the kernel's tests
	PYTHON=$(BIN)/python sh .ci/sanitize

fuzz: $(VENV)/.created  ## libFuzzer, long (clang-16 and libclang-rt-16-dev)
	sh .ci/fuzz

package: $(VENV)/.dev  ## sdist, wheel from the sdist, tests of the installed wheel from another directory
	PYTHON=$(BIN)/python sh .ci/package

bench: $(VENV)/.dev  ## the whole table
	$(BIN)/python -m benchmarks

bench-smoke: $(VENV)/.dev  ## small workloads with their gates
	$(BIN)/python -m benchmarks --smoke

nightly: $(VENV)/.dev  ## what the fast tier leaves out
	HYPOTHESIS_PROFILE=thorough $(PYTEST) -m 'nightly or not nightly' --timeout=7200
	$(BIN)/python -m tests.reference.compare --records 10000000 --seed 1 --processes 2
	$(MAKE) sanitize POOLSIFT_FUZZ_RUNS=2000000
	$(BIN)/python -m benchmarks

clean:           ## everything that can be made again
	rm -rf $(VENV) build dist fuzz-build poolsift-demo src/*.egg-info src/poolsift/_native/*.so src/poolsift/_native/*.cpp
