# make run   sets everything up on a fresh machine and serves
# make test  sets up and runs every check and test; make test-fast leaves out servers and browsers

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 4
CONFIG := $(wildcard config.toml)
PLAYER_SOURCES := $(shell find player -path player/node_modules -prune -o -path player/dist -prune -o -path player/tests -prune -o -type f -print)

# What Python compiles is kept, whatever the environment says: else each server that a test starts compiles it all again
export PYTHONDONTWRITEBYTECODE :=

# One file's tests go to one worker, for they share servers. Files go out in the order of their folders (contract, e2e,
# integration, unit), not the largest first: what waits for servers begins early, and tests of a moment fill the end.
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: run setup player test test-fast lint types player-checks unit bench soak openapi clean debian-packages

run: setup
	@exec $(BIN)/sluice serve $(if $(CONFIG),--config $(CONFIG))

setup: $(VENV)/.ready player/dist/index.html

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sluice needs Python 3.11 or newer; set PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.ready: $(VENV)/.created requirements.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

player/node_modules/.ready: player/package.json player/package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "Sluice's player is built with Node 20 or newer" >&2; exit 1; }
	cd player && npm ci --no-audit --no-fund --silent
	@touch $@

player/dist/index.html: player/node_modules/.ready $(PLAYER_SOURCES)
	cd player && npm run --silent build
	@touch $@

player: player/dist/index.html

tests/clients/node_modules/.ready: tests/clients/package.json tests/clients/package-lock.json
	cd tests/clients && npm ci --no-audit --no-fund --silent
	@touch $@

# The SDK for Python with its own tests, which only the source distribution has
APIVIDEO_SDK := 1.4.7
tests/clients/python/.ready: $(VENV)/.ready-dev
	@mkdir -p $(@D)
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest $(@D) api.video==$(APIVIDEO_SDK)
	tar -xzf $(@D)/api.video-$(APIVIDEO_SDK).tar.gz -C $(@D)
	@touch $@

# A generator of clients, in an environment of its own: it has other versions of what our tools have
tests/clients/python/generator/.ready: tests/clients/generator-requirements.txt
	@mkdir -p $(dir $(@D))
	@$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Publishers and browsers that the tests use as they come from Debian
debian-packages:
	@sh tests/debian-packages.sh

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check server tests

# Beside mypy, which has one thread, the tests are compiled, whose rewritten assertions take long: else each of the
# workers would do that for itself, at the same time. What is wrong with them is said when they are run.
types: $(VENV)/.ready-dev
	@$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 & $(BIN)/mypy; types=$$?; wait; exit $$types

player-checks: player/node_modules/.ready
	cd player && npm run --silent check && npm run --silent lint && npm test --silent

# Most tests wait for real time to pass, so several run at once; browsers, whose pictures must come in time, run alone
test: setup $(VENV)/.ready-dev tests/clients/node_modules/.ready tests/clients/python/.ready tests/clients/python/generator/.ready debian-packages lint types player-checks
	@$(BIN)/pytest $(PARALLEL) -m "not browser"; first=$$?; \
	$(BIN)/pytest -m browser && exit $$first

test-fast: $(VENV)/.ready-dev lint types
	$(BIN)/pytest $(PARALLEL) -m "not server and not browser"

# Writes down what the OpenAPI document says, which a test compares
openapi: setup $(VENV)/.ready-dev
	$(BIN)/python -m tests.contract.outline

# make bench ARGS="density latency --quick"
bench: setup $(VENV)/.ready-dev tests/clients/node_modules/.ready debian-packages
	$(BIN)/python -m tests.bench $(ARGS)

# make soak ARGS="live --minutes 5", make soak ARGS="crashes --rounds 50"
soak: setup $(VENV)/.ready-dev debian-packages
	$(BIN)/python -m tests.soak $(ARGS)

clean:
	rm -rf $(VENV) player/node_modules player/dist tests/clients/node_modules tests/clients/python
