# `make` alone lists the verbs. Everything installs what it needs and binds to 127.0.0.1 only.
PYTHON ?= python3
AWS_PYTHON := .venv-aws/bin/python
UVX = $(if $(wildcard .local/tools/bin/uv),.local/tools/bin/uv,uv) tool run --no-config
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins
.DEFAULT_GOAL := help
.PHONY: help install demo up down logs test test-all faults lint deploy pipelines dist mwaa mwaa-upload bench bench-local fuzz locks new-use-case wheelhouse template reference docs coverage compose-secrets audit sbom aws-check constraints on-call

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## install the environments that running needs (every other verb does it too)
	@$(PYTHON) local/install.py airflow aws

demo: install ## the whole job on this machine: train, approve, four days of backfill, one by hand (SEED= DATA= DAYS= AWS_PORT= AIRFLOW_PORT=); STORY=drift: drift, a request, a new model, the next day, its labels
	@$(AWS_PYTHON) -m local.demo $(ARGS)

up: install ## start Airflow and the local AWS with ten days of input and keep them running (BATCH_HOME= AWS_PORT= AIRFLOW_PORT= INBOX_PORT= SCHEDULE=on)
	@$(AWS_PYTHON) -m local.up $(ARGS)

down: install ## stop what `make up` started; its state stays in .local/
	@$(AWS_PYTHON) -m local.down

logs: install ## follow the logs of what `make up` started; RUN=<use case>/<day> or an ARN prints those of its jobs (ENV=)
	@$(AWS_PYTHON) -m local.logs --run "$(RUN)" --environment "$(ENV)"

test: ## every test within 15 minutes, warnings as errors (ARGS='-k word' goes to pytest)
	@$(PYTHON) local/install.py airflow aws authoring docs
	@$(AWS_PYTHON) -m local.testing $(ARGS)

test-all: ## make test, what takes longer (tests/perf, tests/faults), and plugin and DAGs on the newest Airflow
	@$(PYTHON) local/install.py airflow airflow-newest aws authoring docs
	@$(AWS_PYTHON) -m local.testing --all $(ARGS)

faults: install ## break each thing in a real Airflow and write docs/reliability.md (AIRFLOW=newest; ONLY='worker triggerer_killed' or SAMPLE=3 SEED=7: a few, no page)
	@$(if $(filter newest,$(AIRFLOW)),$(PYTHON) local/install.py airflow-newest)
	@$(AWS_PYTHON) -m tests.faults.run $(if $(AIRFLOW),--airflow $(AIRFLOW)) $(if $(ONLY),--only "$(ONLY)") $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

lint: install ## ruff, mypy and the import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

ACTION ?= plan
ENV ?= local
deploy: install ## the AWS side: ACTION=plan|apply|status|destroy|policies ENV=<environment> ARGS=; ENV=local needs `make up`
	@$(AWS_PYTHON) -m local.deploy "$(ACTION)" --environment "$(ENV)" $(ARGS)

pipelines: ## compile the pipelines of ENV=<environment> to JSON, with the SageMaker SDK
	@$(PYTHON) local/install.py authoring
	.venv-authoring/bin/python -m include.pipelines compile --environment "$(ENV)"

dist: install ## the packages sagemaker_batch and sagemaker_local as wheels in dist/, the same bytes for the same sources
	@$(AWS_PYTHON) -m local.dist

mwaa: install ## the bundle of Amazon MWAA in dist/mwaa, the same bytes for the same sources (ENV=<environment>)
	@$(AWS_PYTHON) -m include.infrastructure.bundle build --environment "$(ENV)"

mwaa-upload: install ## make mwaa, and put what differs into MWAA's bucket; says how to take it and how to go back
	@$(AWS_PYTHON) -m include.infrastructure.bundle upload --environment "$(ENV)"

bench: ## measure the analyzer beside a parse-only pass and its peers, and write docs/performance.md; takes long (QUICK=1: a glance, nothing written)
	@$(PYTHON) local/install.py aws
	@$(AWS_PYTHON) tests/perf/bench_analyzer.py $(if $(QUICK),--quick --no-peers) $(ARGS)
	@$(if $(QUICK),true,$(AWS_PYTHON) tests/perf/drift_table.py --write)

