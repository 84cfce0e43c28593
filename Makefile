# The one vocabulary: make demo, make test, make check, make bench. Each sets up what it needs.
# TORCH=cpu takes the CPU build of torch instead of the one a Linux user gets from PyPI (3 GB smaller).
UV := $(shell command -v uv || echo .tools/bin/uv)
TORCH ?=
RUN := .venv/bin/
LIGHT := tests/config tests/runs tests/test_console.py tests/test_cli.py tests/test_git_snapshot.py tests/test_treeid.py \
  tests/kaggle/test_api.py tests/kaggle/test_kernel.py tests/kaggle/test_bootstrap_run.py

.PHONY: setup demo test interpreters check bench reference constraints clean
setup: .venv/.ready

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv

.venv/.ready: pyproject.toml constraints.txt $(filter .tools/%,$(UV))
	test -x .venv/bin/python || $(UV) venv --quiet --python '>=3.11,<3.14' .venv
	$(UV) pip install --quiet --python .venv/bin/python $(if $(TORCH),--torch-backend=$(TORCH)) -c constraints.txt -e '.[training,timm,dev]'
	touch $@

demo: setup
	$(RUN)cid demo

test: setup
	$(RUN)pytest -n 2 --dist worksteal -m "not kills" --cov --cov-report=term:skip-covered --cov-fail-under=90
	$(RUN)pytest -n 2 --dist worksteal -m kills
	$(MAKE) interpreters

# The light core and the bootstrap on every other Python that is found.
interpreters: setup
	@for version in 3.12 3.13; do \
	  python=$$($(UV) python find --no-python-downloads --no-project $$version 2>/dev/null) || { echo "python $$version: not found, not tested"; continue; }; \
	  echo "python $$version: the light core"; \
	  test -x .venv-$$version/bin/python || $(UV) venv --quiet --python $$python .venv-$$version; \
	  $(UV) pip install --quiet --python .venv-$$version/bin/python -c constraints.txt . pytest hypothesis ruff; \
	  .venv-$$version/bin/python -m pytest -m "not training and not kills" $(LIGHT) || exit 1; \
	done

check: setup
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)lint-imports
	$(RUN)deptry .

bench: setup
	$(RUN)python -m benchmarks

# docs/reference.md, from the commands themselves.
reference: setup
	$(RUN)typer containerid.cli utils docs --name cid --title "Command reference" --output docs/reference.md

constraints: .venv/.ready
	$(UV) pip compile pyproject.toml --quiet --universal --all-extras --upgrade --no-annotate --no-header -o constraints.txt

clean:
	rm -rf .venv .venv-* .tools dist
