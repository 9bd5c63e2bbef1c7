# Every target installs first what it needs: git, make, and any Node >= 20 with npm are enough.
SHELL := /bin/sh
ARGS ?=
file ?=
function ?=
m ?=
PG ?=
TO ?= .
bin := $(CURDIR)/node_modules/.bin
export PATH := $(bin):$(PATH)
filter = $(file) $(if $(function),-t '$(function)')

.PHONY: demo simulate test utest itest run bench drill fuzz deb check format targets migrations install python

install:
	@sh src/install.sh

demo: install
	@src/launch.sh demo $(ARGS)

# make simulate ARGS="--days 2 --organisations 5 --objects 40 --seeds 200 --faults all": days of a KAT in virtual time (docs/simulation.md).
simulate: install
	@src/launch.sh simulate $(ARGS)

test: install
	@vitest run $(filter)

utest: install
	@vitest run --project utest $(filter)

# On another major of Postgres, 14 to 18: make itest PG=15
itest: install
	@PG=$(PG) vitest run --project itest $(filter)

run: install
	@src/launch.sh start $(ARGS)

bench: install
	@node bench/main.ts $(ARGS)

# make drill ARGS="--only postgres-killed --json": what breaks, and which guarantee with it (docs/guarantees.md).
drill: install
	@node test/drill/main.ts $(ARGS)

# make fuzz ARGS="--requests 100000 --seed 1": what hostile input does, and the input itself (docs/fuzzing.md).
fuzz: install
	@node test/fuzz/main.ts $(ARGS)

# rota_<version>_<architecture>.deb, beside this file (docs/debian.md). make deb ARGS=-Znone TO=/tmp: larger, built in seconds, there.
deb: install
	@packaging/debian/build.sh $(TO) $(ARGS)

check: install
	@tsc --noEmit
	@oxlint --type-aware
	@oxfmt --check

format: install
	@oxfmt

# How large and how entangled src is, beside its limits and goals (CONTRIBUTING.md).
targets: install
	@node test/support/targets.ts

# The wheel of clients/python, with any Python >= 3.10 that has pip: clients/python/dist.
python:
	@rm -f clients/python/dist/*.whl
	@$${PYTHON:-python3} -m pip wheel --quiet --no-deps --wheel-dir clients/python/dist clients/python
	@ls clients/python/dist/*.whl

# make migrations m="add_x": the next number, an empty file.
migrations: install
	@test -n "$(m)" || { echo 'say what it does: make migrations m="add_x"' >&2; exit 64; }
	@last=$$(ls sql/migrations | sed -n 's/^\([0-9]*\)_.*/\1/p' | sort -n | tail -1); \
	next=$$(printf '%04d' $$(expr $$last + 1)); \
	file="sql/migrations/$${next}_$(m).sql"; \
	echo "-- Why: " > "$$file"; echo "$$file"
