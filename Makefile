# Every command of the project. `make` alone lists them.
# A fresh machine needs Python 3.11 or newer with pip, and make; everything else goes into .venv.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --constraint constraints.txt --editable
LEAN := $(VENV)/.installed-lean
FULL := $(VENV)/.installed-full

# The first interpreter that is new enough; `make PYTHON=/path/to/python3.12 install` overrides it.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= countersign:$(VERSION)
CORPUS ?=
SIGNATURES ?=
PROTOS := $(sort $(wildcard proto/verify/v1/*.proto))
BENCH_FLAGS ?= --quick

# Scoring multiplies small matrices: threads for those only compete with each other.
export OPENBLAS_NUM_THREADS := 1

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo install test lint format bench audit-dependencies sbom reproduce-chopra2005 reproduce-bromley1993 corpus-named image proto constraints upgrade clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(LEAN) ## enroll and verify over gRPC, then evaluate; CORPUS=att:DIR, SIGNATURES=svc2004:DIR take real samples
	$(BIN)/countersign demo $(if $(CORPUS),--corpus "$(CORPUS)") $(if $(SIGNATURES),--signatures "$(SIGNATURES)")

install: $(FULL) ## make .venv with everything: serving, evaluation, training, tests

test: $(FULL) lint ## check everything: linters, types, import contracts, wire contract, tests
	$(BIN)/python -m pytest

lint: $(FULL) ## check style, types, import contracts and the wire contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint proto

format: $(FULL) ## rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(FULL) ## run every benchmark in minutes, and write bench-out/benchmarks.md and .json; BENCH_FLAGS= for the long runs
	$(BIN)/python benchmarks/run_all.py $(BENCH_FLAGS)

audit-dependencies: $(FULL) ## ask for advisories against constraints.txt; what could not be asked about is told and fails
	$(BIN)/python deploy/audit_dependencies.py $(AUDIT_FLAGS)

sbom: $(FULL) ## write sbom.cdx.json, the bill of materials of the serving image
	$(BIN)/python deploy/sbom.py --out sbom.cdx.json

reproduce-chopra2005: corpus-named $(FULL) ## train and test the 2005 paper's network: CORPUS=att:DIR
	$(BIN)/countersign reproduce chopra2005 --corpus "$(CORPUS)"

reproduce-bromley1993: EXAMPLE = svc2004:/path/to/svc2004
reproduce-bromley1993: corpus-named $(FULL) ## train and test the 1993 paper's network: CORPUS=svc2004:DIR
	$(BIN)/countersign reproduce bromley1993 --corpus "$(CORPUS)"

EXAMPLE = att:/path/to/att_faces
corpus-named:
	@test -n "$(CORPUS)" || { echo "name the corpus: make $(MAKECMDGOALS) CORPUS=$(EXAMPLE)" >&2; exit 2; }

image: ## build the serving image with docker, podman or buildah; IMAGE=name:tag
	deploy/build-image.sh "$(IMAGE)"

proto: $(FULL) ## regenerate verify/v1 from proto/
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. --grpc_python_out=. $(PROTOS)

# Left out: what torch itself pins per platform (CUDA, triton) and the installer's own parts.
constraints: $(FULL) ## write constraints.txt from what .venv holds
	{ sed -n '/^[^#]/q; p' constraints.txt; $(PIP) freeze --exclude-editable | \
		grep -viE '^(nvidia-|cuda-|triton=|pip=|setuptools=|wheel=)' | sed 's/+cpu$$//' | LC_ALL=C sort -f; } > $(VENV)/constraints.txt
	! grep -nE '@|://|^-' $(VENV)/constraints.txt || { echo "a package above came from a path or an address, not from a release" >&2; exit 1; }
	cp $(VENV)/constraints.txt constraints.txt
	@touch $(LEAN) $(FULL)

upgrade: $(FULL) ## take the newest releases into .venv, then write constraints.txt; run `make test` after it
	$(PIP) install --upgrade --upgrade-strategy eager --editable '.[cpu,eval,train,test,audit,otel]'
	$(MAKE) constraints

clean: ## remove .venv, caches and the outputs of runs
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build ./*.egg-info demo-out bench-out

# Stamps: an environment is installed again only when its declaration changes.
$(FULL): pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) '.[cpu,eval,train,test,audit,otel]'
	@touch $(LEAN) $@

$(LEAN): pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) '.[cpu,eval]'
	@touch $@

# Debian keeps ensurepip in python3-venv; where only python3-pip is there, that pip fills the environment.
$(BIN)/pip:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Countersign needs Python 3.11 or newer; found none. Install it (Debian: apt-get install python3 python3-pip)," \
			"or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@if "$(PYTHON)" -c 'import ensurepip' 2>/dev/null; then \
		"$(PYTHON)" -m venv $(VENV); \
	elif "$(PYTHON)" -m pip --version >/dev/null 2>&1; then \
		"$(PYTHON)" -m venv --without-pip $(VENV) && "$(PYTHON)" -m pip --python $(BIN)/python install pip; \
	else \
		echo "$(PYTHON) has neither pip nor ensurepip. Debian: apt-get install python3-pip python3-venv" >&2; exit 1; \
	fi
