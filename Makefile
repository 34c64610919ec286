# Every target creates or refreshes .venv from pyproject.toml when needed; none needs activation.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    := _build
PORT   ?= 8000
# What make stress goes through.
SEEDS   ?= 0 1 2 3 4
THREADS ?= 1 2
PAGES   ?=
TESTS   ?= tests
SPHINX := $(BIN)/python -m sphinx --keep-going --nitpicky -j auto
# $(call build,BUILDER,FOLDER): a failed build forgets what it read, or the next one would pass in silence.
build   = $(SPHINX) --fail-on-warning -d $(OUT)/doctrees -b $(1) . $(2) || { rm -f $(OUT)/doctrees/environment.pickle; exit 1; }
PIP    := $(BIN)/python -m pip install
# $(call install,EXTRA): CI installs the very files of constraints.txt; everybody else gets pyproject.toml's ranges.
install = $(if $(CI),$(PIP) --require-hashes --requirement constraints.txt && \
  $(PIP) --no-deps --no-build-isolation --editable .,$(PIP) --editable '.[$(1)]')
# Where PyTorch without CUDA is found: CI and constraints.txt know no other.
CPU_INDEX ?= https://download.pytorch.org/whl/cpu
# One thread everywhere: two torch threads on a busy two-core machine are far slower than one.
export OMP_NUM_THREADS := 1
export PYTHONDONTWRITEBYTECODE := 1
# As they were typed, and read from the environment: make would expand a $(shell …), the shell a $$(…).
override ARTICLE := $(value ARTICLE)
override TITLE := $(value TITLE)
export ARTICLE TITLE

.DEFAULT_GOAL := help
# how many mutants of each article, and which ones: make mutants SAMPLE=50 SEED=1
SAMPLE ?= 12
SEED   ?= 0
.PHONY: help html live doctest test coverage mutants notebooks stress lint bench rerun permalinks links lock oldest dist pdf epub new clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

html: $(VENV)/.docs ## build the site into _build/html
	$(call build,html,$(OUT)/stage)
	@# only a build without a fault replaces the one that readers have
	@rm -rf $(OUT)/next && cp -Rp $(OUT)/stage $(OUT)/next && rm -f $(OUT)/next/.buildinfo.bak
	@rm -rf $(OUT)/html && mv $(OUT)/next $(OUT)/html
	@echo "Open $(OUT)/html/index.html"

live: $(VENV)/.docs ## build, serve on 127.0.0.1:$(PORT) and rebuild at every save
	$(BIN)/python -m _ext.live --host 127.0.0.1 --port $(PORT) \
	  --re-ignore '/(_build/(?!live/figures\.drawn$$)|\.[a-z_]+/|__pycache__/)' --keep-going --nitpicky \
	  -d $(OUT)/live/doctrees . $(OUT)/live/html

doctest: $(VENV)/.test ## run every code example of every page and compare its output
	$(call build,doctest,$(OUT)/doctest)

test: $(VENV)/.test html doctest ## run every check: the site, the pages' doctests, pytest
	$(BIN)/python -m pytest

notebooks: $(VENV)/.test html ## run every article's notebook; make test runs one of each category
	NOTEBOOKS=all $(BIN)/python -m pytest -m notebook

stress: $(VENV)/.test html ## doctests and tests for all SEEDS and THREADS, under load; PAGES and TESTS choose a part
	SEEDS='$(SEEDS)' THREADS='$(THREADS)' PAGES='$(PAGES)' TESTS='$(TESTS)' $(BIN)/python tests/stress.py

coverage: $(VENV)/.test ## name every line and branch of snippets/ that no test or example runs
	rm -rf $(OUT)/coverage
	@# what the examples print is judged by `make doctest`: here some are too slow for their time-outs
	-$(BIN)/coverage run -m sphinx -j auto -b doctest -d $(OUT)/coverage/doctrees . $(OUT)/coverage/doctest
	-$(BIN)/coverage run -m pytest --ignore tests/site
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutants: $(VENV)/.test ## break the snippets in many places, one at a time: does a test or example notice?
	$(call build,dummy,$(OUT)/dummy -q)
	$(BIN)/python tests/mutants.py --sample $(SAMPLE) --seed $(SEED)  # of ARTICLE, if it names one

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

links: $(VENV)/.docs ## ask every external link, over the network, whether it still answers
	$(SPHINX) -d $(OUT)/doctrees -b linkcheck . $(OUT)/links

lock: $(VENV)/.lock ## pin all dependencies by version and hash; UPGRADE=--upgrade takes the newest
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-annotate --custom-compile-command 'make lock' --quiet $(UPGRADE) \
	  --extra-index-url $(CPU_INDEX) --index-strategy unsafe-best-match --output-file constraints.txt

oldest: $(VENV)/.lock ## list the oldest versions allowed; PIP_CONSTRAINT=_build/oldest.txt make test takes them
	$(BIN)/uv pip compile pyproject.toml --python $(BIN)/python --resolution lowest-direct --extra test \
	  --no-annotate --no-header --quiet --output-file $(OUT)/oldest.txt

dist: html ## pack the site into one zip that works wherever it is unpacked
	$(BIN)/python -c 'import shutil; shutil.make_archive("$(OUT)/notes-that-run", "zip", "$(OUT)/html")'

pdf: html $(VENV)/.books ## print the site as one PDF; needs Chromium and a Chinese font
	$(BIN)/python -m _ext.pdf

epub: html $(VENV)/.books ## pack the site as an EPUB; needs a Chinese font
	$(BIN)/python -m _ext.epub

new: $(VENV)/.docs ## make new ARTICLE=nlp/bert TITLE=...: page, module and test of a new article
	$(BIN)/python -m _ext.new_article  # ARTICLE, called TITLE

clean: ## remove what a build made; keeps .venv
	rm -rf $(OUT)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("Python 3.11, 3.12 or 3.13 is required, got %d.%d: choose one with make PYTHON=python3.13" % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.docs $(VENV)/.books $(VENV)/.test $(VENV)/.lint $(VENV)/.lock: $(VENV)/.%: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(call install,$*)
	@touch $@
