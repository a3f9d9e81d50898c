# Every target sets itself up: a clone and Python >= 3.11 (as $(PYTHON)) are all that is needed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

DISTRIBUTIONS := msrplib sipsimple_core plugins/msrp plugins/msrp_chat plugins/filetransfer plugins/audio plugins/lookup plugins/cli
PROJECTS      := pyproject.toml $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
MERGED        := build/merged

.PHONY: help demo test interop bench fuzz lint format docs packages clean

help:
	@echo "make demo      two user agents chat and call, live in your terminal"
	@echo "make test      all test suites"
	@echo "make interop   against real peers, those that are installed"
	@echo "make bench     speed and memory, beside a peer or a raw limit"
	@echo "make fuzz      random input to every parser and to the stack, SECONDS=60 each"
	@echo "make docs      the reference pages, from the code"
	@echo "make lint      ruff and mypy --strict"
	@echo "make packages  builds each distribution and runs its suite with nothing but what it declares"

$(READY): $(PROJECTS)
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(addprefix --editable ./,$(DISTRIBUTIONS)) --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/python examples/demo

test: $(READY)
	$(BIN)/python -m pytest

interop: $(READY)
	CALLS=300 $(BIN)/python -m pytest tests/interop

bench: $(READY)
	$(BIN)/python benchmarks/run.py

# The targets that are fuzzed, each for SECONDS; atheris has wheels for some versions of Python only
SECONDS ?= 60

fuzz: $(READY)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet atheris
	$(BIN)/python fuzz/run.py --seconds $(SECONDS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# mypy sees one root of a namespace package, so it gets all of them merged into one folder
	@rm -rf $(MERGED) && mkdir -p $(MERGED)
	@cp -R msrplib/msrplib $(MERGED)/
	@for part in $(filter-out msrplib,$(DISTRIBUTIONS)); do cp -R $$part/sipsimple $(MERGED)/; done
	@cp sipsimple_core/sipsimple/streams/__init__.py $(MERGED)/sipsimple/streams/
	cd $(MERGED) && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p sipsimple -p msrplib

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)
	$(BIN)/python docs/generate.py

packages: $(READY)
	$(BIN)/python tests/packaging/check.py

clean:
	rm -rf $(VENV) build dist
