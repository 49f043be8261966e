# Two commands matter: `make demo` and `make test`. Both install what they need.
PYTHON ?= python3
BIN := .venv/bin
LABEL_STUDIO := label-studio==1.23.2

.PHONY: demo test check format environments clean

demo: environments
	$(BIN)/python -m backend.demo

test: environments .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

check: .venv/dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# The project's own environment and Label Studio's, which pins hundreds of packages, side by side.
environments:
	@$(MAKE) --no-print-directory -j2 .venv/installed .venv-label-studio/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e .
	@touch $@

.venv/dev: .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[dev]'
	@touch $@

.venv-label-studio/installed:
	$(PYTHON) -m venv .venv-label-studio
	.venv-label-studio/bin/python -m pip install --disable-pip-version-check --progress-bar off '$(LABEL_STUDIO)'
	@touch $@

clean:
	rm -rf .venv .venv-label-studio .demo build *.egg-info
