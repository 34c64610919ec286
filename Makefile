# Every target creates or refreshes .venv from pyproject.toml when needed; none needs activation.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    := _build
PORT   ?= 8000
SPHINX := $(BIN)/python -m sphinx --keep-going --nitpicky -j auto
# $(call build,BUILDER,FOLDER): a failed build forgets what it read, or the next one would pass in silence.
build   = $(SPHINX) --fail-on-warning -d $(OUT)/doctrees -b $(1) . $(2) || { rm -f $(OUT)/doctrees/environment.pickle; exit 1; }
# CI installs the exact versions of constraints.txt; everybody else gets pyproject.toml's ranges.
PIP    := $(BIN)/python -m pip install $(if $(CI),--constraint constraints.txt)
# One thread everywhere: two torch threads on a busy two-core machine are far slower than one.
export OMP_NUM_THREADS := 1
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help html live doctest test lint bench rerun permalinks dist new clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

html: $(VENV)/.docs ## build the site into _build/html
	$(call build,html,$(OUT)/stage)
	@# only a build without a fault replaces the one that readers have
	@rm -rf $(OUT)/next && cp -Rp $(OUT)/stage $(OUT)/next && rm -rf $(OUT)/html && mv $(OUT)/next $(OUT)/html
	@echo "Open $(OUT)/html/index.html"

live: $(VENV)/.docs ## build, serve on 127.0.0.1:$(PORT) and rebuild at every save
	$(BIN)/python -m _ext.live --host 127.0.0.1 --port $(PORT) \
	  --re-ignore '/(_build|\.[a-z_]+|__pycache__)/' --keep-going --nitpicky \
	  -d $(OUT)/live/doctrees . $(OUT)/live/html

doctest: $(VENV)/.test ## run every code example of every page and compare its output
	$(call build,doctest,$(OUT)/doctest)

test: $(VENV)/.test html doctest ## run every check: the site, the pages' doctests, pytest
	$(BIN)/python -m pytest

lint: $(VENV)/.lint ## ruff, mypy, spelling and Chinese copy rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell $$(git ls-files '*.md' '*.py' '*.toml' '*.yaml' '*.yml' '*.css' '*.html' Makefile)
	$(BIN)/python -m _ext.copy_rules $$(git ls-files '*.md')

bench: $(VENV)/.test ## time the snippets against the libraries a reader would pick instead
	$(BIN)/python -m benchmarks

rerun: $(VENV)/.test ## repeat every recorded experiment and rewrite its record
	$(BIN)/python -m snippets.common.records

permalinks: $(VENV)/.docs ## add the addresses of all pages and anchors to permalinks.txt, to be kept
	$(call build,dummy,$(OUT)/dummy -q -D permalinks_update=1)

dist: html ## pack the site into one zip that works wherever it is unpacked
	$(BIN)/python -c 'import shutil; shutil.make_archive("$(OUT)/notes-that-run", "zip", "$(OUT)/html")'

new: $(VENV)/.docs ## make new ARTICLE=nlp/bert TITLE=...: page, module and test of a new article
	$(BIN)/python -m _ext.new_article  # reads ARTICLE and TITLE from the environment

clean: ## remove what a build made; keeps .venv
	rm -rf $(OUT)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("Python 3.11, 3.12 or 3.13 is required, got %d.%d: choose one with make PYTHON=python3.13" % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.docs $(VENV)/.test $(VENV)/.lint: $(VENV)/.%: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[$*]'
	@touch $@
