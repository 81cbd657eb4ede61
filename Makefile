# Every verb sets up what it needs. `make` alone lists them.
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $$p && break; done)
BIN    := .venv/bin
PRESET ?= laptop
DEVICE ?= cpu
JOBS   ?= 2
# One thread a process: two processes side by side are faster than one with two threads.
export OMP_NUM_THREADS ?= 1
# Huge pages for large tensors: fewer page faults a step.
export THP_MEM_ALLOC_ENABLE ?= 1

.PHONY: help setup reproduce reevaluate retrain test lint book print notebooks data verify linkcheck weekly clean
help:
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.venv/.installed: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or 3.12 found. Install one, or: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

setup: .venv/.installed ## virtual environment in .venv with the pinned packages

reproduce: setup ## everything once, in minutes: train a little, evaluate shipped weights, every table, figure, page
	$(BIN)/python -m hamrepro reproduce
	$(BIN)/doit -n $(JOBS) reproduce
	@echo "Open _build/reproduce/_build/html/index.html"

reevaluate: setup ## every shipped model scored again, compared with its record
	$(BIN)/python -m hamrepro reevaluate

retrain: setup ## every model of every table from scratch; PRESET=laptop|fast|paper, DEVICE=cpu|cuda, resumable
	$(BIN)/python -m hamrepro retrain --preset $(PRESET) --device $(DEVICE)

test: setup ## unit, property and doc tests, and every notebook against its committed output
	$(BIN)/pytest --nbval -n auto --maxprocesses 4

lint: setup ## ruff
	$(BIN)/ruff check .

book: setup ## the book from the committed notebooks, warnings are errors
	rm -rf _build/html _build/.doctrees
	$(BIN)/jupyter-book build book/ -W -n --keep-going
	@echo "Open _build/html/index.html"

print: setup ## the whole book on one page, to print it or keep it as a PDF from the browser
	rm -rf _build/print
	$(BIN)/jupyter-book build book/ --builder singlehtml --path-output _build/print -W -n --keep-going
	@echo "Open _build/print/_build/singlehtml/00_start.html and print it"

notebooks: setup ## re-execute every chapter whose source, code or records changed, in place
	$(BIN)/doit -n $(JOBS) notebooks

data: setup ## fetch and check the LPC sheets
	$(BIN)/python -m hamrepro data fetch sprites
	$(BIN)/python -m hamrepro data check sprites

verify: setup ## the scorecard: every printed number of the paper beside ours
	$(BIN)/python -m hamrepro verify

linkcheck: setup ## every link of the book, inside and outside; needs the network
	$(BIN)/jupyter-book build book/ --builder linkcheck

weekly: data reproduce reevaluate linkcheck ## everything again from scratch, and every link: what CI does on Mondays
	@test -z "$$(git status --porcelain)" || { git status --short; echo "The checkout changed."; exit 1; }

clean: ## remove what the verbs made, but not .venv, runs or data
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .doit.db*
