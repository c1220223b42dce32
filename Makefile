# Everything runs in .venv, made from constraints.txt: exactly the versions that were tested together.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

MUTANTS ?= 1000
SEED ?= 0

.PHONY: demo setup check test test-slow fuzz bench bench-go bench-qat bench-optimize bench-intervals bench-gate bench-isolated bench-batcher bench-generation bench-embed train-all matrix coverage-table task-table real-models backends docs clean format

demo: $(STAMP) ## the whole road on built-in data
	$(BIN)/toolkit demo

setup: $(STAMP) ## .venv with everything

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 $@"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/toolkit doctor --install browser || echo "going on without the engines for web pages"
	touch $@

check: $(STAMP) ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP) ## the tests but the slow ones, in parallel and in random order, with coverage
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadscope --cov --cov-report=term --cov-fail-under=90

test-slow: $(STAMP) ## the tests that take long, which CI runs too
	$(BIN)/python -m pytest -m "slow and not table" --numprocesses 2 --dist loadscope

task-table: $(STAMP) ## every task by every form of data in every command
	$(BIN)/python -m pytest -m slow --numprocesses 2 tests/cli/test_task_table.py

fuzz: $(STAMP) ## a thousand damaged files over the real commands: make fuzz MUTANTS=5000 SEED=7
	$(BIN)/python tests/fuzz/run.py --mutants $(MUTANTS) --seed $(SEED)

bench: $(STAMP) ## the budgets, measured: docs/benchmarks.md
	$(BIN)/python benchmarks/report.py --out docs/benchmarks.md

bench-go: $(STAMP) ## rules and self-play, measured: docs/go-benchmarks.md
	$(BIN)/python benchmarks/go_report.py --out docs/go-benchmarks.md

bench-qat: $(STAMP) ## quantization-aware against float training, measured: docs/qat.md; resumes where it stopped
	$(BIN)/python -m benchmarks.qat

bench-optimize: $(STAMP) ## toolkit optimize against trying everything, on what train-all has made: docs/optimize.md
	$(BIN)/python -m benchmarks.optimize_report

bench-intervals: $(STAMP) ## how often the intervals of metrics hold the truth, on simulated data: docs/intervals.md
	$(BIN)/python -m benchmarks.intervals

bench-gate: $(STAMP) ## how often a gate is right about planted changes, an hour: docs/gate-trials.md
	$(BIN)/python -m benchmarks.gate

bench-isolated: $(STAMP) ## what an engine in a process of its own costs: docs/isolated.md
	$(BIN)/python -m benchmarks.isolated

bench-batcher: $(STAMP) ## callers that wait, joined and alone, five minutes: docs/batcher.md
	$(BIN)/python -m benchmarks.batcher

bench-generation: $(STAMP) ## a decoder with and without its cache, three minutes: docs/streams.md
	$(BIN)/python -m benchmarks.generation

bench-embed: $(STAMP) ## a picture's preparation inside the file against Pillow before it, two minutes: docs/embed.md
	$(BIN)/python -m benchmarks.embed

train-all: $(STAMP) ## the full recipes with their bars, under two hours: docs/training.md
	$(BIN)/python benchmarks/train_all.py

matrix: $(STAMP) ## what train-all has made in every format and precision: docs/models.md
	$(BIN)/python benchmarks/models_report.py --bundles artifacts/train-all

coverage-table: $(STAMP) ## networks of others in every format: docs/coverage.md; resumes where it stopped
	$(BIN)/python -m benchmarks.coverage_table

real-models: $(STAMP) ## trained networks of other packages, converted and checked: docs/real-models.md; resumes where it stopped
	$(BIN)/python -m benchmarks.real_models

backends: $(STAMP) ## four networks in every engine on this machine: docs/backends.md
	$(BIN)/python -m benchmarks.backends_report

docs: $(STAMP) ## the reference pages and the README's figures, from the program and the benchmarks' files
	$(BIN)/python -m benchmarks.reference
	$(BIN)/python -m benchmarks.headline

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
