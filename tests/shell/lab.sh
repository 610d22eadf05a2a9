# lab.sh -- the lab in a window, used by xdotool under Xvfb.
# time limit: 200 s
subject="the lab in a window"
. tests/display.sh

converse tests/shell/lab.lua
same "without a complaint" "$(cat "$tmp/err")" ""
