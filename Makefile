# The one vocabulary: make demo, make test, make check, make bench. Each sets up what it needs.
# TORCH=cpu takes the CPU build of torch instead of the one a Linux user gets from PyPI (3 GB smaller).
UV := $(shell command -v uv || echo .tools/bin/uv)
TORCH ?=
RUN := .venv/bin/

.PHONY: setup demo test check bench constraints clean
setup: .venv/.ready

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv

.venv/.ready: pyproject.toml constraints.txt $(filter .tools/%,$(UV))
	test -x .venv/bin/python || $(UV) venv --quiet --python '>=3.11,<3.14' .venv
	$(UV) pip install --quiet --python .venv/bin/python $(if $(TORCH),--torch-backend=$(TORCH)) -c constraints.txt -e '.[training,dev]'
	touch $@

demo: setup
	$(RUN)cid demo

test: setup
	$(RUN)pytest -n 2 --dist worksteal --cov=containerid --cov-branch --cov-report=term:skip-covered --cov-fail-under=90

check: setup
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)lint-imports
	$(RUN)deptry .

bench: setup
	$(RUN)python -m benchmarks

constraints: .venv/.ready
	$(UV) pip compile pyproject.toml --quiet --universal --all-extras --upgrade --no-annotate --no-header -o constraints.txt

clean:
	rm -rf .venv .tools dist
