#!/bin/sh
# setup.sh -- finds or installs what the build needs and writes its flags as make variables.
#
#   sh .make/setup.sh build FILE      tide with windows, figures and a prompt
#   sh .make/setup.sh headless FILE   tide for clusters: static Lua and BLAS, no desktop
#   sh .make/setup.sh test FILE       programs that only the tests call
#   sh .make/setup.sh images          data sets that the examples use
#
# TIDE_NO_INSTALL=1 prints the command that would install and stops with status 1.
set -eu
mode=$1 out=${2-}
cc=${CC:-cc}

# what | Debian, Ubuntu | Fedora | Arch | Homebrew | why
needs() {
  case $mode in
  test) cat <<'END'
c++            g++               gcc-c++           gcc         gcc         the tests run kernels of GPUs on the host
interpreter    lua5.4            lua               lua         lua         the tests compare tide with stock Lua
Xvfb           xvfb              xorg-x11-server-Xvfb xorg-server-xvfb - the tests open windows
xdotool        xdotool           xdotool           xdotool     -           the tests use windows as a person does
xwd            x11-apps          xwd               xorg-xwd    -           the tests look at windows
rsvg-convert   librsvg2-bin      librsvg2-tools    librsvg     librsvg     the tests look at SVG pictures
pdftotext      poppler-utils     poppler-utils     poppler     poppler     the tests look at PDF pictures
valgrind       valgrind          valgrind          valgrind    -           a test counts instructions
jupyter-client python3-jupyter-client -            -           -           the tests run cells as notebooks do
nbclient       python3-nbclient  -                 -           -           the tests run whole notebooks
kernel-test    python3-jupyter-kernel-test -       -           -           Jupyter's own tests of kernels
END
    return ;;
  images) cat <<'END'
fashion-mnist  dataset-fashion-mnist -           -           -             images of clothes, for data.fashion_mnist
END
    return ;;
  esac
  cat <<'END'
compiler       gcc               gcc               gcc         gcc         C compiler
libc           libc6-dev         glibc-devel       glibc       gcc         headers of the C library
pkg-config     pkg-config        pkgconf           pkgconf     pkgconf     finds the libraries below
lua            liblua5.4-dev     lua-devel         lua         lua         the embedded language
openblas       libopenblas-dev   openblas-devel    openblas    openblas    LAPACK: decompositions
libpng         libpng-dev        libpng-devel      libpng      libpng      pictures as PNG
zlib           zlib1g-dev        zlib-devel        zlib        zlib        npz and gz files
libzmq         libzmq3-dev       zeromq-devel      zeromq      zeromq      notebooks: the Jupyter kernel
libcjson       libcjson-dev      cjson-devel       cjson       cjson       notebooks: the Jupyter kernel
libcrypto      libssl-dev        openssl-devel     openssl     openssl     notebooks: signed messages
END
  case $mode in
  build) cat <<'END'
readline       libreadline-dev   readline-devel    readline    readline    editing and history at the prompt
cairo          libcairo2-dev     cairo-devel       cairo       cairo       drawing of figures
pangocairo     libpango1.0-dev   pango-devel       pango       pango       text in figures
gif            libgif-dev        giflib-devel      giflib      giflib      moving pictures
sdl2           libsdl2-dev       SDL2-devel        sdl2        sdl2        windows
END
    ;;
  headless) cat <<'END'
lua-static     liblua5.4-dev     lua-static        lua         lua         static Lua
gfortran       gfortran          libgfortran-static gcc-fortran gcc        static Fortran runtime of OpenBLAS
END
    ;;
  esac
}

pc() { pkg-config "$@" 2>/dev/null; }

# giflib has no file for pkg-config; Homebrew may keep it outside the usual folders.
brew=${HOMEBREW_PREFIX:-/opt/homebrew}
gif_flags() { if [ -f "$brew/include/gif_lib.h" ]; then echo " -I$brew/include"; fi; }
gif_libs() { if [ -f "$brew/include/gif_lib.h" ]; then echo "-L$brew/lib -lgif"; else echo -lgif; fi; }

