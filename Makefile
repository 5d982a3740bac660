# Everything a developer runs. It installs into .venv and .local/, never elsewhere; a stamp file beside
# each environment keeps a second run from installing anything again.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

UV_VERSION := 0.13.9
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .local/uv/bin/uv)
OWN_UV := $(filter .local/%,$(UV))

DEV := .venv/.ready
SAM := .local/sam/.ready
MINISTACK := .local/ministack/.ready
CHECKOV := .local/checkov/.ready
WORKFLOWS := .local/workflows/.ready
RUNTIME := .local/runtime/.ready
ARM64 := .local/arm64/.ready
SCHEMATHESIS := .local/schemathesis/.ready
CLIENTS := .local/clients/.ready
LOCKED := uv.lock pyproject.toml .python-version

PYTHON_MISSING := Python 3.13 was not found. On Debian or Ubuntu: apt-get install python3.13 python3.13-venv

# The system's Python is used, or else one that uv finds; none is downloaded. A distribution's is built with profiles of
# what programs do, as Lambda's is. What pyenv builds is not unless it is told to, and the tests take a third longer.
export UV_PYTHON_DOWNLOADS := never
ifndef UV_PYTHON
export UV_PYTHON := $(shell /usr/bin/python3.13 -c 'import ssl, venv' 2>/dev/null && echo /usr/bin/python3.13 || echo 3.13)
endif
# Some environments keep Python from writing byte code; starts take three times as long then.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE
export PERSONAS_MINISTACK := $(CURDIR)/.local/ministack/bin/ministack
unexport VIRTUAL_ENV UV_PROJECT_ENVIRONMENT

# SAM asks for a region and credentials even where it calls nothing. Only the checks get these.
OFFLINE := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none

# More arguments for pytest: make test ARGS="tests/unit -k drafts"
ARGS ?=

.PHONY: help
help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 22

.PHONY: run
run: $(DEV) $(MINISTACK) ## Start the service on 127.0.0.1:3000 (PORT=... changes it), with its local store
	@exec .venv/bin/personas serve

.PHONY: setup
setup: $(DEV) $(SAM) $(MINISTACK) $(CHECKOV) $(WORKFLOWS) ## Install everything that the other targets need

# Three workers on two cores: a good part of the tests' time is waiting, for processes and for answers that never come.
WORKERS ?= $(shell echo $$(($$(nproc) * 3 / 2)))

.PHONY: test
test: $(DEV) $(MINISTACK) ## Run the tests, all but the slow ones
	@.venv/bin/pytest --numprocesses $(WORKERS) --dist worksteal -m "not slow and not large and not built and not sam and not clients and not schemathesis" $(ARGS)

