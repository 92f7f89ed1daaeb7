# Two commands from a machine with Python and make:
#   make demo    the controlled study, in an environment of its own, without PyTorch
#   make test    the whole test suite, with every backend
# `make quick` runs the fast tests that need neither PyTorch nor a process of their own; what takes
# longer is `make fuzz` and `make oldest` (see docs/testing.md).
PYTHON ?= python3
DEMO_ENV := .venv-demo
DEV_ENV := .venv
OLDEST_ENV := .venv-oldest
HOSTED_ENV := .venv-hosted

# Two processes, each with a thread: a file's tests stay together, so that fixtures are made once.
# Bytecode is kept even where the machine says not to: the tests start hundreds of processes, and
# each would compile every module anew.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(DEV_ENV)/bin/python -m pytest -n 2 --dist loadfile

# The pages are tested in a Chromium, which pip cannot install.
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.PHONY: demo test quick check fuzz oldest gpu docs hosted site clean

demo: $(DEMO_ENV)/ready
	$(DEMO_ENV)/bin/idia-index demo --out idia-demo

test: $(DEV_ENV)/ready
ifneq ($(CHROMIUM),)
	$(PYTEST)
else
	@echo "make test: no Chromium here, so the tests of the pages in a browser are LEFT OUT"
	$(PYTEST) -m 'not browser'
endif

quick: $(DEV_ENV)/ready
	$(PYTEST) -m 'not torch and not process and not slow'

# Style, types (on an installed wheel, where the folder mapping is real), dependencies.
check: $(DEV_ENV)/ready
	$(DEV_ENV)/bin/ruff check .
	$(DEV_ENV)/bin/ruff format --check .
	$(DEV_ENV)/bin/python -m pip check
	rm -rf build/wheel && $(DEV_ENV)/bin/python -m pip wheel -q --no-deps -w build/wheel .
	rm -rf build/types && $(DEV_ENV)/bin/python -m pip install -q --no-deps --target build/types build/wheel/*.whl
	cd build/types && ../../$(DEV_ENV)/bin/mypy --config-file ../../pyproject.toml -p idia_index

# Every parser on 100,000 inputs; every index type and an export on 2,000 attacks; every command
# interrupted thirty times.
fuzz: $(DEV_ENV)/ready
	$(DEV_ENV)/bin/python benchmarks/fuzz/fuzz.py --inputs 100000
	$(DEV_ENV)/bin/python benchmarks/fuzz/hostile.py --cases 2000
	$(DEV_ENV)/bin/python benchmarks/fuzz/interrupts.py --rounds 30

# The tests on the oldest versions that setup.cfg claims; Python 3.10 or 3.11, which they have.
oldest:
	$(PYTHON) -m venv $(OLDEST_ENV)
	$(OLDEST_ENV)/bin/python -m pip install -q -c tests/oldest.txt \
		-e '.[export,torch,cpu,report,http]' pytest hypothesis scipy transformers
	$(OLDEST_ENV)/bin/python -m pytest

# Everything about the GPU path, in under eight minutes, on a machine that may be bare (docs/gpu.md):
# make gpu WHEELS=DIR
gpu:
	$(PYTHON) benchmarks/gpu/run.py $(if $(WHEELS),--wheels $(WHEELS))

# The controlled study through a real server of embeddings on 127.0.0.1, against the model here.
hosted: $(DEV_ENV)/ready $(HOSTED_ENV)/ready
	$(DEV_ENV)/bin/python benchmarks/hosted/run.py \
		--server $(HOSTED_ENV)/bin/infinity_emb --work build/hosted

# The parts of the documentation that are made from the program.
docs: $(DEV_ENV)/ready
	$(DEV_ENV)/bin/python docs/make_cli.py > docs/cli.md
	$(DEV_ENV)/bin/python docs/make_schemas.py
	$(DEV_ENV)/bin/python docs/make_drawing.py
	$(DEV_ENV)/bin/python docs/make_catalogue.py

# The documentation as pages, in build/site; a warning is an error.
site: $(DEV_ENV)/ready
	NO_MKDOCS_2_WARNING=1 $(DEV_ENV)/bin/mkdocs build --strict --quiet

# The light install first: demo needs neither PyTorch nor an editable tree.
$(DEMO_ENV)/ready: setup.cfg
	$(PYTHON) -m venv $(DEMO_ENV)
	$(DEMO_ENV)/bin/python -m pip install -q '.[cpu,report]'
	touch $@

$(DEV_ENV)/ready: setup.cfg
	$(PYTHON) -m venv $(DEV_ENV)
	$(DEV_ENV)/bin/python -m pip install -q \
		-e '.[export,torch,cpu,report,photos,members,pandas,http,serve,cluster,dev,docs]'
	touch $@

# infinity needs numpy 1, and versions of its time.
$(HOSTED_ENV)/ready: Makefile
	$(PYTHON) -m venv $(HOSTED_ENV)
	$(HOSTED_ENV)/bin/python -m pip install -q 'infinity-emb[torch,server,vision]==0.0.77' \
		'transformers<4.50' 'optimum<1.25' 'click<8.2' aiohttp
	touch $@

clean:
	rm -rf $(DEMO_ENV) $(DEV_ENV) $(OLDEST_ENV) $(HOSTED_ENV) build idia-demo
