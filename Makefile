# maintops: the two commands of a fresh clone are `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test quick check bench pins clean

help:            ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/' | expand -t 16

# --- environments: each stamp is made anew when its pins change
$(VENV)/.run: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "maintops needs Python 3.11 or newer: make run PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

.venv-bench/.done: benchmarks/requirements.txt
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	touch $@

run: $(VENV)/.run   ## daily check of this very machine, and a report of it
	@mkdir -p var
	@code=0; $(BIN)/maintops run daily-check || code=$$?; \
	case $$code in 0|2|4|6) ;; *) exit $$code;; esac; \
	$(BIN)/maintops report last -o var/report.html

# files in the order of tests/conftest.py
test: system $(VENV)/.dev   ## install what the tests need, then the whole suite
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

quick: lint   ## lint, types, architecture, unit tests but the slow ones, with fewer examples
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -q -n 2 -m "not slow" tests/unit

.PHONY: lint
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/maintops lint checklists
	$(BIN)/yamllint --strict checklists playbooks inventories molecule

check: lint test   ## everything: what CI runs

bench: $(VENV)/.dev .venv-bench/.done   ## speed, side by side, as ratios
	$(BIN)/python -m benchmarks

.PHONY: lab lab-down
lab: system $(VENV)/.dev   ## bring a lab up: six containers, a virtual machine (root)
	@$(BIN)/python -m tests.lab.standing up

lab-down:        ## take the lab down; its images stay
	@$(BIN)/python -m tests.lab.standing down

.PHONY: system
system:
	sh tests/lab/system.sh

pages: $(VENV)/.dev  ## make the generated pages anew
	$(BIN)/maintops checklist document -o docs/checks.md

pins: $(VENV)/.dev   ## compute the pinned dependencies anew
	sh tests/pins.sh $(BIN)

clean:           ## remove the environments and caches
	rm -rf $(VENV) .venv-bench var .mypy_cache .ruff_cache .pytest_cache .hypothesis