# CLIENT_KEY is by default the demo's, of a superadmin.
.PHONY: client
client: $(DEV) ## The flows of a web client against a running `make run` (CLIENT_URL=..., CLIENT_KEY=...: another service)
	@CLIENT_URL=$${CLIENT_URL:-http://127.0.0.1:$${PORT:-3000}} .venv/bin/pytest tests/client $(ARGS)

.PHONY: test-slow
test-slow: $(DEV) $(MINISTACK) ## Run the slow tests: refreshes cut off and interleaved at every step, and the smoke test of `make run`
	@.venv/bin/pytest --numprocesses auto --dist worksteal -m slow $(ARGS)

.PHONY: test-large
test-large: $(DEV) $(MINISTACK) ## Run the tests at full size: 10,000 rows imported, 5,000 hostile ones there and back (20 minutes)
	@.venv/bin/pytest -m large $(ARGS)

.PHONY: soak
soak: $(DEV) $(MINISTACK) ## 200 drafts, 50 patches each, from 8 processes against the local server (2 to 3 minutes)
	@SOAK_DRAFTS=200 SOAK_PATCHES=50 SOAK_PROCESSES=8 .venv/bin/pytest tests/integration/test_server.py -k drafts

.PHONY: soak-history
soak-history: $(DEV) $(MINISTACK) ## 10,000 writes to the local server, each of whose versions its history must have
	@HISTORY_WRITES=10000 .venv/bin/pytest tests/integration/test_history_server.py -k answered

.PHONY: histories
histories: $(DEV) $(MINISTACK) ## 100,000 operations of 16 clients at once, checked (HISTORY_SEED=... begins elsewhere)
	@HISTORY_OPERATIONS=100000 .venv/bin/pytest tests/integration/test_histories.py -k linearizable

# git stamps the entries by the machine's zone, so this has one; the archive names its commit (unzip -z).
.PHONY: keep-release
keep-release: ## Keep the functions of a release, for the tests that run them beside the present ones (COMMIT=vX.Y.Z)
	@TZ=UTC git archive -9 --format=zip --output tests/releases/last.zip $(COMMIT) layers functions template.yaml

# WALKS_SEED=... walks elsewhere, and repeats a run; a failure prints its steps, shrunk to few.
.PHONY: walks
walks: $(DEV) ## 100,000 steps across all that writes, compared with a plain model (WALKS_STEPS=... takes fewer)
	@WALKS_STEPS=$${WALKS_STEPS:-100000} .venv/bin/pytest --numprocesses 2 --show-capture=no tests/integration/test_walks.py

.PHONY: soak-search
soak-search: $(DEV) $(MINISTACK) ## 10,000 writes, each followed by a search that must know of it (20 minutes)
	@SOAK_PAIRS=10000 SOAK_ROUNDS=25 .venv/bin/pytest tests/integration/test_server.py -k every_search

.PHONY: smoke
smoke: $(DEV) ## Try a deployment in a group of its own: STACK=NAME, or else a running `make run` (1 to 2 minutes)
	@.venv/bin/personas smoke $(if $(STACK),--stack $(STACK))

# SCHEMATHESIS_SEED=... repeats a run, as far as the answers are the same.
.PHONY: schemathesis
schemathesis: $(DEV) $(MINISTACK) $(SCHEMATHESIS) ## All checks of docs/openapi.json on the local service (10 minutes)
	@SCHEMATHESIS=.local/schemathesis/bin/schemathesis .venv/bin/pytest -s tests/abuse/test_described_api.py

# FUZZ_SEED=... repeats a run.
.PHONY: fuzz
fuzz: $(DEV) ## 50,000 raw bodies straight into the handlers (about 8 minutes of one core)
	@FUZZ_BODIES=$${FUZZ_BODIES:-50000} .venv/bin/pytest tests/abuse/test_raw_bodies.py --show-capture=no

# Two workers on two cores; what each test tried goes to .local/logs/faults.jsonl, a line each.
FAULTS_COUNTS := .local/logs/faults.jsonl

.PHONY: faults
faults: $(DEV) ## Every operation under every fault at every call that it makes to AWS (47 minutes), with a table
	@mkdir -p $(dir $(FAULTS_COUNTS)) && rm -f $(FAULTS_COUNTS)
	@FAULTS_EVERY=1 FAULTS_COUNTS=$(FAULTS_COUNTS) .venv/bin/pytest --numprocesses auto --dist worksteal \
		--show-capture=no $(ARGS) tests/integration/test_fault_matrix.py || failed=1; \
		PYTHONPATH=tests .venv/bin/python -m support.fault_table $(FAULTS_COUNTS); exit $${failed:-0}

# MODULES="domain store/keys.py": within the layer. ARGS="--changed main": what differs from that commit; "--sample 50":
# so many of each module; "--again": what survived the last time. What each test reaches is recorded before the first run.
.PHONY: mutants
mutants: $(DEV) ## Change the layer, a slip at a time: a test that reaches it must fail (many hours; MODULES=... ARGS=... less)
	@PYTHONPATH=tests nice -n 19 .venv/bin/python -m support.mutants $(MODULES) $(ARGS)

.PHONY: check
check: $(DEV) $(SAM) $(CHECKOV) $(WORKFLOWS) ## Formatting, lint, types, import rules, lock, OpenAPI, template, workflows, security
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/bandit --quiet --configfile pyproject.toml --recursive layers/shared/personas functions tools
	$(UV) lock --check
	@$(UV) export $(EXPORT) | diff -u layers/shared/requirements.txt - \
		|| { echo "layers/shared/requirements.txt is not what uv.lock says: make requirements"; exit 1; }
	@.venv/bin/personas openapi | diff -u docs/openapi.json - \
		|| { echo "docs/openapi.json is not what the models and docs/errors.md say: make openapi"; exit 1; }
	@.venv/bin/python -m personas_tools.documentation | diff -u $(DOCUMENTATION) - \
		|| { echo "$(DOCUMENTATION) is not what the models say: make openapi"; exit 1; }
	.local/sam/bin/cfn-lint template.yaml docs/webhook.yaml
	@$(OFFLINE) .local/sam/bin/sam validate
	@$(OFFLINE) .local/sam/bin/sam validate --lint
	.local/checkov/bin/checkov --config-file .checkov.yaml
	@# The schemas of GitHub's files, as the tool carries them: no network.
	.local/workflows/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.local/workflows/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venv/bin/pytest --quiet -m "not emulator" tests/template

.PHONY: format
format: $(DEV) ## Format the code and mend what the linter can mend
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

DOCUMENTATION := layers/shared/personas/operations/documentation.json

EXPORT := --quiet --frozen --only-group layer --no-header --no-annotate

.PHONY: requirements
requirements: | $(OWN_UV) ## Write what ships in the layer, from uv.lock
	@$(UV) export $(EXPORT) --output-file layers/shared/requirements.txt

.PHONY: sbom
sbom: $(DEV) ## Write the bill of materials of the layer (CycloneDX, licences included) to .aws-sam/sbom.cdx.json
	@mkdir -p .aws-sam
	@$(UV) export --quiet --frozen --only-group layer --format cyclonedx1.5 --preview-features sbom-export \
		| .venv/bin/python -m personas_tools.sbom >.aws-sam/sbom.cdx.json
	@echo "Wrote .aws-sam/sbom.cdx.json"

.PHONY: examples
examples: $(DEV) $(MINISTACK) ## Record docs/examples.json again: the answers of a fresh demo to the requests in it
	@RECORD_EXAMPLES=1 .venv/bin/pytest --quiet tests/docs/test_openapi.py -k demo_answers

.PHONY: openapi
openapi: $(DEV) ## Write docs/openapi.json and the answer of docs, from the models, docs/errors.md and docs/examples.json
	@.venv/bin/personas openapi > docs/openapi.json.new
	@mv docs/openapi.json.new docs/openapi.json
	@.venv/bin/python -m personas_tools.event_schema > docs/events.schema.json
	@.venv/bin/python -m personas_tools.documentation > $(DOCUMENTATION).new
	@mv $(DOCUMENTATION).new $(DOCUMENTATION)

.PHONY: monitoring
monitoring: $(DEV) ## Write the log groups, alarms and dashboard of template.yaml, from its list of functions
	@.venv/bin/python -m personas_tools.monitoring template.yaml

# Deployed is this; CloudFormation refuses to deploy it as another. The bundle that runs on this machine is built for its own processor, beside it.
ARCHITECTURE ?= arm64
HOST := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
LOCAL_BUILD := .aws-sam/local/build
# sam has pip fetch wheels for another processor by name, once more: the constraint holds those to the locked hashes too.
SAM_BUILD := PATH="$(CURDIR)/.local/sam/bin:$$PATH" PIP_CONSTRAINT="$(CURDIR)/layers/shared/requirements.txt" SAM_CLI_TELEMETRY=0 .local/sam/bin/sam build
FINISH := PYTHONPATH=tools .local/sam/bin/python -m personas_tools.bundle

.PHONY: build
build: $(SAM) ## Build the bundle for `sam deploy` into .aws-sam/build, and say what it weighs (ARCHITECTURE=x86_64: not arm64)
	@mkdir -p .local/logs
	@$(SAM_BUILD) --parameter-overrides Architecture=$(ARCHITECTURE) >.local/logs/sam-build.log 2>&1 \
		|| { cat .local/logs/sam-build.log; exit 1; }
	@$(FINISH) .aws-sam/build --architecture $(ARCHITECTURE)

# More parameters, such as PARAMETERS="AlarmTopicArn=arn:...". It asks, unless ARGS=--yes.
.PHONY: deploy
deploy: $(DEV) $(SAM) ## Deploy what `make build` built to STAGE=dev or prod, unless a table or the bucket would be replaced
	@.venv/bin/python -m personas_tools.deployment $(STAGE) $(PARAMETERS) $(ARGS)

.PHONY: rollback
rollback: $(DEV) ## Move the functions of STACK=... back to the release before, in seconds (ARGS=--undo: on again)
	@.venv/bin/python -m personas_tools.rollback --stack $(STACK) $(ARGS)

.PHONY: build-local
build-local: $(SAM) ## The same for the processor of this machine, into .aws-sam/local/build
	@mkdir -p .local/logs
	@$(SAM_BUILD) --parameter-overrides Architecture=$(HOST) --build-dir $(LOCAL_BUILD) \
		--cache-dir .aws-sam/local/cache >.local/logs/sam-build-local.log 2>&1 \
		|| { cat .local/logs/sam-build-local.log; exit 1; }
	@$(FINISH) $(LOCAL_BUILD) --architecture $(HOST)

.PHONY: test-build
test-build: $(DEV) $(MINISTACK) $(RUNTIME) build-local ## Run every built function on its event, from the folder it was built into
	@.venv/bin/pytest $(ARGS) tests/build/test_layer.py tests/build/test_boot.py

.PHONY: arm64
arm64: $(DEV) $(MINISTACK) $(RUNTIME) $(ARM64) build ## Run every function of the arm64 bundle on its event, by qemu (1 minute; Debian)
	@.venv/bin/pytest $(ARGS) tests/build/test_arm64.py

.PHONY: deploy-local
deploy-local: $(DEV) $(SAM) $(MINISTACK) build-local ## Deploy the template to ministack by `sam deploy` and invoke every function there
	@.venv/bin/pytest --verbose $(ARGS) tests/build/test_deploy_local.py

.PHONY: test-clients
test-clients: $(DEV) $(MINISTACK) $(CLIENTS) ## Clients made of docs/openapi.json, MCP clients and their conformance suite, diagrams (1 minute)
	@.venv/bin/pytest $(ARGS) tests/generated

.PHONY: sam-local
sam-local: $(DEV) $(SAM) $(MINISTACK) build-local ## Run every event by `sam local invoke`, the README's session by start-api, in Docker
	@.venv/bin/pytest --verbose -rsP $(ARGS) tests/build/test_sam_local.py

.PHONY: cold-start
cold-start: $(DEV) $(SAM) $(RUNTIME) build-local ## Measure how long every built function takes to start (3 minutes)
	@.venv/bin/python benchmarks/cold_start.py $(ARGS)

.PHONY: load
load: $(DEV) $(SAM) $(MINISTACK) $(RUNTIME) build-local ## 1 to 32 clients against the local server, then the built functions (5 minutes; ARGS="--soak 20": 45)
	@.venv/bin/python benchmarks/load.py $(ARGS)
	@.venv/bin/python benchmarks/load.py --runtime $(ARGS)

.PHONY: profile
profile: $(DEV) $(MINISTACK) ## Where the CPU time of a warm get, search and draft goes (1 minute; ARGS="--seconds 60": 4)
	@.venv/bin/python benchmarks/sampled.py $(ARGS)

.PHONY: clean
clean: ## Remove environments, caches and bundles; the local store's data stays
	@rm -rf .venv .local/uv .local/sam .local/ministack .local/checkov .local/workflows .local/runtime .local/arm64 .local/schemathesis .local/clients .local/mutants .aws-sam \
		.mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- Environments ----------------------------------------------------------------------------------------------------

define find-python
$(UV) python find --quiet >/dev/null 2>&1 || { echo "$(PYTHON_MISSING)" >&2; exit 1; }
endef

$(DEV): $(LOCKED) | $(OWN_UV)
	@$(find-python)
	@echo "Installing the project into .venv"
	@$(UV) sync --quiet --frozen
	@touch $@

$(SAM): $(LOCKED) | $(OWN_UV)
	@$(find-python)
	@echo "Installing SAM into .local/sam"
	@UV_PROJECT_ENVIRONMENT=.local/sam $(UV) sync --quiet --frozen --only-group sam --no-install-project
	@touch $@

$(MINISTACK): $(LOCKED) | $(OWN_UV)
	@$(find-python)
	@echo "Installing ministack, the local DynamoDB and S3, into .local/ministack"
	@UV_PROJECT_ENVIRONMENT=.local/ministack $(UV) sync --quiet --frozen --only-group ministack --no-install-project
	@touch $@

$(CHECKOV): $(LOCKED) | $(OWN_UV)
	@$(find-python)
	@echo "Installing checkov into .local/checkov"
	@UV_PROJECT_ENVIRONMENT=.local/checkov $(UV) sync --quiet --frozen --only-group checkov --no-install-project
	@touch $@

$(WORKFLOWS): $(LOCKED) | $(OWN_UV)
	@$(find-python)
	@echo "Installing check-jsonschema into .local/workflows"
	@UV_PROJECT_ENVIRONMENT=.local/workflows $(UV) sync --quiet --frozen --only-group workflows --no-install-project
	@touch $@

$(RUNTIME): $(LOCKED) | $(OWN_UV)
	@$(find-python)
	@echo "Installing what Lambda's Python runtime brings into .local/runtime"
	@UV_PROJECT_ENVIRONMENT=.local/runtime $(UV) sync --quiet --frozen --only-group runtime --no-install-project
	@touch $@

$(SCHEMATHESIS): $(LOCKED) | $(OWN_UV)
	@$(find-python)
	@echo "Installing schemathesis into .local/schemathesis"
	@UV_PROJECT_ENVIRONMENT=.local/schemathesis $(UV) sync --quiet --frozen --only-group schemathesis --no-install-project
	@touch $@

$(CLIENTS): $(LOCKED) tests/generated/package.json tests/generated/package-lock.json | $(OWN_UV)
	@$(find-python)
	@echo "Installing generators of clients, MCP clients and Mermaid into .local/clients"
	@UV_PROJECT_ENVIRONMENT=.local/clients $(UV) sync --quiet --frozen --only-group clients --no-install-project
	@cp tests/generated/package.json tests/generated/package-lock.json .local/clients/
	@PATH="$(CURDIR)/.local/clients/bin:$$PATH" npm --prefix .local/clients ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(ARM64): .ci/arm64
	@echo "Unpacking qemu and a Python for arm64 into .local/arm64"
	@.ci/arm64 .local/arm64
	@touch $@

.local/uv/bin/uv:
	@echo "Installing uv into .local/uv"
	@python3.13 -m venv .local/uv || { rm -rf .local/uv; echo "$(PYTHON_MISSING)" >&2; exit 1; }
	@.local/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
