# Makefile -- builds, tests and installs Springtide; `make help` lists the targets.
#
# Settings: BUILD=dir (default build), V=1 shows commands, CC CFLAGS LDFLAGS as everywhere,
#   SAN=1      address and undefined-behaviour sanitizers, built in $(BUILD)/san
#   HEADLESS=1 no figures through cairo, no readline, static libraries, in $(BUILD)/headless
#   DEVICE=cpu device for tests/device; T=word only tests whose path has the word
#   PEERS=python BENCH="--only toy,paper" for bench: see the head of tests/bench/run.lua
#   TIDE_NO_INSTALL=1 prints the command for missing packages and stops

BUILD   ?= build
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
DEVICE  ?= cpu
B       := $(BUILD)$(if $(HEADLESS),/headless)$(if $(SAN),/san)
MAKEFLAGS := $(if $(MAKELEVEL:0=),,-j$(shell nproc 2>/dev/null || echo 2))
.DEFAULT_GOAL := all

# The set-up runs once: it finds or installs packages and leaves flags and ISAS in config.mk.
NO_BUILD := help demo-images clean format size uninstall headless fuzz gpu-check gpu-pack
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
include $B/config.mk
endif
$B/config.mk: .make/setup.sh
	@CC='$(CC)' sh .make/setup.sh $(if $(HEADLESS),headless,build) $@
$B/test-tools: .make/setup.sh
	@CC='$(CC)' sh .make/setup.sh test $@

