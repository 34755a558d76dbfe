# Two commands: `make run` and `make test`. Both install what they need into .venv first.

PYTHON ?= python3
CORES  ?= $(shell getconf _NPROCESSORS_ONLN)
ARGS   ?=

VENV      := .venv
INSTALLED := $(VENV)/.installed
CLUSTERED := $(VENV)/.slurm
BIN       := $(VENV)/bin
PIP       := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Attention of texts is captured in C: where no compiler is installed, a package brings one.
EXTRAS := $(shell { command -v cc || command -v gcc || command -v clang; } >/dev/null && echo dev || echo dev,compiler)

.PHONY: run setup setup-slurm test test-slow test-slurm check tiny calibrate docs bench clean

run: setup  ## the default study, or any other: make run ARGS="--config study=steering"
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores $(CORES) $(ARGS)
	@echo "Open the report: results/<study>/report/index.html, newest: $$(ls -t results/*/report/index.html | head -1)"

setup: $(INSTALLED)  ## just create .venv

# Debian's python3 may come without ensurepip: then the system's pip fills the environment.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"attnpipe needs Python 3.11 or newer, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.11 …")'
	@test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 \
	  || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet -c constraints.txt pip; }
	@echo "installing into $(VENV) …"
	@$(PIP) pip setuptools
	@$(PIP) --no-build-isolation -e '.[$(EXTRAS)]'
	@touch $@

test: setup  ## all fast tests
	$(BIN)/python -m pytest -n $(CORES) -m "not slow and not cluster" $(ARGS)

test-slow: setup  ## downloads, long trainings, fuzzing
	$(BIN)/python -m pytest -m slow $(ARGS)

setup-slurm: $(CLUSTERED)  ## what profiles/slurm needs, too

$(CLUSTERED): $(INSTALLED)
	@$(PIP) --no-build-isolation -e '.[$(EXTRAS),slurm]'
	@touch $@

# Installs Debian's SLURM and starts two nodes on this host; where it cannot, it says why.
test-slurm: setup-slurm  ## a study and its faults on a real cluster
	$(BIN)/python -m tests.slurm.cluster around 500 \
	  $(BIN)/python -m pytest -n 5 --dist loadfile -m cluster tests/slurm $(ARGS)

check: setup  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Every stage once, on the real data, at sizes that say nothing.
TINY := name=tiny seeds=[7,42] training.epochs=3 training.windows_per_epoch=256 \
        training.validation_windows=128 data.evaluation_stride=48 \
        ~models.mlp_flat ~models.lstm_medium_additive ~models.lstm_medium_simple

tiny: setup  ## a study of a minute
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores $(CORES) --config overrides='$(TINY)'

# ARGS=--anew: without the verdicts and effects that are stored in tests/calibration.
calibrate: setup  ## error rates of verdicts on tasks of known answer: hours, resumable
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.calibration.train $(ARGS)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.calibration.published
	$(BIN)/python -m tests.calibration.sweep $(ARGS)
	$(BIN)/python -m tests.calibration.tabulate $(ARGS)
	$(BIN)/python -m tests.calibration.page

docs: setup  ## write the generated pages
	$(BIN)/python -m attnpipe docs

bench: setup  ## limits; the default study must be finished
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/measure.py --check
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/jobs.py --check
	$(BIN)/python benchmarks/skill.py --check
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores $(CORES) --config study=steering
	$(BIN)/python benchmarks/skill.py study=steering --check
	$(BIN)/python benchmarks/capture.py --check
	$(BIN)/python benchmarks/scale.py plan execute report --check

clean:  ## remove the environment and caches, never results
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .snakemake/grimp
