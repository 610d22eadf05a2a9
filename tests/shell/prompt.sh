# prompt.sh -- conversations at the prompt, through a terminal. time limit: 300 s
#
# tests/shell/pty.c plays the person; the conversations stand in the files *.pty beside it.
mkdir -p "$BUILD/tests/shell"
pty=$BUILD/tests/shell/pty
${CC:-cc} -std=gnu11 -O1 -o "$pty" tests/shell/pty.c || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export TIDE tmp HOME=$tmp/home XDG_STATE_HOME=$tmp/state TERM=xterm NO_COLOR=${NO_COLOR-1}
unset INPUTRC TIDE_HISTORY XDG_CONFIG_HOME
mkdir -p "$HOME"
"$pty" "${@:-tests/shell/prompt.pty}"