# Only headers: the libraries of the kernel are loaded when it starts.
kernel_flags() { for l in libzmq libcjson libcrypto; do printf ' %s' "$(pc --cflags-only-I $l || :)"; done; }

lua_name() {
  for n in lua5.4 lua-5.4 lua54 lua; do
    if pc --atleast-version=5.4 "$n" && ! pc --atleast-version=5.5 "$n"; then
      echo "$n"
      return
    fi
  done
  return 1
}

# The path of a static library, or a failure.
archive() {
  for d in $( [ -z "${2-}" ] || pc --variable=libdir "$2") ''; do
    if [ -n "$d" ] && [ -f "$d/$1" ]; then echo "$d/$1"; return; fi
  done
  p=$($cc -print-file-name="$1")
  [ "$p" != "$1" ] && [ -f "$p" ] && echo "$p"
}

has() {
  case $1 in
  compiler) command -v "$cc" >/dev/null || command -v gcc >/dev/null ;;
  libc) printf '#include <stdio.h>\n' | "$cc" -E - >/dev/null 2>&1 ;;
  pkg-config) command -v pkg-config >/dev/null ;;
  lua) lua_name >/dev/null ;;
  lua-static) archive "lib$(lua_name | sed 's/^lua-/lua/').a" "$(lua_name)" >/dev/null ||
    archive liblua.a >/dev/null ;;
  gif) printf '#include <stdio.h>\n#include <gif_lib.h>\n' | "$cc" $(gif_flags) -E - >/dev/null 2>&1 ;;
  gfortran) archive libgfortran.a >/dev/null ;;
  interpreter) command -v lua5.4 >/dev/null || command -v lua >/dev/null ;;
  fashion-mnist) [ -f /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ] ;;
  c++ | rsvg-convert | pdftotext) command -v "$1" >/dev/null ;;
  # without these the tests of windows and of notebooks are left out
  Xvfb | xdotool | xwd) command -v "$1" >/dev/null || ! command -v apt-get >/dev/null ;;
  jupyter-client | nbclient | kernel-test)
    m=$(echo "$1" | sed 's/kernel-test/jupyter_kernel_test/; s/-/_/')
    /usr/bin/python3 -c "import $m" 2>/dev/null || ! command -v apt-get >/dev/null ;;
  *) pc --exists "$1" ;;
  esac
}

# Sets missing to the lines of needs() that this machine lacks.
find_missing() {
  missing=$(needs | while read -r line; do has "${line%% *}" || echo "$line"; done)
}

column() { echo "$missing" | awk -v c="$1" '{print $c}' | sort -u | tr '\n' ' ' | sed 's/ $//'; }

stop() {
  printf 'set-up: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '%s\n' "$@" >&2
  exit 1
}

install_apt() {
  list=$(column 2)
  root=
  [ "$(id -u)" = 0 ] || root='sudo '
  command="${root}apt-get install -y --no-install-recommends $list"
  echo "Springtide needs packages that this machine lacks:"
  echo "$missing" | awk '{w=$6; for(i=7;i<=NF;i++) w=w" "$i; printf "  %-18s %s\n", $2, w}'
  if [ -n "${TIDE_NO_INSTALL-}" ]; then
    stop "TIDE_NO_INSTALL is set; install them with" "  $command"
  fi
  if [ -n "$root" ] && ! command -v sudo >/dev/null; then
    stop "there is no sudo; as root run" "  apt-get install -y --no-install-recommends $list"
  fi
  echo "Running: $command"
  apt="${root}env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300"
  # The package lists may be absent (fresh container) or stale: then update and try again.
  if ! $apt install -y --no-install-recommends $list >"$log" 2>&1; then
    echo "Running: ${root}apt-get update, then the same again"
    { $apt update && $apt install -y --no-install-recommends $list; } >"$log" 2>&1 || {
      tail -n 15 "$log" >&2
      stop "apt-get failed (above); when it works, run make again"
    }
  fi
}

