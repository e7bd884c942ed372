# Only python3, make and git are needed; everything else is installed into $(VENV).
PYTHON ?= python3
VENV ?= .venv
STUDY ?= quickstart
SOAK ?=
EXTRAS := dashboard,export,postgres,ray,s3,samplers
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --all-extras --group test --group lint --group docs \
	--only-binary :all: --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-exhaustive soak lint check docs report ui constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## make the environment in .venv and install the pinned packages

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "visionstudy needs Python 3.11 or newer; $(PYTHON) is" \
			"$$($(PYTHON) --version 2>&1). Name another one: make setup PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip' || { \
		echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu:" \
			"apt-get install python3-venv" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python -e ".[$(EXTRAS)]" --group test --group lint --group docs \
		--constraints constraints.txt --build-constraints constraints.txt
	@touch $@

quickstart: setup ## run a small study on generated images and write its report
	$(BIN)/visionstudy launch studies/library/quickstart.yaml --workers 2

# A process per core, of one thread: torch would otherwise start a thread per core in each.
test: setup ## run the tests, a process per core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

test-exhaustive: setup ## run the tests that `make test` leaves out for their length
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m exhaustive -n logical --maxprocesses 8

soak: setup ## kill, crash and fill the disk under 200 trials for some minutes; SOAK="--executor ray"
	$(BIN)/python -m benchmarks.soak $(SOAK)

lint: setup ## check format, style, types, imports and code shape
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python benchmarks/code_shape.py

check: lint test ## everything a change must pass

docs: setup ## serve the documentation, and build it again with every change
	$(BIN)/mkdocs serve

report: setup ## write the report of STUDY (default quickstart)
	$(BIN)/visionstudy report $(STUDY)

ui: setup ## open the tracking server of this workspace
	$(BIN)/visionstudy ui

# torch pins the CUDA packages that belong to its build; pinned here they would break its others.
constraints: setup ## pin the newest versions of all packages in constraints.txt
	printf 'uv\nhatchling\neditables\n' | $(COMPILE) --python-version 3.11 --upgrade - \
		> $(VENV)/constraints.txt
	sed -n '/^#/p' constraints.txt > $(VENV)/constraints.header
	grep -vE '^(cuda-|triton=|nvidia-(cu|nccl|nv))' $(VENV)/constraints.txt \
		| cat $(VENV)/constraints.header - > constraints.txt
	$(COMPILE) --python-version 3.12 --constraints constraints.txt > /dev/null

clean: ## remove caches and build output; runs/ and .venv/ stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . \( -path './.*' -o -path ./runs \) -prune -o -name __pycache__ -type d -prune \
		-exec rm -rf {} +
	@echo "Removed caches and build output. Kept: runs/ (your results) and $(VENV)/ (the packages)."
