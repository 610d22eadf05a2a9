# grab.sh -- handles, controls and players in a window, used by xdotool under Xvfb.
# time limit: 200 s
subject="handles and controls in a window"
. tests/display.sh

converse tests/shell/grab.lua
same "a callback that failed is shown once" "$(grep -c 'no such place' "$tmp/err")" "1"