install_missing() {
  find_missing
  [ -n "$missing" ] || return 0
  # Windows and the kernel are left out where nothing is installed: the program looks for these
  # libraries when it runs.
  if [ -n "${TIDE_NO_INSTALL-}" ] || ! command -v apt-get >/dev/null; then
    if ! echo "$missing" | grep -qvE '^(sdl2|libzmq|libcjson|libcrypto) '; then
      echo "set-up: headers are missing: this build leaves out what needs them ($(column 2))"
      return
    fi
  fi
  if command -v apt-get >/dev/null; then
    log=$(mktemp)
    install_apt
    rm -f "$log"
    hash -r
    find_missing
    [ -z "$missing" ] || stop "still missing after the installation: $(column 1)"
    return
  fi
  [ "$mode" != images ] || stop "only Debian and Ubuntu have a package of Fashion-MNIST;" \
    "  get its four .gz files and give their folder to data.fashion_mnist{dir=...} or --data"
  echo "Springtide needs: $(column 1)"
  for m in "dnf 3 sudo dnf install" "pacman 4 sudo pacman -S" "brew 5 brew install"; do
    set -- $m
    command -v "$1" >/dev/null || continue
    how=${m#* ? }
    stop "install them with" "  $how $(column "$2")" "and run make again"
  done
  stop "install them with this system's package manager and run make again"
}

# Instruction sets that this compiler can target beside the plain one.
isas() {
  case $($cc -dumpmachine) in x86_64*) ;; *) echo base; return ;; esac
  list=base
  for v in v3 v4; do
    echo | $cc -march=x86-64-$v -E - >/dev/null 2>&1 && list="$list $v"
  done
  echo "$list"
}

write_build() {
  lua=$(lua_name)
  echo "DEP_CFLAGS := $(pc --cflags-only-I "$lua" openblas cairo pangocairo libpng zlib)$(gif_flags)" \
    "$(pc --cflags-only-I sdl2 || :)$(kernel_flags)"
  echo "CORE_LIBS := $(pc --libs openblas libpng zlib) -lm"
  echo "MODULE_LIBS := $(pc --libs pangocairo cairo) $(gif_libs) -ldl"
  echo "TIDE_LIBS := $(pc --libs "$lua" readline)"
}

# -lNAME as a static archive where there is one.
static_or_shared() {
  archive "lib$1.a" "${2-}" || { [ -n "${3-}" ] || echo "-l$1"; }
}

write_headless() {
  lua=$(lua_name)
  a=$(archive "lib$(echo "$lua" | sed 's/^lua-/lua/').a" "$lua" || archive liblua.a)
  fortran="$(static_or_shared gfortran '' optional) $(static_or_shared quadmath '' optional)"
  echo "DEP_CFLAGS := $(pc --cflags-only-I "$lua" openblas libpng zlib)$(kernel_flags)"
  echo "CORE_LIBS := $(static_or_shared openblas openblas) $fortran $(static_or_shared png16 libpng)" \
    "$(static_or_shared z zlib) -static-libgcc -lm"
  echo "MODULE_LIBS := -ldl"
  echo "TIDE_LIBS := -Wl,--whole-archive $a -Wl,--no-whole-archive"
}

install_missing
[ "$mode" != images ] || { echo "Fashion-MNIST is in /usr/share/datasets/fashion-mnist"; exit 0; }
mkdir -p "$(dirname "$out")"
{
  echo "# config.mk -- written by .make/setup.sh for \`$mode\`."
  case $mode in
  build) write_build ;;
  headless) write_headless ;;
  esac
  [ "$mode" = test ] || echo "ISAS := $(isas)"
} >"$out.tmp"
mv "$out.tmp" "$out"
