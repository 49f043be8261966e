# Two commands matter: `make demo` and `make test`. Both install what they need.
PYTHON ?= python3
BIN := .venv/bin
LABEL_STUDIO := label-studio==1.23.2
LABEL_STUDIO_ML := label-studio-ml==1.0.9 redis rq

.PHONY: demo test check format environments clean

demo: environments
	$(BIN)/python -m backend.demo

test: environments .venv/dev .venv-label-studio-ml/installed
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
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[graph-cut]'
	@touch $@

.venv/dev: .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[dev]'
	@touch $@

.venv-label-studio/installed:
	$(PYTHON) -m venv .venv-label-studio
	.venv-label-studio/bin/python -m pip install --disable-pip-version-check --progress-bar off '$(LABEL_STUDIO)'
	@touch $@

# Its old Flask in front, everything else borrowed from the project's environment.
.venv-label-studio-ml/installed: .venv/dev
	$(PYTHON) -m venv .venv-label-studio-ml
	.venv-label-studio-ml/bin/python -m pip install --disable-pip-version-check --progress-bar off $(LABEL_STUDIO_ML)
	.venv-label-studio-ml/bin/python -m pip install --disable-pip-version-check --progress-bar off --no-deps -e .
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > \
	  "$$(.venv-label-studio-ml/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/borrowed.pth"
	@touch $@

clean:
	rm -rf .venv .venv-label-studio .venv-label-studio-ml .demo build *.egg-info
