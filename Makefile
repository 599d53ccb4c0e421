# make heat   the main job on the Earth's map, in four precisions
# make test   every check that CI runs
# make bench  the measurements of benchmarks/, kept in benchmarks/results/
# make soak   random runs with faults for MINUTES
# make nightly   the long forms: two hours of soak, ranks killed KILLS times for each app, a thousand flipped solves,
#                100,000 damaged files, 100,000 that a fuzzer makes, jobs that go back into the queue, every case on 1 and 8 ranks
#
# Both make .venv first. It is made again only when pyproject.toml changes: until then nothing uses the network.

PYTHON ?= python3
RANKS ?= 8
WORKERS ?= 2
MINUTES ?= 5
SEED ?= 0
KILLS ?= 50
INPUTS ?= 10000
VENV := .venv
BIN := $(VENV)/bin
MPIRUN := $(BIN)/mpirun

# The files that mark tests `ranks` run under mpirun with each of these rank counts.
RANK_COUNTS := 1 2 3 8
# `unit` has run every case on one rank, and eight share two cores: there, one case in so many.
ONE_CASE_IN ?= 4
RANK_TESTS = $(shell grep -rlE --include='test_*.py' 'mark\.ranks' tests --exclude-dir=apps --exclude-dir=structure)

PYTEST := $(BIN)/python -m pytest -q -rs

.DELETE_ON_ERROR:
.PHONY: heat test bench soak nightly clean format lint types structure doctest unit jobs ranks apps

heat: $(VENV)/.run-installed
	$(MPIRUN) -n $(RANKS) $(BIN)/python -m mpsolve.apps.heat --config configs/earth.toml --sweep fp64,fp32,bf16,fp16

# Serial, so that `make -j test` neither mixes the output nor shares the cores.
test: $(VENV)/.test-installed
	@set -e; for check in format lint types structure doctest unit jobs ranks apps; do \
	  echo "== $$check"; $(MAKE) --no-print-directory $$check; \
	done

bench: $(VENV)/.run-installed
	$(BIN)/python benchmarks/run.py

soak: $(VENV)/.test-installed
	$(BIN)/python tests/soak/soak.py --minutes $(MINUTES) --seed $(SEED)

nightly: $(VENV)/.test-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=3.0'
	MPSOLVE_SOAK=1 MPSOLVE_KILLS=$(KILLS) MPSOLVE_INJECTIONS=1000 MPSOLVE_INPUTS=$(INPUTS) $(PYTEST) -o timeout=0 \
	  tests/apps/test_kills.py tests/solvers/test_injection.py tests/records/test_hostile_input.py tests/jobs
	$(MAKE) --no-print-directory ranks ONE_CASE_IN=1
	$(BIN)/python tests/soak/fuzz.py --runs $(INPUTS)
	$(MAKE) --no-print-directory soak MINUTES=120

clean:
	rm -rf $(VENV) build src/*.egg-info .pytest_cache .ruff_cache .hypothesis

# The environments. A stamp is written only after pip has succeeded.
$(VENV)/.run-installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mpsolve needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mpich,cpu,report,files]'
	@touch $@

$(VENV)/.test-installed: $(VENV)/.run-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mpich,cpu,report,files,dev]'
	@touch $@

# The checks. One thread a process: ranks and tests already fill the cores.
format lint types structure doctest unit jobs ranks apps: $(VENV)/.test-installed
doctest unit jobs ranks apps structure soak nightly: export OMP_NUM_THREADS := 1
doctest unit jobs ranks apps structure soak nightly: export OPENBLAS_NUM_THREADS := 1
doctest unit jobs ranks apps structure soak nightly: export MKL_NUM_THREADS := 1
doctest unit jobs ranks apps structure soak nightly: export NUMBA_NUM_THREADS := 1

format:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

# Or it would ask the network whether there is a newer version.
types: export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
types:
	$(BIN)/pyright

structure:
	$(PYTEST) tests/structure

doctest:
	$(PYTEST) --doctest-modules --doctest-glob=README.md src README.md

# Files are shared by processes; a file stays in one, with what its tests share.
unit:
	$(PYTEST) --numprocesses $(WORKERS) --dist loadfile tests --ignore=tests/structure --ignore=tests/apps --ignore=tests/jobs

# Eight ranks of a job share the cores already: nothing runs beside them.
jobs:
	$(PYTEST) tests/jobs

# Rank 0 reports; tests/conftest.py silences the others, and ends all ranks with the report of the one that fails.
ranks:
	@set -e; for count in $(RANK_COUNTS); do \
	  echo "mpirun -n $$count pytest -m ranks $(RANK_TESTS)"; \
	  case $$count in 1|8) some=$(ONE_CASE_IN) ;; *) some=1 ;; esac; \
	  MPSOLVE_ONE_CASE_IN=$$some $(MPIRUN) -n $$count $(PYTEST) -p no:cacheprovider -m ranks $(RANK_TESTS); \
	done

apps:
	$(PYTEST) tests/apps
