# Perron. `make help` lists the targets.
# Sources are found by wildcard: a new file in an existing folder needs no edit here.
# O=DIR builds elsewhere, CC=clang builds with clang, V=1 shows every command, T=SECONDS sets the time of each fuzz target.

O        ?= build
CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
CLANG    ?= clang
PY       ?= /usr/bin/python3
T        ?= 60
CSTD     := -std=c17 -D_GNU_SOURCE
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wno-missing-field-initializers
OPT      ?= -O2 -g -fno-omit-frame-pointer
HARDEN   ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2
SAN      ?=
CFLAGS   += $(CSTD) $(WARN) $(OPT) $(HARDEN) $(SAN) -fPIE -I.
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SAN)
# Another OpenSSL than the system's, by the folder it was installed into.
OPENSSL  ?=
ifneq ($(OPENSSL),)
CFLAGS   += -I$(OPENSSL)/include
LDFLAGS  += $(foreach d,$(wildcard $(OPENSSL)/lib $(OPENSSL)/lib64),-L$(d) -Wl,-rpath,$(d))
endif
LDLIBS   := -lssl -lcrypto -lpsl -lidn2 -lhs -lcares -lnftables -ljansson -lseccomp -lsqlite3 -lnghttp2

prefix   ?= /usr
sbindir  ?= $(prefix)/sbin
mandir   ?= $(prefix)/share/man
docdir   ?= $(prefix)/share/doc/perron
unitdir  ?= /lib/systemd/system

# As many jobs as processors, unless the caller said otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
Q        := $(if $(V),,@)
say       = $(if $(V),,@echo "  $(1)  $(2)";)

