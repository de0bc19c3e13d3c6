# Perron. `make help` lists the targets.
O        ?= build
CC       ?= gcc
CLANG    ?= clang
CSTD     := -std=c17 -D_GNU_SOURCE
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wno-missing-field-initializers
OPT      ?= -O2 -g -fno-omit-frame-pointer
HARDEN   ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
SAN      ?=
CFLAGS   += $(CSTD) $(WARN) $(OPT) $(HARDEN) $(SAN) -I.
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SAN)
LDLIBS   := -lssl -lcrypto -lpsl -lcares -lnftables -ljansson

LIB_SRC  := $(wildcard gw/base/*.c gw/ipc/*.c gw/net/*.c gw/tls/*.c gw/http/*.c gw/flow/*.c gw/proc/*.c \
              gw/siem/*.c gw/portal/*.c gw/inspect/*.c gw/ident/*.c policy/*.c certs/*.c signatures/*.c)
BIN_SRC  := gw/main.c gw/ctl.c
CTL_SRC  := $(wildcard gw/ctl/*.c)
BENCH_SRC := $(wildcard bench/*.c)
LIB_OBJ  := $(LIB_SRC:%.c=$(O)/%.o)
BENCH_OBJ := $(BENCH_SRC:%.c=$(O)/%.o)
BINS     := $(O)/perrond $(O)/perronctl $(O)/perron-bench

UNIT_SRC := $(shell find tests/unit -name '*_t.c' 2>/dev/null)
UNITS    := $(UNIT_SRC:%.c=$(O)/%)
FUZZ_SRC := $(shell find tests/fuzz -name '*_fuzz.c' 2>/dev/null)

.PHONY: all
all: $(BINS)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(O)/libperron.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(O)/perrond: $(O)/gw/main.o $(O)/libperron.a
	$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS)

$(O)/perronctl: $(O)/gw/ctl.o $(CTL_SRC:%.c=$(O)/%.o) $(O)/libperron.a
	$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS)

$(O)/perron-bench: $(BENCH_OBJ) $(O)/libperron.a
	$(CC) $(LDFLAGS) $^ -o $@ $(LDLIBS) -lm

# ---- unit tests: tests/unit/gw/tls/hello_t.c -> build/tests/unit/gw/tls/hello_t
$(O)/tests/unit/%_t: $(O)/tests/unit/%_t.o $(O)/libperron.a
	$(CC) $(LDFLAGS) $^ -o $@ -lcmocka $(LDLIBS)

-include $(LIB_OBJ:.o=.d) $(BENCH_OBJ:.o=.d) $(O)/gw/main.d $(O)/gw/ctl.d
