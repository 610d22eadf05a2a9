# Makefile -- builds, tests and installs Springtide. `make help` lists the targets.
#
# Settings:  BUILD=dir   where everything goes (default build)
#            SAN=1       address and undefined-behaviour sanitizers, in $(BUILD)/san
#            DEVICE=cpu  device that the tests in tests/device run on
#            PREFIX= DESTDIR=  for install; CC= CFLAGS= LDFLAGS= as everywhere
#            TIDE_NO_INSTALL=1  print the command for missing packages and stop

BUILD   ?= build
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
DEVICE  ?= cpu
VERSION := $(shell sed -n 's/^\#define TD_VERSION *"\(.*\)"/\1/p' tensor/tensor.h 2>/dev/null)

# HEADLESS and SAN are separate builds in folders of their own.
B := $(BUILD)$(if $(HEADLESS),/headless)$(if $(SAN),/san)
export BUILD B DEVICE HEADLESS SAN PREFIX DESTDIR

# The set-up finds the packages once and leaves their flags and ISAS in config.mk.
QUIET_GOALS := help clean format size check uninstall demo test bench docs headless
ifneq ($(filter-out $(QUIET_GOALS),$(or $(MAKECMDGOALS),all)),)
include $(B)/config.mk
endif

# ---- sources ----------------------------------------------------------------
ISA_SRC   := $(wildcard tensor/cpu_*.c nn/cpu_*.c)
CORE_SRC  := $(filter-out $(ISA_SRC),$(wildcard tensor/*.c tensor/ops/*.c nn/*.c nn/ops/*.c))
PLOT_SRC  := $(wildcard vm/plot*.c)
DRAW_SRC  := $(if $(PLOT_SRC),$(shell grep -lE '^ *\# *include *<(cairo|pango|SDL)' $(PLOT_SRC)))
PLOT_SRC  := $(if $(HEADLESS),$(filter-out $(DRAW_SRC),$(PLOT_SRC)),$(PLOT_SRC))
LUA_SRC   := $(wildcard lua/*.c)
VM_SRC    := $(filter-out $(wildcard vm/plot*.c),$(wildcard vm/*.c))
EMBEDDED  := $(wildcard lua/tide/*.lua lua/tide/*/*.lua lua/tide/*/*/*.lua)
TEST_SRC  := $(wildcard tests/none/*.c tests/device/*.c)

objects    = $(patsubst %.c,$B/obj/%.o,$1)
CORE_OBJ  := $(call objects,$(CORE_SRC)) $(foreach i,$(ISAS),$(ISA_SRC:%.c=$B/obj/%.$i.o))
MODULE_OBJ:= $(CORE_OBJ) $(call objects,$(LUA_SRC) $(PLOT_SRC)) $B/obj/lua_embed.o
TIDE_OBJ  := $(MODULE_OBJ) $(call objects,$(VM_SRC))
TEST_BIN  := $(TEST_SRC:%.c=$B/%)

# ---- flags ------------------------------------------------------------------
SANITIZE   = -fsanitize=address,undefined -fno-sanitize-recover=all
WARN       = -Wall -Wextra
ALLCFLAGS  = -std=gnu11 $(WARN) -MMD -MP -fPIC -fno-semantic-interposition -pthread -I. $(DEP_CFLAGS) \
             $(CFLAGS) $(if $(HEADLESS),-DTD_HEADLESS) $(if $(SAN),-O1 -fno-omit-frame-pointer $(SANITIZE))
ALLLDFLAGS = -pthread $(LDFLAGS) $(if $(SAN),$(SANITIZE))
ISAFLAGS   = -O3 -fno-math-errno -fno-trapping-math
FLAGS_base =
FLAGS_v3   = -march=x86-64-v3
FLAGS_v4   = -march=x86-64-v4 -mprefer-vector-width=512
EXACT      = -ffp-contract=off
# Rewrites file $1 with text $2 when they differ: what depends on it is then rebuilt.
remember   = $(shell mkdir -p $(dir $1); echo '$2' | cmp -s - $1 || echo '$2' >$1)
ifdef ISAS
$(call remember,$B/gen/flags,$(CC) $(ALLCFLAGS) $(ISAFLAGS))
$(call remember,$B/gen/objects,$(ALLLDFLAGS) $(TIDE_OBJ))
$(call remember,$B/gen/embedded,$(EMBEDDED))
endif

# ---- build ------------------------------------------------------------------
all: $B/tide $(if $(HEADLESS)$(SAN),,$B/tide.so) ## build $(BUILD)/tide and the Lua module $(BUILD)/tide.so

$B/config.mk: .make/setup.sh
	@CC='$(CC)' sh .make/setup.sh $(if $(HEADLESS),headless,build) $@

$B/tide: $(TIDE_OBJ) $B/gen/objects .make/program.list
	$(CC) $(ALLLDFLAGS) -Wl,--dynamic-list=.make/program.list -o $@ $(TIDE_OBJ) $(TIDE_LIBS) $(MODULE_LIBS) $(CORE_LIBS)

$B/tide.so: $(MODULE_OBJ) $B/gen/objects .make/module.map
	$(CC) $(ALLLDFLAGS) -shared -Wl,--version-script=.make/module.map -o $@ $(MODULE_OBJ) $(MODULE_LIBS) $(CORE_LIBS)

$B/obj/%.o: %.c $B/gen/flags
	@mkdir -p $(@D)
	$(CC) $(ALLCFLAGS) -c -o $@ $<

define isa_rule
$B/obj/%.$1.o: %.c $B/gen/flags
	@mkdir -p $$(@D)
	$(CC) $(ALLCFLAGS) $(ISAFLAGS) $(FLAGS_$1) $$(if $$(findstring random,$$*),$(EXACT)) -DTD_ISA=$1 -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$i)))

$B/gen/lua_embed.S: $(EMBEDDED) $B/gen/embedded .make/embed.sh
	sh .make/embed.sh $(EMBEDDED) >$@

$B/obj/lua_embed.o: $B/gen/lua_embed.S
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

$B/tests/%: $B/obj/tests/%.o $(CORE_OBJ) $B/gen/objects
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $< $(CORE_OBJ) $(CORE_LIBS)

tests: $(TEST_BIN)

.PHONY: all tests
.SECONDARY:
-include $(TIDE_OBJ:.o=.d) $(TEST_SRC:%.c=$B/obj/%.d)