fuzz: ## throw any bytes at the analyzer, led by coverage, for SECONDS=300; what breaks it stays in .local/fuzz (ARGS=<file> tries it again)
	@$(PYTHON) local/install.py fuzz
	@.venv-fuzz/bin/python tests/perf/fuzz_analyzer.py --seconds $(or $(SECONDS),300) $(ARGS)

bench-local: install ## measure what the local SageMaker promises of its speed, and write docs/performance-local.md (QUICK=1: a glance, nothing written)
	@$(AWS_PYTHON) -m tests.perf.bench_local $(if $(QUICK),--quick,--write)

locks: ## write requirements/*.txt anew from the .in files (ARGS='aws --upgrade')
	@$(PYTHON) local/locks.py $(ARGS)

PROBLEM ?= binary_classification
new-use-case: install ## a commented use-case file with every key, and scripts that work (NAME=... PROBLEM=binary_classification|regression)
	@$(AWS_PYTHON) -m local.new_use_case "$(NAME)" --problem "$(PROBLEM)"

constraints: install ## limits of a use case: suggested, overridden, and what each change would have flagged on the last 30 days (USE_CASE=churn ENV=)
	@$(AWS_PYTHON) -m local.constraints --use-case "$(USE_CASE)" --environment "$(ENV)" $(ARGS)

on-call: install ## write docs/on-call.md anew: false alarms and missed drift of seeded days, lost alerts, seconds, who is woken
	@$(AWS_PYTHON) -m local.on_call

wheelhouse: ## fetch what the bundled monitor needs on AWS into dist/wheelhouse; deployment puts it into S3
	@PYTHONPATH=$(CURDIR) $(PYTHON) -m include.infrastructure.wheelhouse

template: install ## the CloudFormation template of ENV=<environment> in dist/cloudformation
	@$(AWS_PYTHON) -m include.infrastructure.template --environment "$(ENV)"

reference: install ## write docs/reference.md anew from the code: keys, Params, options, parameters, verbs
	@$(AWS_PYTHON) -m local.reference

docs: install ## build the site of the documentation into dist/docs, warnings as errors
	@$(PYTHON) local/install.py docs
	@$(AWS_PYTHON) -m local.reference --check || (echo "docs/reference.md is stale: make reference" && exit 1)
	@.venv-docs/bin/mkdocs build --strict && echo "dist/docs/index.html"

coverage: install ## record what the tests of sagemaker_local see of each operation, and write its COVERAGE.md
	@RECORD_COVERAGE=1 $(AWS_PYTHON) -m pytest -q -p no:anyio -p no:asyncio --deselect tests/sagemaker_local/test_api_coverage.py tests/sagemaker_local/test_api_*.py tests/sagemaker_local/test_run_steps.py $(ARGS)
	@$(AWS_PYTHON) -m sagemaker_local.coverage

compose-secrets: install ## write .env for docker-compose.yaml with fresh secrets, once (ENV=<environment>)
	@$(AWS_PYTHON) -m local.compose --environment "$(ENV)"

audit: install ## look for known vulnerabilities in every lock (pip-audit, asks its database; a package that it does not know fails)
	@for lock in airflow aws authoring docs; do echo "== $$lock"; $(UVX) pip-audit==2.10.1 --strict --requirement requirements/$$lock.txt --require-hashes --disable-pip --progress-spinner off || failed=1; done; test -z "$$failed"

sbom: install ## a software bill of materials of every lock in dist/sbom (CycloneDX)
	@mkdir -p dist/sbom
	@for lock in airflow aws authoring docs; do $(UVX) --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements/$$lock.txt --output-file dist/sbom/$$lock.json && echo dist/sbom/$$lock.json || exit 1; done

aws-check: install ## both pipelines on a real account beside the local SageMaker, field by field; shows the cost, asks, destroys (ENV=)
	@$(AWS_PYTHON) -m local.aws_check --environment "$(ENV)" $(ARGS)
