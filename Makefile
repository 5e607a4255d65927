# What a person can do here. Needs Python 3.11 or newer, make and a C compiler; the rest is made in .venv.

PYTHON ?= python3
VENV := .venv/bin
OURS := .[demo,dev]
ALL := .[demo,dev,fuzz]
CLIENTS := $(patsubst tests/clients/%.txt,.venv-clients/%/installed,$(wildcard tests/clients/*.txt))
CORE := _fastpath _matching _scan
# What the compiled modules are called depends on the Python that loads them.
SUFFIX := $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))' 2>/dev/null)
EXTENSIONS := $(CORE:%=gateway/%$(SUFFIX))
PIP := $(VENV)/python -m pip --disable-pip-version-check --quiet
SANITIZED := build/sanitized
SANITIZED_TESTS := tests/differential tests/fuzz tests/store tests/mcp/test_strict_json.py tests/test_fastpath.py
# Forced, both Cython and the compiler, because they look at the .pyx alone and setup.py decides how it is built.
COMPILE := CYTHON_FORCE_REGEN=1 $(VENV)/python setup.py --quiet build_ext --inplace --force

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run demo test coverage check conformance matrix fuzz sanitize storm kills flood load accuracy bench build
.PHONY: clients node attack dist pins clean dashboards grafana-check grafana-preview

help: ## List what make can do
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: build ## Start the demo server and a gateway before it, and say what to try
	$(VENV)/gateway demo up --directory build/demo

demo: build ## Show the gateway at work with the official client, in a table
	$(VENV)/gateway demo tour

test: build clients ## Run the tests
	$(VENV)/python -m pytest

coverage: build clients ## Run the tests and show what they leave out, in the core too
	GATEWAY_CYTHON_TRACE=1 $(COMPILE)
	cp $(CORE:%=build/gateway/%.c) gateway/
	$(VENV)/coverage run -m pytest; status=$$?; $(VENV)/coverage report; \
	  rm $(CORE:%=gateway/%.c) $(EXTENSIONS); exit $$status

check: build ## Format, lint, types, layers, and the compiled core against its stubs
	$(VENV)/ruff format --check
	$(VENV)/ruff check
	PATH=$(VENV):$$PATH cython-lint gateway
	$(VENV)/mypy
	$(VENV)/lint-imports --no-cache --no-logo
	$(VENV)/python -m mypy.stubtest $(CORE:%=gateway.%) --ignore-disjoint-bases \
	  --allowlist tests/stubtest-allowlist.txt
	$(VENV)/python -m grafana.build --check

dashboards: build ## Write dashboards, rules and the page of metrics anew
	$(VENV)/python -m grafana.build

grafana-check: build build/grafana/installed ## Ask a real Prometheus everything that dashboards and rules ask
	$(call debian,promtool,prometheus)
	$(VENV)/python -m tests.grafana.run --install build/grafana

grafana-preview: build ## Draw what the dashboards would show, for the documents
	$(call debian,promtool,prometheus)
	$(call debian,chromium,chromium)
	$(VENV)/python -m tests.grafana.run --preview docs/images

conformance: build node ## Run the official conformance suite with and without the gateway, and compare
	$(VENV)/python -m tests.conformance.run --install build/node --out build/conformance

matrix: build clients node ## Put every official client through the gateway, and show what each can do
	$(VENV)/python -m tests.matrix.run --install build/node-clients --node build/node --out build/matrix

fuzz: build .venv/fuzzer ## Look for inputs that break a claim of fuzz/, for two minutes (SECONDS=120)
	$(VENV)/python -m fuzz.run $(or $(SECONDS),120)

# A copy, so that nothing else ever loads what was built for this. Python's own allocator would hide small overruns,
# and a capture of the descriptors the sanitizer's report.
sanitize: build ## Run the core's tests on a core compiled with AddressSanitizer and UndefinedBehaviorSanitizer
	rm -rf $(SANITIZED)
	mkdir -p $(SANITIZED)
	cp -R gateway tests fuzz setup.py pyproject.toml README.md LICENSE $(SANITIZED)
	rm -f $(SANITIZED)/gateway/*.so
	cd $(SANITIZED) && GATEWAY_SANITIZE=address,undefined $(COMPILE:$(VENV)%=$(CURDIR)/$(VENV)%)
	for module in $(CORE); do grep -q __asan_report $(SANITIZED)/gateway/$$module$(SUFFIX) || exit 1; done
	cd $(SANITIZED) && LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
	  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 PYTHONMALLOC=malloc PYTHONPATH=. \
	  $(CURDIR)/$(VENV)/python -m pytest --capture=sys $(SANITIZED_TESTS)

breakages: build ## Break the gateway on purpose, in copies, and see that the tests notice
	$(VENV)/python tests/breakages/run.py

soak: build clients node ## Ten minutes of mixed traffic (MINUTES=10), and whether anything grew
	$(VENV)/python -m tests.soak.run $(or $(MINUTES),10) --install build/node-clients --node build/node

storm: build ## A thousand reloads under load (RELOADS=1000), and whether each call was judged by one policy
	$(VENV)/python -m tests.storm.run $(or $(RELOADS),1000)

attack: build ## Send every bad input of the catalogue, 1 to 95, and show what came of each in a table
	$(VENV)/python -m tests.attack.run

kills: build ## Kill a gateway under load, two hundred times (KILLS=200), and see that all it did is recorded
	KILLS=$(or $(KILLS),200) $(VENV)/python -m pytest tests/functional/test_journal_crashes.py -k killed

flood: build ## Flood a gateway in five ways (SECONDS=20 each), and what honest agents notice of that
	$(VENV)/python -m tests.flood.run $(or $(SECONDS),20)

load: build ## Locust's agents before a gateway, and whether limits were kept (SCENARIOS="agents streams", SMOKE=1 for a short one)
	$(VENV)/python -m loadtests.run $(if $(SMOKE),--smoke) $(SCENARIOS)

accuracy: build ## Write the page and picture of how exactly limits are kept
	$(VENV)/python -m loadtests.accuracy

bench: build ## Measure the compiled core beside its plain twin, and what the journal and metrics cost
	$(VENV)/python bench/core.py
	$(VENV)/python bench/audit.py
	$(VENV)/python bench/metrics.py

build: .venv/installed $(EXTENSIONS) ## Make the environment and compile the core

clients: $(CLIENTS) ## Make the environments of the client libraries that cannot share ours

node: build/node/installed build/node-clients/installed ## Install what needs Node, and a Node that can run it

dist: build ## Build the source archive and the wheel, and try the wheel in an empty environment
	rm -rf dist build/wheel-trial
	$(VENV)/python -m build --no-isolation
	! tar -tzf dist/*.tar.gz | grep '\.\(c\|so\)$$'
	for module in $(CORE); do tar -tzf dist/*.tar.gz | grep -q "gateway/$$module\.pyx$$" || exit 1; done
	$(PYTHON) -m venv --without-pip build/wheel-trial
	$(PIP) --python build/wheel-trial/bin/python install --constraint constraints.txt dist/*.whl
	build/wheel-trial/bin/python -I -c '$(CORE:%=import gateway.%;)'
	build/wheel-trial/bin/gateway --version

pins: .venv/installed ## Renew every pinned version with what is newest today
	$(call pin,constraints.txt,$(ALL))
	$(call pin,tests/clients/mcp1.txt,mcp==1.30.0)
	$(call pin,tests/clients/fastmcp4.txt,fastmcp==4.1.2)

clean: ## Remove everything that make has made
	rm -rf .venv .venv-clients build dist *.egg-info gateway/*.so .*_cache .hypothesis .coverage

.venv/installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "missing: $(PYTHON). Install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) .ci/preflight.py
	$(PYTHON) -m venv .venv
	$(PIP) install --constraint constraints.txt setuptools cython
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable '$(OURS)'
	touch $@

.venv/fuzzer: constraints.txt | .venv/installed
	$(PIP) install --constraint constraints.txt atheris
	touch $@

# One run compiles all of them.
$(EXTENSIONS) &: $(CORE:%=gateway/%.pyx) setup.py | .venv/installed
	$(COMPILE)

.venv-clients/%/installed: tests/clients/%.txt | .venv/installed
	$(PYTHON) -m venv --without-pip --clear $(@D)
	$(PIP) --python $(@D)/bin/python install --requirement $<
	touch $@

build/node/installed: tests/conformance/package.json
	$(npm)

build/node-clients/installed: tests/clients/package.json
	$(npm)

build/grafana/installed: tests/grafana/package.json
	$(npm)

# Sees that there is a command, from a package of Debian's where it is missing.
define debian
	@command -v $(1) >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2); } || \
	  { echo "missing: $(1). On Debian: apt-get install $(2)" >&2; exit 1; }
endef

# Installs the target's package.json beside it.
define npm
	@command -v npm >/dev/null || { echo "missing: npm. On Debian: apt-get install nodejs npm" >&2; exit 1; }
	mkdir -p $(@D)
	cp $< $(@D)
	npm install --prefix $(@D) --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@
endef

# Writes what an empty environment would get today into a file, under the comment that the file opens with.
define pin
	$(PYTHON) -m venv --without-pip --clear build/pins
	GATEWAY_NO_EXTENSIONS=1 $(PIP) --python build/pins/bin/python install '$(2)'
	{ sed -n '/^#/p' $(1); \
	  $(PIP) --python build/pins/bin/python freeze --all --exclude mcp-policy-gateway; } >build/pins/freeze
	mv build/pins/freeze $(1)
endef
