# `make run` and `make test` are all that is needed; both create and fill the same .venv first.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
CORES ?= 2
GPU_PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,$(PYTHON))
EXPERIMENT ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SNAKEMAKE := $(BIN)/python -m snakemake --cores $(CORES) $(if $(EXPERIMENT),--config experiment=$(EXPERIMENT) --)
SOURCES := vfm_fusion workflow_scripts tests benchmarks
RULES := Snakefile rules/*.smk

export OMP_WAIT_POLICY ?= PASSIVE

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): about two minutes and 2 GB, once"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 run")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

.PHONY: help setup run quick study realdata-study pretrain report test test-all lint config gpu-check clean

help:  ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY)  ## Create or update .venv

run: $(READY)  ## Run the default experiment to results/report.html (EXPERIMENT=quick or realdata for another)
	@$(SNAKEMAKE) all

quick: $(READY)  ## Run the same stages in two or three minutes, to results/quick/
	@$(MAKE) --no-print-directory run EXPERIMENT=quick

study: $(READY)  ## Run the full miniature study (five seeds, an hour and a half) and write docs/study/
	@$(MAKE) --no-print-directory run EXPERIMENT=study
	@$(BIN)/python -m vfm_fusion.reporting.publish results/study docs/study

realdata-study: $(READY)  ## Run the study on real photos (some CPU hours, minutes on a GPU) and write docs/realdata-study/
	@$(MAKE) --no-print-directory run EXPERIMENT=realdata_study
	@$(BIN)/python -m vfm_fusion.reporting.publish results/realdata-study docs/realdata-study

pretrain: $(READY)  ## Train the mini encoders in resources/encoders/ again (half an hour on two cores)
	@$(BIN)/python -m snakemake --cores $(CORES) pretrain_mini

report: $(READY)  ## Write results/report.html of the finished default run again
	@$(BIN)/python -m snakemake --configfile results/config.resolved.yaml --report results/report.html

test: $(READY)  ## Run the tests (all but the slow ones)
	@$(BIN)/python -m pytest -n $(CORES) -m "not slow"

test-all: $(READY)  ## Run every test, the slow ones too
	@$(BIN)/python -m pytest -n $(CORES)

lint: $(READY)  ## Run ruff, snakefmt and snakemake --lint; refuse imports in a circle
	$(BIN)/python -m ruff check $(SOURCES)
	$(BIN)/python -m ruff format --check $(SOURCES)
	$(BIN)/python -m snakefmt --check $(RULES)
	$(BIN)/python -m vfm_fusion.config.document --check
	$(BIN)/python -m vfm_fusion.workflow.import_graph --check
	$(BIN)/python -m snakemake --lint

config: $(READY)  ## Regenerate docs/config.schema.json, docs/config.default.yaml and docs/imports.svg
	@$(BIN)/python -m vfm_fusion.config.document
	@$(BIN)/python -m vfm_fusion.workflow.import_graph

gpu-check:  ## Measure what needs a GPU, in ten minutes, to docs/benchmarks-gpu.md (GPU_PYTHON=python3: not with .venv)
	@$(GPU_PYTHON) benchmarks/gpu_check.py

clean:  ## Remove the default experiment's results (keeps .venv and the folders of other experiments, such as results/quick)
	@rm -rf results/{data,datasets,features,metrics,selection,runs,tables,figures,benchmarks,logs,state} results/report.html results/config.resolved.yaml
