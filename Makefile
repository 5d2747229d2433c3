# Every target that a person may type has a comment after "##": `make` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
# Processes that run tests side by side, a file at a time.
WORKERS ?= 2
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc 2>/dev/null || echo 2)

EXAMPLE := Write a function `count_vowels(text)` that counts the vowels in a text

.PHONY: help setup run test check format unit test-soak test-editors test-hostile vsix bench bench-canonical bench-editor bench-eval bench-export bench-infilling bench-published bench-serving bench-train bench-tui bench-verify gpu-check docs starter freeze clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

# The engine alone is enough to run; torch and the tools come with `setup`.
$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -c constraints.txt -e '.[local]'
	@touch $@

# torch first and by its exact version: a newer one may bring gigabytes that nothing here needs.
$(VENV)/.setup: $(VENV)/.run
	$(PIP) install -q torch==2.13.0
	$(PIP) install -q -c constraints.txt -e '.[local,train,dev]'
	@touch $@

setup: $(VENV)/.setup ## install everything (all extras) in .venv

run: $(VENV)/.run ## open the assistant (without a terminal: answer one example request)
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/assistant; else $(BIN)/assistant ask '$(EXAMPLE)'; fi

test: check unit ## everything that has to pass: lint, types, import contracts, tests

check: $(VENV)/.setup ## lint, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Real vocabularies and the converter come with the engine's source release; without a network their tests skip.
$(VENV)/.vocabularies: $(VENV)/.setup tests/support/vocabularies.py
	@if $(BIN)/python -m tests.support.vocabularies $(VENV)/vocabularies; then touch $@; else echo "the real vocabularies could not be fetched: their tests skip" >&2; fi

unit: $(VENV)/.setup $(VENV)/.vocabularies
	ASSISTANT_TEST_VOCAB=$${ASSISTANT_TEST_VOCAB:-$(CURDIR)/$(VENV)/vocabularies/ggml-vocab-llama-bpe.gguf} $(BIN)/python -m pytest -m 'not soak' -n $(WORKERS) --dist loadfile $(ARGS)

format: $(VENV)/.setup ## format the sources
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

test-soak: $(VENV)/.setup ## fuzzing and kill tests with larger counts (long)
	ASSISTANT_SOAK=1 $(BIN)/python -m pytest --timeout 3600 $(ARGS)

test-editors: $(VENV)/.setup ## drive a real VS Code and a real Neovim (fetched into out/editors where they are missing)
	ASSISTANT_FETCH_EDITORS=1 $(BIN)/python -m pytest tests/editors -rs $(ARGS)

vsix: ## pack the extension for VS Code (needs Node 20.15 or newer and npm)
	cd lsp/clients/vscode && npm ci --ignore-scripts --no-audit --no-fund && npm run package

test-hostile: $(VENV)/.setup ## every hostile program in every sandbox layer, ten times, with a core kept busy
	$(BIN)/python -m tests.hostile --runs 10 --busy $(ARGS)

bench: $(VENV)/.setup ## measure start-up, time to first token and tokens a second
	$(BIN)/python -m tests.bench $(ARGS)

bench-tui: $(VENV)/.setup ## measure what the terminal interface costs while an answer streams
	$(BIN)/python -m tests.bench.tui $(ARGS)

bench-editor: $(VENV)/.setup ## measure what an editor waits for: ghost text, cancel, start-up, the server's own share
	$(BIN)/python -m tests.bench.editor $(ARGS)

bench-infilling: $(VENV)/.setup ## hold the filters of suggestions to HumanEval's infilling tasks
	$(BIN)/python -m tests.bench.infilling $(ARGS)

bench-eval: $(VENV)/.setup ## judge the same samples as evalplus 0.3.1 (installs it under out/): tasks a second, verdicts
	$(BIN)/python -m tests.bench.eval $(ARGS)

bench-verify: $(VENV)/.setup ## measure how long the verdict on a small function takes, beyond a bare Python
	$(BIN)/python -m tests.bench.verify $(ARGS)

bench-published: $(VENV)/.setup ## hold our verdicts to the published ones, task by task
	$(BIN)/python -m tests.bench.published $(ARGS)

bench-train: $(VENV)/.setup ## measure tuning beside TRL (installs it under out/): tokens a second, memory; ARGS=--gpu: 8B
	$(BIN)/python -m tests.bench.training $(ARGS)

bench-export: $(VENV)/.setup ## measure adapter to GGUF at 8B size beside peft and llama.cpp (49 GB of disk; ARGS="--layers 2")
	$(BIN)/python -m tests.bench.export $(ARGS)

bench-canonical: $(VENV)/.setup ## judge every published solution: all have to pass
	$(BIN)/python -m tests.bench.canonical $(ARGS)

bench-serving: $(VENV)/.setup ## measure the daemon beside llama-server and llama-bench (builds both, writes models: 8 GB)
	$(BIN)/python -m tests.bench.serving $(ARGS)

docs: $(VENV)/.run ## write the generated parts of README.md again
	$(BIN)/python docs/readme_parts.py

gpu-check: $(VENV)/.setup ## repeat the tests that matter on this machine's card (three minutes)
	$(BIN)/python -m training.gpu_check $(ARGS)

starter: $(VENV)/.setup ## train, export and install the embedded model again (about an hour)
	$(BIN)/assistant train starter --out out/starter --resume $(ARGS)

freeze: ## write constraints.txt from what is installed
	@{ head -1 constraints.txt; $(PIP) freeze --exclude-editable | grep -v '@ file' | sed 's/+cpu//'; } > constraints.new && mv constraints.new constraints.txt

clean: ## remove the environment and every build product
	rm -rf $(VENV) build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
