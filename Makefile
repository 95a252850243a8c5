# Nothing here needs more than python3.11, pip and make. The package runs from src/: there is no build step.

VENV  := .venv
BIN   := $(VENV)/bin
DIR   ?= .
ARGS  ?=
SUITE ?= banking
LABELS ?=
GATE  ?= on
# The first interpreter that is new enough; looked for only when the environment is made.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench bench-routing bench-journal agentdojo lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/run.stamp  ## survey a source tree, DIR=. by default, and watch an attack being refused
	@$(BIN)/remit demo "$(DIR)"

test: $(VENV)/dev.stamp  ## the whole offline suite, skipped tests with their reasons; ARGS="-k gate" selects
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/dev.stamp  ## rules, format and the import floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: $(VENV)/dev.stamp  ## mypy --strict
	@$(BIN)/mypy --strict src

bench: $(VENV)/run.stamp  ## counts and ratios against a hand-written loop and the peers, in one run
	@$(BIN)/python bench/install_peers.py || echo "some peers are missing; their rows say so" >&2
	@$(BIN)/python bench/run.py $(ARGS)

bench-routing: $(VENV)/run.stamp  ## routing by learnt cost against always-powerful, simulated: ARGS="--seed 7 --family step"
	@$(BIN)/python bench/routing.py $(ARGS)

bench-journal: $(VENV)/run.stamp  ## durable events and steps against one fdatasync, LangGraph and DBOS: ARGS="--rounds 1"
	@$(BIN)/python bench/install_peers.py langgraph dbos || echo "some peers are missing; their rows say so" >&2
	@$(BIN)/python bench/journal_rows.py $(ARGS)

agentdojo: $(VENV)/run.stamp  ## prompt injection against the flow rule: SUITE=banking LABELS=file GATE=on, one JSON line
	@$(BIN)/python bench/agentdojo/install.py
	@bench/.venvs/agentdojo/bin/python bench/agentdojo/run.py --suite $(SUITE) --gate $(GATE) $(if $(LABELS),--labels "$(LABELS)") $(ARGS)

lock:  ## remake requirements/*.txt from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: python3 -m pip install uv" >&2; exit 1; }
	uv pip compile $(COMPILE) pyproject.toml -o requirements/run.txt
	uv pip compile $(COMPILE) pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt

clean:  ## remove the environment, caches and built files
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

COMPILE := --quiet --upgrade --universal --generate-hashes --no-annotate --no-header --no-emit-index-url \
	--no-emit-find-links --python-version 3.11

# Debian's python3.11 has no ensurepip, and its pip may not touch the system (PEP 668): the environment is made
# without pip, and the system's pip installs into it. A .pth line that is relative to site-packages makes src/
# importable wherever the checkout is moved. `-P` keeps a hostile working directory off sys.path.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "remit needs Python 3.11 or newer: apt-get install -y python3 python3-pip" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON) (once)" >&2
	@$(PYTHON) -m venv --without-pip --clear $(VENV)
	@echo ../../../../src > "$$($@ -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/remit.pth"
	@printf '%s\n' '#!/bin/sh' 'exec "$$(dirname "$$(readlink -f "$$0")")/python" -P -c \
	"import sys; from remit.cli import main; sys.exit(main())" "$$@"' > $(BIN)/remit && chmod +x $(BIN)/remit

$(VENV)/run.stamp: requirements/run.txt | $(BIN)/python
	@$(call install,requirements/run.txt)
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@echo "installing the test tools (once)" >&2
	@$(call install,requirements/dev.txt)
	@touch $@

# uv is faster but does not read pip's configuration, so pip has the last word.
install = { command -v uv >/dev/null && uv pip install -q --python $(BIN)/python --require-hashes --only-binary :all: -r $(1) 2>/dev/null; } \
	|| $(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check --require-hashes --only-binary :all: -r $(1)