LIB_SRC   := $(wildcard gw/base/*.c gw/ipc/*.c gw/net/*.c gw/tls/*.c gw/http/*.c gw/flow/*.c gw/proc/*.c \
               gw/siem/*.c gw/portal/*.c gw/inspect/*.c gw/ident/*.c policy/*.c certs/*.c signatures/*.c)
CTL_SRC   := $(wildcard gw/ctl/*.c)
BENCH_SRC := $(wildcard bench/*.c)
LIB_OBJ   := $(LIB_SRC:%.c=$(O)/%.o)
CTL_OBJ   := $(O)/gw/ctl.o $(CTL_SRC:%.c=$(O)/%.o)
BENCH_OBJ := $(BENCH_SRC:%.c=$(O)/%.o)
BINS      := $(O)/perrond $(O)/perronctl $(O)/perron-bench

UNIT_ALL  := $(shell find tests/unit -name '*.c' 2>/dev/null | sort)
UNIT_SRC  := $(filter %_t.c,$(UNIT_ALL))
UNIT_HELP := $(patsubst %.c,$(O)/%.o,$(filter-out %_t.c,$(UNIT_ALL)))
UNITS     := $(UNIT_SRC:%.c=$(O)/%)
FUZZ_SRC  := $(shell find tests/fuzz -name '*_fuzz.c' 2>/dev/null | sort)
FUZZERS   := $(FUZZ_SRC:%.c=$(O)/%)
REPLAYS   := $(FUZZ_SRC:%_fuzz.c=$(O)/%_replay)
NET_TOOLS := $(patsubst %.c,$(O)/%,$(wildcard tests/net/*.c))
RUN       := $(PY) tests/tools/run.py --build $(O)

# Seconds for one test program under a sanitizer, which makes it up to ten times slower.
SLOW_S    := 600
# gcc warns of variables that only its sanitizers make look unset.
SAN_OPT   := -O1 -g -fno-omit-frame-pointer -Wno-maybe-uninitialized
ASAN_ARGS := O=$(O)/asan SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined" OPT="$(SAN_OPT)" HARDEN=
TSAN_ARGS := O=$(O)/tsan SAN="-fsanitize=thread" OPT="$(SAN_OPT)" HARDEN=
FUZZ_ARGS := O=$(O)/fuzz CC=$(CLANG) SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined" \
             OPT="-O1 -g -fno-omit-frame-pointer" HARDEN=
COVER_ARGS := O=$(O)/cover SAN="--coverage" OPT="-O0 -g -Wno-maybe-uninitialized" HARDEN=

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

.PHONY: all
all: $(BINS)  ## build perrond, perronctl and perron-bench into build/ (the default)

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' Makefile

# ---- objects, library, programs

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC   ,$<)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(O)/libperron.a: $(LIB_OBJ)
	$(call say,AR   ,$@)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(O)/perrond: $(O)/gw/main.o $(O)/libperron.a
	$(call say,LINK ,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS)

$(O)/perronctl: $(CTL_OBJ) $(O)/libperron.a
	$(call say,LINK ,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS)

$(O)/perron-bench: $(BENCH_OBJ) $(O)/libperron.a
	$(call say,LINK ,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS) -lm

# ---- unit tests: tests/unit/gw/tls/hello_t.c -> build/tests/unit/gw/tls/hello_t

$(O)/tests/unit/%_t: $(O)/tests/unit/%_t.o $(UNIT_HELP) $(O)/libperron.a
	$(call say,LINK ,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@ -lcmocka $(LDLIBS) -lm

.PHONY: units
units: $(UNITS)

.PHONY: unit
unit:  ## unit and policy tests (under a minute)
	+$(Q)$(MAKE) --no-print-directory units all
	$(Q)$(RUN) unit tools

# ---- tests in network namespaces, with real programs

$(O)/tests/net/%: $(O)/tests/net/%.o $(O)/libperron.a
	$(call say,LINK ,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS) -lpthread

# A perrond whose workers do not wait out their deadlines.
$(O)/tests/net/perrond_hurried: $(O)/gw/main.o $(O)/tests/net/hurried/clock.o $(O)/libperron.a
	$(call say,LINK ,$@)
	$(Q)$(CC) $(LDFLAGS) -Wl,--wrap=epoll_wait -Wl,--wrap=clock_gettime $^ -o $@ $(LDLIBS)

.PHONY: net-tools
net-tools: $(NET_TOOLS) $(O)/tests/net/perrond_hurried

.PHONY: net
net:  ## tests in network namespaces with real servers and clients (needs root)
	+$(Q)$(MAKE) --no-print-directory all net-tools
	$(Q)$(RUN) net

.PHONY: clients
clients:  ## real clients and testssl.sh against the gateway (needs root; installs 300 MB; 4 minutes)
	$(Q)sh tests/tools/deps.sh --say build test clients
	+$(Q)$(MAKE) --no-print-directory all
	$(Q)$(RUN) clients

# ---- everything

.PHONY: test
test:  ## install what tests need, build, run all tests; last line: N passed, N failed, N skipped
	+$(Q)$(MAKE) --no-print-directory test-deps
	+$(Q)$(MAKE) --no-print-directory all units net-tools
	+$(Q)$(MAKE) --no-print-directory $(ASAN_ARGS) replays
	$(Q)$(RUN) unit tools replay net

# ---- packages

.PHONY: deps
deps:  ## install the Debian packages that the build needs
	$(Q)sh tests/tools/deps.sh build

.PHONY: test-deps
test-deps:  ## install the Debian packages that tests, lint, bench and demo need
	$(Q)sh tests/tools/deps.sh build test

# ---- sanitizers and fuzzing

.PHONY: asan
asan:  ## unit tests and fuzz corpora under address and undefined sanitizers
	+$(Q)$(MAKE) --no-print-directory $(ASAN_ARGS) units replays all
	$(Q)$(PY) tests/tools/run.py --build $(O)/asan --replays $(O)/asan --limit $(SLOW_S) unit replay

.PHONY: tsan
tsan:  ## unit tests under the thread sanitizer
	+$(Q)$(MAKE) --no-print-directory $(TSAN_ARGS) units all
	$(Q)setarch -R $(PY) tests/tools/run.py --build $(O)/tsan --limit $(SLOW_S) unit

$(O)/tests/fuzz/%_fuzz: $(O)/tests/fuzz/%_fuzz.o $(O)/libperron.a
	$(call say,LINK ,$@)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer $^ -o $@ $(LDLIBS)

$(O)/tests/fuzz/%_replay: $(O)/tests/fuzz/%_fuzz.o $(O)/tests/fuzz/replay.o $(O)/libperron.a
	$(call say,LINK ,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS)

.PHONY: fuzzers replays
fuzzers: $(FUZZERS)
replays: $(REPLAYS)

.PHONY: fuzz
fuzz:  ## each fuzz target for 60 s under sanitizers (T=3600 for an hour, ONLY=NAME for one)
	+$(Q)$(MAKE) --no-print-directory $(FUZZ_ARGS) fuzzers
	$(Q)$(PY) tests/tools/fuzz.py --build $(O)/fuzz --seconds $(T) $(ONLY)

SAMPLE ?= 100
SEED   ?= 1
.PHONY: mutate
mutate:  ## how many changed tokens of the evaluator and the checker unit tests notice (SAMPLE=100 SEED=1)
	+$(Q)$(MAKE) --no-print-directory units
	$(Q)for s in decide check reach trial; do $(PY) tests/tools/mutate.py --build $(O) --cc "$(CC) $(CSTD) -O1 -fPIE -I." \
	    --libs "$(LDLIBS)" --help-objects "$(UNIT_HELP)" --sample $(SAMPLE) --seed $(SEED) $$s || exit 1; done

.PHONY: cover
cover:  ## line coverage; fails where a parser is under 85 %
	+$(Q)$(MAKE) --no-print-directory $(COVER_ARGS) units replays all
	$(Q)$(PY) tests/tools/cover.py --build $(O)/cover

# ---- reading the code

TIDY_SRC := $(LIB_SRC) gw/main.c gw/ctl.c $(CTL_SRC) $(BENCH_SRC)
TIDIED   := $(TIDY_SRC:%.c=$(O)/lint/%.tidy)
ALONE    := $(patsubst %.h,$(O)/lint/%.alone,$(shell find gw policy certs signatures bench tests -name '*.h' | sort))

.PHONY: lint
lint:  ## layers, lengths, banned functions, headers alone, clang-tidy, cppcheck, shellcheck, man pages
	+$(Q)$(MAKE) --no-print-directory --keep-going lint-house lint-headers lint-scripts lint-cppcheck lint-tidy

.PHONY: lint-house lint-tidy lint-headers lint-cppcheck lint-scripts
lint-house:
	$(call say,CHECK,rules of the house)
	$(Q)$(PY) tests/lint/house.py
lint-tidy: $(TIDIED)
lint-headers: $(ALONE)

$(O)/lint/%.tidy: %.c $(O)/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY ,$<)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(CSTD) -I. 2>$@.err || { cat $@.err; exit 1; }
	@touch $@

# A header compiles alone, twice in a row.
$(O)/lint/%.alone: %.h
	@mkdir -p $(@D)
	$(Q)printf '#include "$<"\n#include "$<"\n' | $(CC) $(CSTD) $(WARN) -I. -x c -fsyntax-only -MMD -MP -MF $@.d -MT $@ -
	@touch $@

lint-cppcheck:
	$(call say,CHECK,cppcheck)
	$(Q)mkdir -p $(O)/lint/cppcheck
	$(Q)cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 -j2 -I. \
	    --suppressions-list=tests/lint/cppcheck.txt --cppcheck-build-dir=$(O)/lint/cppcheck \
	    -D_GNU_SOURCE -D__linux__ $(TIDY_SRC)

lint-scripts:
	$(call say,CHECK,scripts and man pages)
	$(Q)shellcheck .ci/run $$(find tests debian -name '*.sh' -o -name '*.test' 2>/dev/null)
	$(Q)mandoc -Tlint -W warning gw/man/*.[58]
	$(Q)$(PY) -m py_compile $$(find tests -name '*.py')

FORMATTED = $$(find gw policy certs signatures bench tests -name '*.c' -o -name '*.h')

.PHONY: format
format:  ## clang-format all sources
	$(Q)clang-format -i $(FORMATTED)

.PHONY: format-check
format-check:  ## say which sources are not formatted
	$(Q)clang-format --dry-run -Werror $(FORMATTED)

# ---- measuring, showing, documents

.PHONY: bench
bench:  ## compare with HAProxy in namespaces (needs root)
	$(Q)sh tests/tools/deps.sh build bench
	+$(Q)$(MAKE) --no-print-directory all
	$(Q)sh tests/tools/as-root.sh $(O)/perron-bench all

.PHONY: demo
demo:  ## seven stories on three network namespaces (needs root; says what it downloads)
	$(Q)sh tests/tools/deps.sh --say build demo
	+$(Q)$(MAKE) --no-print-directory all
	$(Q)sh tests/tools/as-root.sh $(PY) tests/demo/demo.py --build $(O)

.PHONY: demo-shell
demo-shell:  ## the same, then a shell in a client's namespace and a proxy address for your browser
	$(Q)sh tests/tools/deps.sh --say build demo
	+$(Q)$(MAKE) --no-print-directory all
	$(Q)sh tests/tools/as-root.sh $(PY) tests/demo/demo.py --build $(O) --shell

.PHONY: docs
docs:  ## man pages as HTML, tables and the state diagram, into build/docs
	$(Q)$(PY) tests/tools/docs.py --out $(O)/docs

.PHONY: compdb
compdb:  ## compile_commands.json for editors and clangd
	$(Q)$(PY) tests/tools/compdb.py "$(CC) $(CFLAGS)" $(TIDY_SRC) $(UNIT_ALL) $(FUZZ_SRC) > compile_commands.json

.PHONY: tags
tags:  ## ctags
	$(Q)ctags -R gw policy certs signatures bench tests

.PHONY: install
install: all  ## install programs, man pages and the unit file (DESTDIR, prefix); starts nothing
	install -D -m 755 $(O)/perrond $(DESTDIR)$(sbindir)/perrond
	install -D -m 755 $(O)/perronctl $(DESTDIR)$(sbindir)/perronctl
	install -D -m 755 $(O)/perron-bench $(DESTDIR)$(sbindir)/perron-bench
	install -D -m 644 gw/man/perrond.8 $(DESTDIR)$(mandir)/man8/perrond.8
	install -D -m 644 gw/man/perronctl.8 $(DESTDIR)$(mandir)/man8/perronctl.8
	install -D -m 644 gw/man/perron.policy.5 $(DESTDIR)$(mandir)/man5/perron.policy.5
	install -D -m 644 policy/starter.policy $(DESTDIR)$(docdir)/starter.policy
	install -D -m 644 -t $(DESTDIR)$(docdir)/examples policy/examples/*.policy
	install -D -m 644 -t $(DESTDIR)$(docdir)/examples/lists policy/examples/lists/*.txt
	for list in policy/lists/*.txt; do install -D -m 644 $$list $(DESTDIR)$(docdir)/lists/$${list##*/} || exit 1; done
	install -D -m 644 debian/perron.service $(DESTDIR)$(unitdir)/perron.service

.PHONY: clean
clean:  ## remove build/, tags and compile_commands.json
	rm -rf $(O) tags compile_commands.json

-include $(LIB_OBJ:.o=.d) $(BENCH_OBJ:.o=.d) $(CTL_OBJ:.o=.d) $(O)/gw/main.d $(UNITS:%=%.d) $(UNIT_HELP:.o=.d) \
         $(FUZZERS:%=%.d) $(O)/tests/fuzz/replay.d $(NET_TOOLS:%=%.d) $(ALONE:%=%.d)
