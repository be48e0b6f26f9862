# Makefile - the commands a user types; the work is done by CMake's presets and the scripts named.
#
#   make            build/armx-user, one static file, and build/armx-system
#   make demo       install, build, show
#   make test       install, build, the fast suite             make test-long   soak and sanitizers
#   make fuzz       each fuzz harness for SECONDS (600)
#   make diff       random blocks in every engine and under QEMU: SEED=1 BLOCKS=100000
#   make golden     the expected host code in tests/golden anew
#   make bench      tables against native and QEMU             make install     into PREFIX
#   make deps       only install what building needs           make hooks       git's pre-commit check
#
# `make test SUITES="unit guest/fp*"` runs a part; JOBS is the number of processors unless told.

JOBS   ?= $(shell nproc)
PREFIX ?= /usr/local
SUITES ?=
SEED   ?= 1
BLOCKS ?= 100000
SECONDS ?= 600
export CMAKE_BUILD_PARALLEL_LEVEL = $(JOBS)

.PHONY: all tests deps demo test test-long diff fuzz golden bench install hooks clean

all:
	cmake --preset default >/dev/null
	cmake --build --preset default --target armx-user armx-system

tests:
	cmake --preset default >/dev/null
	cmake --build --preset default $(if $(MAKE_TERMOUT),,-- --quiet)

deps:
	bash tests/tools/deps.sh build

demo:
	bash tests/tools/deps.sh demo
	$(MAKE) all
	bash tests/tools/demo.sh

test:
	bash tests/tools/deps.sh test
	$(MAKE) tests
	bash tests/run -j $(JOBS) $(SUITES)

test-long:
	bash tests/tools/deps.sh long
	$(MAKE) tests
	bash tests/run -l -j $(JOBS) $(SUITES)

fuzz:
	bash tests/tools/deps.sh fuzz
	bash tests/fuzz/run $(SECONDS)

diff:
	bash tests/tools/deps.sh test
	$(MAKE) tests
	bash tests/diff/run -r tests/diff/rows.txt -s $(SEED) -n $(BLOCKS)

golden:
	$(MAKE) tests
	bash tests/golden/run -u base
	bash tests/golden/run -u full

bench:
	bash tests/tools/deps.sh bench
	$(MAKE) tests
	bash bench/run

install: all
	install -D -m 755 build/armx-user $(DESTDIR)$(PREFIX)/bin/armx-user
	install -D -m 755 build/armx-system $(DESTDIR)$(PREFIX)/bin/armx-system

hooks:
	git config core.hooksPath .githooks

clean:
	rm -rf build build-debug build-clang build-asan build-tsan build-fuzz