# ---- sources and objects ----
ISA_SRC   := $(wildcard tensor/cpu_*.c nn/cpu_*.c)
CORE_SRC  := $(filter-out $(ISA_SRC),$(wildcard tensor/*.c tensor/ops/*.c nn/*.c nn/ops/*.c))
PLOT_SRC  := $(wildcard vm/plot*.c)
DRAW_SRC  := $(if $(PLOT_SRC),$(shell grep -lE '^ *\# *include *(<(cairo|pango|SDL|gif_lib)|"vm/plot_draw.h")' $(PLOT_SRC)))
MODULE_SRC:= $(wildcard lua/*.c) $(filter-out $(if $(HEADLESS),$(DRAW_SRC)),$(PLOT_SRC))
VM_SRC    := $(filter-out $(PLOT_SRC),$(wildcard vm/*.c))
EMBEDDED  := $(wildcard lua/tide/*.lua lua/tide/*/*.lua lua/tide/*/*/*.lua)
TEST_SRC  := $(wildcard tests/none/*.c tests/device/*.c)
WINDOW_SRC:= $(if $(HEADLESS),,$(wildcard tests/window/*.c))
BENCH_SRC := $(wildcard tests/bench/*.c)

objects    = $(patsubst %.c,$B/obj/%.o,$1)
CORE_OBJ  := $(call objects,$(CORE_SRC)) $(foreach i,$(ISAS),$(ISA_SRC:%.c=$B/obj/%.$i.o))
MODULE_OBJ:= $(CORE_OBJ) $(call objects,$(MODULE_SRC)) $B/obj/lua_embed.o
TIDE_OBJ  := $(MODULE_OBJ) $(call objects,$(VM_SRC))
PLUGIN_SO := $(patsubst tests/plugin/%.c,$B/tests/%.so,$(wildcard tests/plugin/*.c))
EMULATED  := $B/tests/emulated.so
TEST_BIN  := $(TEST_SRC:%.c=$B/%) $(WINDOW_SRC:%.c=$B/%) $(PLUGIN_SO) $(EMULATED) $B/tests/emulation_rules
GPU_SRC   := $(wildcard gpu/*.cu)
BENCH_BIN := $(BENCH_SRC:%.c=$B/%)

# ---- flags ----
SANITIZE   = -fsanitize=address,undefined -fno-sanitize-recover=all
ALLCFLAGS  = -std=gnu11 -Wall -Wextra -MMD -MP -fPIC -fno-semantic-interposition -pthread -I. \
             $(DEP_CFLAGS) $(CFLAGS) $(if $(HEADLESS),-DTD_HEADLESS) \
             $(if $(SAN),-O1 -fno-omit-frame-pointer $(SANITIZE))
ALLLDFLAGS = -pthread $(LDFLAGS) $(if $(SAN),$(SANITIZE))
# Kernels are compiled once per instruction set; random numbers (and flow's points) must not differ between them.
ISA_FLAGS  = -O3 -fno-math-errno -fno-trapping-math $(if $(SAN),-O1)
FLAGS_v3   = -march=x86-64-v3
FLAGS_v4   = -march=x86-64-v4 -mprefer-vector-width=512
FLAGS_random = -ffp-contract=off
# Rewrites file $1 with the text $2 if they differ; what depends on the file is then rebuilt.
remember   = $(shell mkdir -p $(dir $1); echo '$2' | cmp -s - $1 || echo '$2' >$1)
ifdef ISAS
$(call remember,$B/gen/flags,$(CC) $(ALLCFLAGS) $(ISA_FLAGS))
$(call remember,$B/gen/objects,$(ALLLDFLAGS) $(TIDE_OBJ))
$(call remember,$B/gen/embedded,$(EMBEDDED))
endif
say        = $(if $V,,@echo "  $@";)

# ---- build ----
all: $B/tide $(if $(HEADLESS)$(SAN),,$B/tide.so) ## build the program build/tide and the Lua module build/tide.so

headless: ## build build/headless/tide for machines without a desktop: static Lua and BLAS
	@+$(MAKE) --no-print-directory HEADLESS=1 all

$B/tide: $(TIDE_OBJ) $B/gen/objects .make/program.list
	$(say)$(CC) $(ALLLDFLAGS) -Wl,--dynamic-list=.make/program.list -o $@ $(TIDE_OBJ) \
	  $(TIDE_LIBS) $(MODULE_LIBS) $(CORE_LIBS)

$B/tide.so: $(MODULE_OBJ) $B/gen/objects .make/module.map
	$(say)$(CC) $(ALLLDFLAGS) -shared -Wl,--version-script=.make/module.map -o $@ $(MODULE_OBJ) \
	  $(MODULE_LIBS) $(CORE_LIBS)

$B/obj/%.o: %.c $B/gen/flags
	@mkdir -p $(@D)
	$(say)$(CC) $(ALLCFLAGS) -c -o $@ $<

define isa_rule
$B/obj/%.$1.o: %.c $B/gen/flags
	@mkdir -p $$(@D)
	$$(say)$$(CC) $$(ALLCFLAGS) $$(ISA_FLAGS) $$(FLAGS_$1) $$(if $$(filter %random %flow,$$*),$$(FLAGS_random)) \
	  -DTD_ISA=$1 -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$i)))

$B/gen/lua_embed.S: $(EMBEDDED) $B/gen/embedded .make/embed.sh
	$(say)sh .make/embed.sh $(EMBEDDED) >$@

$B/obj/lua_embed.o: $B/gen/lua_embed.S
	@mkdir -p $(@D)
	$(say)$(CC) -c -o $@ $<

$B/tests/%: $B/obj/tests/%.o $(CORE_OBJ) $B/gen/objects
	@mkdir -p $(@D)
	$(say)$(CC) $(ALLLDFLAGS) -o $@ $< $(CORE_OBJ) $(CORE_LIBS)

$(WINDOW_SRC:%.c=$B/%): $B/tests/window/%: $B/obj/tests/window/%.o $(MODULE_OBJ) $B/gen/objects
	@mkdir -p $(@D)
	$(say)$(CC) $(ALLLDFLAGS) -o $@ $< $(MODULE_OBJ) $(TIDE_LIBS) $(MODULE_LIBS) $(CORE_LIBS)

$(PLUGIN_SO): $B/tests/%.so: tests/plugin/%.c $B/gen/flags
	@mkdir -p $(@D)
	$(say)$(CC) $(ALLCFLAGS) $(ALLLDFLAGS) -shared -o $@ $<

$B/tests/%.so: $B/obj/tests/plugin/%.o
	@mkdir -p $(@D)
	$(say)$(CC) $(ALLLDFLAGS) -shared -o $@ $< -lm

# The CUDA kernels as C++, on the host: for the tests, never under the sanitizers of $(SAN). A GPU stops at
# an address that is not aligned; so do these.
EMULATED_OBJ := $(patsubst %,$B/obj/emulated/%.o,$(basename $(GPU_SRC) $(wildcard tests/emulation/*.cpp)))
$(EMULATED_OBJ): $B/obj/emulated/%.o: $B/gen/flags | $B/test-tools
	@mkdir -p $(@D)
	$(say)$(CXX) -std=c++17 -O1 -g -fPIC -Wall -Wextra -MMD -MP -fvisibility=hidden -Itests/emulation -I. \
	  -fsanitize=alignment -fsanitize-undefined-trap-on-error \
	  $(CXXFLAGS) -x c++ -c -o $@ $(or $(wildcard $*.cu),$*.cpp)
$(EMULATED): $(EMULATED_OBJ)
	@mkdir -p $(@D)
	$(say)$(CXX) -shared -Wl,--version-script=.make/plugin.map -o $@ $^ $(CORE_LIBS)
$B/tests/emulation_rules: tests/emulation/rules.cc $B/obj/emulated/tests/emulation/emulation.o
	@mkdir -p $(@D)
	$(say)$(CXX) -std=c++17 -O1 -g -Wall -Wextra -Itests/emulation $(CXXFLAGS) -o $@ $^

# ---- GPU ----
NVCC      ?= nvcc
GPU_ARCH  ?= -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=[sm_90,compute_90]
cuda: $B/libtide_cuda.so ## build the CUDA plug-in beside the program (needs nvcc)
NVCCFLAGS  = -std=c++17 -O3 -I. $(GPU_ARCH) -Werror all-warnings -Xcompiler -fPIC,-Wall,-fvisibility=hidden -Xptxas -v
ifdef ISAS
$(call remember,$B/gen/cuda,$(NVCC) $(NVCCFLAGS))
endif
# What ptxas says of registers and memory stays beside the object.
$(GPU_SRC:%.cu=$B/obj/%.cu.o): $B/obj/%.cu.o: %.cu $B/gen/cuda
	@mkdir -p $(@D)
	$(say)$(NVCC) $(NVCCFLAGS) $(if $(filter %random %flow,$*),-fmad=false) -MMD -MP -c -o $@ $< >$@.log 2>&1 || { cat $@.log; exit 1; }
$B/libtide_cuda.so: $(GPU_SRC:%.cu=$B/obj/%.cu.o)
	$(say)$(NVCC) $(GPU_ARCH) -shared -Xlinker --version-script=.make/plugin.map -o $@ $^ -lcublas -lcublasLt -lcusolver

cuda-check: $(GPU_SRC:%.cu=$B/obj/%.cu.o) ## hold registers and memory of the CUDA kernels against tests/gpu/budget.txt (BUDGET=write)
	@sh tests/gpu/budget.sh tests/gpu/budget.txt $(if $(filter write,$(BUDGET)),--write) $(GPU_SRC:%.cu=$B/obj/%.cu.o.log)

GPU_TESTS := $(addprefix $B/tests/device/,test_results test_grad test_golden)
gpu-tests: all cuda $(GPU_TESTS)

gpu-check: ## on a machine with a GPU: hold the plug-in against the CPU, PyTorch and JAX (PYTHON=python3)
	@ls /dev/nvidia[0-9]* >/dev/null 2>&1 || nvidia-smi >/dev/null 2>&1 || \
	  { echo "gpu-check: this machine has no NVIDIA GPU; make test runs the kernels on an emulation" >&2; exit 2; }
	@+$(MAKE) --no-print-directory HEADLESS=1 gpu-tests
	@bash tests/gpu/check.sh $(BUILD)/headless

gpu-pack: ## build/gpu-check.tar.xz: what gpu-check needs, for a machine with CUDA and nothing else
	@+$(MAKE) --no-print-directory HEADLESS=1 gpu-tests
	@sh tests/gpu/pack.sh $(BUILD)/headless $(BUILD)/gpu-check.tar.xz

# ---- use ----
demo: all ## set up, build and run the paper's toy: pictures land in runs/toy
	$B/tide examples/toy.lua

demo-images: ## install Fashion-MNIST (Debian's dataset-fashion-mnist), which data.fashion_mnist reads
	@sh .make/setup.sh images

test: all $(TEST_BIN) $B/test-tools ## set up, build and run every test (SAN=1, DEVICE=cuda, T=word)
	@SAN='$(SAN)' DEVICE='$(DEVICE)' sh tests/run.sh $B $(or $(KINDS),none device lua window $(if $(SAN),,shell)) $(if $T,-- $T)

workshop: all $B/test-tools ## run the notebooks of the workshop through nbclient (T=word: some of them)
	@sh .make/setup.sh images || echo "without Fashion-MNIST, notebooks 5 and 6 are left out"
	@$B/tide kernel install --prefix $B/jupyter >/dev/null
	@if /usr/bin/python3 -c 'import nbclient' 2>/dev/null; then \
	  JUPYTER_PATH=$(abspath $B)/jupyter/share/jupyter /usr/bin/python3 tests/kernel/test_notebooks.py $T; \
	else $B/tide nb --check notebooks/*$T*.ipynb; fi

test-lab: all ## see notebook 3 in JupyterLab and Chromium, slider and all (LAB=python3 with jupyterlab, ipywidgets, playwright)
	@TIDE=$(abspath $B)/tide $(or $(LAB),python3) tests/kernel/lab.py $B/lab

fuzz: ## read damaged files for FUZZ_SECONDS (default 300) under the sanitizers
	@+$(MAKE) --no-print-directory SAN=1 $(BUILD)/san/tests/none/test_io_fuzz
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),300) $(BUILD)/san/tests/none/test_io_fuzz random

bench: all $(BENCH_BIN) ## hold every kind of work against PEERS, a python3 with torch, jax and scikit-learn, or none
	@$B/tide tests/bench/run.lua --peers '$(or $(PEERS),python3)' $(BENCH)

check: all ## check the project's rules: includes, symbols, sizes, documentation
	@bash tests/rules.sh $B

docs: all ## write the manual and the LuaLS stubs to build/docs
	@mkdir -p $B/docs
	$B/tide -l tide -e 'require("tide.doc").write("$B/docs")'
	$B/tide tests/bench/report.lua $(sort $(wildcard tests/bench/results/*.json)) $B/docs

install: all ## install to PREFIX (default /usr/local), below DESTDIR when given
	@sh .make/install.sh install $B '$(DESTDIR)$(PREFIX)'

uninstall: ## remove what install put there
	@sh .make/install.sh uninstall $B '$(DESTDIR)$(PREFIX)'

size: ## count the lines of each folder
	@sh .make/size.sh

format: ## run clang-format on the C sources
	clang-format -i $(sort $(wildcard */*.c */*.h */*/*.c */*/*.h))

clean: ## remove the build folder
	rm -rf $(BUILD)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: all headless cuda cuda-check gpu-tests gpu-check gpu-pack demo demo-images test workshop test-lab fuzz bench check docs install uninstall size format clean help
.SECONDARY:
-include $(EMULATED_OBJ:.o=.d) $(GPU_SRC:%.cu=$B/obj/%.cu.d) $(TIDE_OBJ:.o=.d) $(TEST_SRC:%.c=$B/obj/%.d) $(WINDOW_SRC:%.c=$B/obj/%.d) $(BENCH_SRC:%.c=$B/obj/%.d)
