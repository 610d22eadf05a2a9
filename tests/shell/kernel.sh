#!/bin/bash
# kernel.sh -- the Jupyter kernel: installing it, Jupyter's own tests, ours, a whole notebook.
# time limit: 400 s
set -eu
. tests/check.sh

if ! $TIDE -e 'os.exit(require("tide.kernel.core").open ~= nil)'; then
  result 0 "the kernel # SKIP this build has none: no headers of libzmq, cJSON, OpenSSL"
  exit 0
fi

# ---- its place among Jupyter's kernels ----

export HOME=$tmp/home JUPYTER_PATH=$tmp/place/share/jupyter
unset VIRTUAL_ENV CONDA_PREFIX XDG_DATA_HOME JUPYTER_DATA_DIR
mkdir "$HOME"
text=$($TIDE kernel install)
dir=$HOME/.local/share/jupyter/kernels/tide
has "tide kernel install says where" "$text" "$dir"
has "the program is named with its path" "$(cat "$dir/kernel.json")" "\"$(readlink -f "$TIDE")\", \"kernel\", \"-f\""
[ -n "${HEADLESS-}" ] || check "there is a logo" test -s "$dir/logo-64x64.png" -a -s "$dir/logo-svg.svg"
has "tide kernel list finds it" "$($TIDE kernel list)" "$dir   $(readlink -f "$TIDE")"
check "it can be installed again" $TIDE kernel install
check "and elsewhere, with another name" $TIDE kernel install --prefix "$tmp/else where" --name other
check "which is there" test -s "$tmp/else where/share/jupyter/kernels/other/kernel.json"
check "uninstall" $TIDE kernel uninstall
check "removes the folder" test ! -e "$dir"
fails() { ! "$@" >"$tmp/text" 2>&1; }
check "what is not there cannot be removed" fails $TIDE kernel uninstall
mkdir -p "$dir"
echo '{"argv": ["python"]}' >"$dir/kernel.json"
check "another kernel is left alone" fails $TIDE kernel install
has "with a reason" "$(cat "$tmp/text")" "holds another kernel"
check "also by uninstall" fails $TIDE kernel uninstall
check "an unknown command is an error" fails $TIDE kernel instal
has "which names the nearest" "$(cat "$tmp/text")" "did you mean 'install'"
check "so is an option" fails $TIDE kernel install --nmae x
check "and a name with a space" fails $TIDE kernel install --name 'a b'
check "and -f without a file" fails $TIDE kernel -f
rm -r "$dir"
check "for the tests below" $TIDE kernel install --prefix "$tmp/place"

# ---- as Jupyter uses it ----

python=
for p in /usr/bin/python3 python3; do
  [ -n "$python" ] || ! "$p" -c 'import jupyter_client, nbclient, jupyter_kernel_test' 2>/dev/null || python=$p
done
if [ -z "$python" ]; then
  command -v apt-get >/dev/null && result 1 "Jupyter's client is there" "make test installs python3-jupyter-client"
  exit 0
fi

# Passes the cases of a Python program on.
run() {
  local code=0 line plan=
  "$python" -u "tests/kernel/$1" >"$tmp/out" 2>"$tmp/err" || code=$?
  while IFS= read -r line; do
    case $line in
    "ok "*) result 0 "$1: ${line#ok * - }" ;;
    "not ok "*) result 1 "$1: ${line#not ok * - }" ;;
    1..*) plan=1 ;;
    "# "*) echo "$line" ;;
    esac
  done <"$tmp/out"
  [ -n "$plan" ] || { result 1 "$1 comes to its end (status $code)" "$(tail -n 40 "$tmp/err")"; }
}

export PYTHONDONTWRITEBYTECODE=1 JUPYTER_PLATFORM_DIRS=0
for f in test_suite.py test_wire.py test_kernel.py test_notebook.py; do run $f; done
