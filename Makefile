# Two commands cover everyday use: `make serve` starts the service, `make test` runs all checks and tests.
.DEFAULT_GOAL := help
.PHONY: help serve test test-slow test-image fuzz bench-quick check lint types imports browser engine openapi train \
	train-smoke lock check-platforms pin-image push-image sbom audit clean

PYTHON ?= python3
SERVE := .venv-serve/bin/python
DEV := .venv/bin/python
PIP_QUIET := --quiet --disable-pip-version-check

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

serve: .venv-serve/.installed ## start the service on http://127.0.0.1:8000 with the bundled artefact
	@exec $(SERVE) -m app

test: .venv/.installed ## all checks and tests but the slow ones
	$(MAKE) --no-print-directory check
	$(DEV) -m pytest -m "not slow and not image"

test-slow: .venv/.installed ## soak, killed workers, real instances: minutes each
	$(DEV) -m pytest -m slow

test-image: .venv/.installed ## build the image and test it under a Docker engine, which is started if none answers
	deploy/test_image.sh

fuzz: .venv/.installed ## random requests for FUZZ_SECONDS (an hour)
	FUZZ_SECONDS=$${FUZZ_SECONDS:-3600} $(DEV) -m pytest -m slow tests/app/api/test_fuzz.py

bench-quick: .venv/.installed ## ratios of speed to torch int8 and to the bare graph, and a verdict (minutes; needs wrk)
	$(DEV) -m benchmarks.quick $${PAPERS:-../shared/data/papers_test.csv.gz}

check: lint types imports ## format, lint, types, directions of import

lint: .venv/.installed
	$(DEV) -m ruff format --check .
	$(DEV) -m ruff check .

types: .venv/.installed
	$(DEV) -m mypy

imports: .venv/.installed
	.venv/bin/lint-imports

browser: ## install Debian's Chromium for the browser tests, where there is none
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }

engine: ## install Debian's Docker engine, Compose, debootstrap, HAProxy, skopeo and a registry, where there are none
	deploy/install_engine.sh

openapi: .venv/.installed ## regenerate openapi.json after a change of the API
	$(DEV) -m app.api.openapi_document > openapi.json

train: .venv/.installed runs/categories_validation.csv.gz ## train, quantize and publish the bundled artefacts (hours on two cores; resumes)
	$(DEV) -m training check training/configs/first-pass.toml --runs runs/first-pass
	$(DEV) -m training fit training/configs/first-pass.toml --runs runs/first-pass --resume
	mkdir -p runs/second-pass
	test -e runs/second-pass/teacher.npz || $(DEV) -m training score training/configs/second-pass.toml --baseline --output runs/second-pass/teacher.npz
	$(DEV) -m training fit training/configs/second-pass.toml --runs runs/second-pass --resume
	mkdir -p runs/third-pass
	test -e runs/third-pass/teacher.npz || $(DEV) -m training score training/configs/third-pass.toml --baseline --output runs/third-pass/teacher.npz
	$(DEV) -m training fit training/configs/third-pass.toml --runs runs/third-pass --resume
	test -e runs/all-MiniLM-L6-v2-fine-tuned || $(DEV) -m training encoder --run training/configs/third-pass.toml --runs runs/third-pass --output runs/all-MiniLM-L6-v2-fine-tuned
	$(DEV) -m training run training/configs/full.toml --resume

runs/categories_validation.csv.gz: | .venv/.installed
	mkdir -p runs
	$(DEV) -m training holdout ../shared/data/arxiv_metadata.parquet --like ../shared/data/papers_train.csv.gz --output $@

train-smoke: .venv/.installed ## the same stages in two minutes, published under runs/
	$(DEV) -m training run training/configs/smoke.toml --store runs/artefacts

# Left out of the serving set: a hub client that tokenizers declares and only needs to download,
# with all its dependencies; the service never downloads. Left out of the test set: torch (see below).
HUB_CLIENT := huggingface-hub filelock fsspec hf-xet httpx2 httpcore2 pyyaml tqdm truststore
COMPILE := .venv/bin/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-header --no-annotate

lock: .venv/.installed ## update the pinned requirements from pyproject.toml
	$(COMPILE) --extra serve $(HUB_CLIENT:%=--no-emit-package %) pyproject.toml -o requirements/serve.txt
	$(COMPILE) --extra serve --extra tables --extra train --extra dev --no-emit-package torch pyproject.toml -o requirements/test.txt
	deploy/check_platforms.sh

check-platforms: .venv/.installed ## check that the pinned requirements install on every supported Python and platform
	deploy/check_platforms.sh

pin-image: ## write the digest of the base image into the Dockerfile, as its registry has it today
	deploy/pin_image.sh

push-image: ## build the image with SBOM and provenance and push both: IMAGE=registry.example/paper-subjects:0.1.0
	deploy/push_image.sh "$(IMAGE)" $(BASE)

# Tools that no test needs run in environments of their own.
TOOL := .venv/bin/uv tool run --quiet --from

sbom: .venv/.installed .venv-serve/.installed ## write an SBOM of the service's packages (CycloneDX) to dist/sbom.cdx.json
	mkdir -p dist
	$(TOOL) cyclonedx-bom==7.5.0 cyclonedx-py environment --output-reproducible --output-file dist/sbom.cdx.json $(SERVE)

audit: .venv/.installed ## check the pinned requirements against PyPI's advisories; needs a registry that has them
	$(TOOL) pip-audit==2.10.1 pip-audit --strict --require-hashes --disable-pip -r requirements/serve.txt
	$(TOOL) pip-audit==2.10.1 pip-audit --strict --require-hashes --disable-pip -r requirements/test.txt

clean: ## remove the environments and caches, never runs/ or artefacts
	rm -rf .venv .venv-serve .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The stamp is written last, so that an interrupted installation is started again.
.venv-serve/.installed: requirements/serve.txt
	$(PYTHON) -m venv --clear .venv-serve
	$(SERVE) -m pip install $(PIP_QUIET) --no-deps --require-hashes -r requirements/serve.txt
	touch $@

# torch is installed first and separately: its builds differ by platform, so there is no single hash to pin.
.venv/.installed: requirements/test.txt
	$(PYTHON) -m venv --clear .venv
	$(DEV) -m pip install $(PIP_QUIET) torch==2.13.0
	$(DEV) -m pip install $(PIP_QUIET) --no-deps --require-hashes -r requirements/test.txt
	touch $@
