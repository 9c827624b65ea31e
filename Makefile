# `make demo` shows the job done on a video; `make test` runs the tests. Each makes .venv if it is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow lint bench pictures scenes clean

demo: $(STAMP)
	$(BIN)/python examples/demo.py

# In two processes; a file's tests stay together for what they share, and in order: the longest are not last.
test: $(STAMP) lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m "slow"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	$(BIN)/python tests/benchmarks/pipeline.py
	$(BIN)/python tests/benchmarks/marks.py
	$(BIN)/python tests/benchmarks/watches.py
	$(BIN)/python tests/benchmarks/boundary.py
	$(BIN)/python tests/benchmarks/live_sessions.py --seconds 60
	$(BIN)/python tests/benchmarks/everything.py
	$(BIN)/python tests/benchmarks/everything_pipeline.py
	$(BIN)/python tests/benchmarks/segmenters.py
	$(BIN)/python kernels/bench/run.py
	$(BIN)/python kernels/bench/run.py --memory

pictures: $(STAMP)
	$(BIN)/python examples/pictures.py
	$(BIN)/python examples/marks_page.py

scenes: $(STAMP)
	$(BIN)/python examples/scenes/generate.py shell_game --seed 3 -o out/scenes

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "som-agent needs Python 3.11 or newer; set PYTHON=python3.12, for example")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) out
