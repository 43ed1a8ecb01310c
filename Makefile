# Every target runs in .venv, which is made when it is missing or older than what it is made from.

PYTHON ?= python3
EXTRAS ?= test,onnx,litert,plots,postgres
UV ?= $(shell command -v uv 2>/dev/null)
ARGS ?=
JOBS ?= 3

comma := ,
RUNTIME := .venv/.installed
DEVELOPMENT := .venv/.installed-$(subst $(comma),-,$(EXTRAS))
REQUIREMENTS := pyproject.toml constraints.txt

ifeq ($(strip $(UV)),)
CREATE = "$(PYTHON)" -m venv .venv
# pip before 25.3 applies the first variable to the build backend too; later ones read the second.
INSTALL = PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --editable
else
CREATE = "$(UV)" venv --quiet --no-project --python "$$(command -v "$(PYTHON)")" .venv
# Compiled as pip does it: else every process compiles TensorFlow and Keras again where PYTHONDONTWRITEBYTECODE is set.
INSTALL = "$(UV)" pip install --quiet --compile-bytecode --python .venv/bin/python \
	--constraint constraints.txt --build-constraint constraints.txt --editable
endif

.PHONY: help study test slow fuzz chaos lint docs hashes clean interpreter

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

study: $(RUNTIME) ## Search for the best model of the embedded digits: the main job, no data needed.
	@.venv/bin/tuner study start digits $(ARGS)

# The recorded data sets that some tests need, where a checkout has them beside it.
ifeq ($(origin TUNER_DATA),undefined)
ifneq ($(wildcard ../shared/data/.),)
test slow fuzz: export TUNER_DATA := $(shell cd ../shared/data && pwd)
endif
endif
# Three at a time, as most tests wait for processes; a file's tests share what they need, so they stay together.
# Where bytecode is not written, each of the commands that the tests start compiles this project anew: one second each.
PYTEST = env -u PYTHONDONTWRITEBYTECODE .venv/bin/pytest
PARALLEL = --numprocesses $(JOBS) --dist loadfile

test: $(DEVELOPMENT) ## Run the tests, in under ten minutes; some with ARGS="tests/cli -k name", one by one with JOBS=0.
	$(PYTEST) $(PARALLEL) -m "not slow" $(ARGS)

slow: $(DEVELOPMENT) ## Run the other tests: those that train, and those of whole runs in processes of their own.
	$(PYTEST) $(PARALLEL) -m slow $(ARGS)

fuzz: $(DEVELOPMENT) ## Read thousands of damaged files of each kind; FUZZ_EXAMPLES=100 reads fewer.
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-1000} $(PYTEST) $(PARALLEL) tests/*/test_fuzz.py $(ARGS)

# Two at a time, as most of them wait. 20 rounds take about 5 minutes on two cores; CHAOS_ROUNDS=25 CHAOS_STUDIES=12
# about an hour.
chaos: $(DEVELOPMENT) ## Kill trainers and runs at random moments, and look whether anything was lost.
	$(PYTEST) --numprocesses 2 --dist worksteal -o addopts=-raP tests/chaos $(ARGS)

lint: $(DEVELOPMENT) ## Check style, format, types and the layers of the imports.
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

docs: $(RUNTIME) ## Write docs/cli.md from the help texts of the commands.
	.venv/bin/python docs/generate_cli.py

PLAIN = --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet
hashes: ## Write the versions of constraints.txt with the hashes of their files, also those of the image. Needs uv.
	@test -n "$(UV)" || { echo "Error: this needs uv" >&2; echo "Hint:  pip install uv" >&2; exit 1; }
	@"$(UV)" pip compile constraints.txt --universal --python-version 3.11 --no-deps --generate-hashes \
	    $(PLAIN) --output-file constraints-hashes.txt
	@"$(UV)" pip compile pyproject.toml --extra postgres --extra ray --extra s3 --constraint constraints.txt \
	    --python-platform linux --python-version 3.11 --generate-hashes $(PLAIN) --output-file deploy/requirements.txt
	@echo hatchling | "$(UV)" pip compile - --constraint constraints.txt --python-platform linux \
	    --python-version 3.11 --generate-hashes $(PLAIN) --output-file deploy/requirements-build.txt

clean: ## Remove .venv, caches and built packages; your studies in .tuner stay.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# No interpreter (no .venv yet, or the Python that it links to is gone) makes all that is installed out of date.
ifneq ($(shell test -x .venv/bin/python && echo usable),usable)
$(RUNTIME) $(DEVELOPMENT): interpreter
endif

interpreter:
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11, 1) <= sys.version_info < (3, 14))' 2>/dev/null || { \
	    echo "Error: tuner needs Python 3.11.1 or later, at most 3.13; $(PYTHON) is: $$("$(PYTHON)" --version 2>&1)" >&2; \
	    echo "Hint:  name another one: make PYTHON=python3.13" >&2; exit 1; }
	@rm -rf .venv
	@$(CREATE) >&2 || { rm -rf .venv; \
	    echo "Hint:  on Debian and Ubuntu: apt-get install python3-venv (or install uv)" >&2; exit 1; }

$(RUNTIME): $(REQUIREMENTS)
	@echo "setting up .venv (the first time about 2 minutes and 2.5 GB)" >&2
	@$(INSTALL) .
	@touch $@

$(DEVELOPMENT): $(REQUIREMENTS)
	@echo "setting up .venv with $(EXTRAS) (the first time about 2 minutes and 3 GB)" >&2
	@$(INSTALL) ".[$(EXTRAS)]"
	@touch $(RUNTIME) $@
