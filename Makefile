# Two commands matter: `make demo` and `make test`. All of them install what they need.
PYTHON ?= python3
# Otherwise each command that the tests run would compile all files again.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
# Python compiles what it imports; most of what is installed never is.
INSTALL := -m pip install --no-compile --disable-pip-version-check --progress-bar off
LABEL_STUDIO := label-studio==1.23.2
LABEL_STUDIO_ML := label-studio-ml==1.0.9 redis rq

.PHONY: demo test test-unit check format docs reference lock release-check environments clean

demo: environments
	$(BIN)/python -m backend.demo

test:
	@$(MAKE) --no-print-directory -j2 check .venv-label-studio/database .venv/compiled .venv-label-studio-ml/installed
	$(BIN)/python -m pytest -n auto --dist worksteal tests/unit tests/parity
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/e2e

# Without Label Studio, a browser, and what takes long.
test-unit: .venv/dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" tests/unit

# What `.pre-commit-config.yaml` runs as well.
check: .venv/dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# The pages that are made of the code; a test compares them.
reference: .venv/dev
	$(BIN)/python -m backend.reference settings --out docs/reference/settings.md
	$(BIN)/python -m backend.reference cli --out docs/reference/cli.md

# The packages of the image, with the hashes of their files.
lock: .venv/dev
	PATH="$(abspath $(BIN)):$$PATH" .ci/packages/lock.sh

# Into build/docs; a warning is an error.
docs: .venv/docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs

# Wheel and sdist into build/release, and the wheel in a fresh environment.
release-check: .venv/dev
	rm -rf build/release
	$(BIN)/python -m build --outdir build/release
	$(PYTHON) -m venv build/release/environment
	build/release/environment/bin/python $(INSTALL) build/release/*.whl
	cd build/release && environment/bin/mfp --version
	cd build/release && environment/bin/mfp segment ../../backend/demo/photos/coffee.jpg --click 300,200,+ --out mask.png

# The project's own environment and Label Studio's, which pins hundreds of packages, side by side.
environments:
	@$(MAKE) --no-print-directory -j2 .venv/installed .venv-label-studio/database

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python $(INSTALL) -e '.[graph-cut]'
	@touch $@

.venv/dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python $(INSTALL) -e '.[dev]'
	@touch .venv/installed $@

# What the tests import, compiled beside mypy. Otherwise each of their processes would do it for
# itself, all at a time. What cannot be imported is told by the tests.
.venv/compiled: .venv/dev
	-@$(BIN)/python -m pytest --collect-only -qq >/dev/null 2>&1
	@touch $@

.venv/docs: .venv/installed
	$(BIN)/python $(INSTALL) -e '.[docs]'
	@touch $@

.venv-label-studio/installed:
	$(PYTHON) -m venv .venv-label-studio
	.venv-label-studio/bin/python $(INSTALL) '$(LABEL_STUDIO)'
	@touch $@

# Its tables without a row, which each first start copies: making them takes half a minute.
.venv-label-studio/database: .venv-label-studio/installed
	rm -rf $@
	cd .venv-label-studio/lib/python*/site-packages/label_studio && \
	  LABEL_STUDIO_BASE_DATA_DIR="$(abspath $@).made" COLLECT_ANALYTICS=false SENTRY_DSN= \
	  LATEST_VERSION_CHECK=false ../../../../bin/python manage.py migrate -v 0
	mv $@.made $@

# Its old Flask in front, everything else borrowed from the project's environment.
.venv-label-studio-ml/installed: .venv/dev
	$(PYTHON) -m venv .venv-label-studio-ml
	.venv-label-studio-ml/bin/python $(INSTALL) $(LABEL_STUDIO_ML)
	.venv-label-studio-ml/bin/python $(INSTALL) --no-deps -e .
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > \
	  "$$(.venv-label-studio-ml/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/borrowed.pth"
	@touch $@

clean:
	rm -rf .venv .venv-label-studio .venv-label-studio-ml .demo build *.egg-info
