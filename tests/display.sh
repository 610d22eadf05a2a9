# display.sh -- windows for shell tests: tests/check.sh, and a display of its own.
#
#   subject="what is left out where there is no display"
#   . tests/display.sh
#   converse tests/shell/NAME.lua   # prints lines `ok NAME`, `no NAME | WHY` and at last `end`
. tests/check.sh

leave_out() {
  skip "$subject" "$1"
  exit 0
}
for f in Xvfb xdotool xwd; do
  command -v $f >/dev/null || leave_out "there is no $f here"
done
servers=
stop() { [ -z "$servers" ] || kill $servers 2>/dev/null; }
trap 'status=$?; trap - EXIT; stop; finish' EXIT
export tmp SDL_VIDEODRIVER=x11 LUA_PATH_5_4="$PWD/?.lua;;" # for tests/screen.lua
export SDL_MOUSE_DOUBLE_CLICK_TIME=3000 # two clicks are a double click also where all is slow
unset WAYLAND_DISPLAY TIDE_HEADLESS TIDE_SCALE

# serve FILE [OPTIONS]: starts a server and leaves the name of its display in FILE.
serve() {
  local file=$1
  shift
  Xvfb -displayfd 3 -screen 0 1280x1024x24 -nolisten tcp "$@" 3>"$file" >/dev/null 2>&1 &
  server=$!
  servers="$servers $server"
  for _ in $(seq 300); do
    [ -s "$file" ] && break
    sleep 0.1
  done
  [ -s "$file" ]
}
serve "$tmp/display" || leave_out "Xvfb does not start here"
DISPLAY=:$(cat "$tmp/display")
export DISPLAY

# converse SCRIPT: its lines are results; what it writes to stderr is in $tmp/err.
converse() {
  local code verdict name
  "$TIDE" "$1" >"$tmp/out" 2>"$tmp/err"
  code=$?
  while read -r verdict name; do
    case $verdict in
    ok) result 0 "$name" ;;
    no) result 1 "${name%% | *}" "${name#* | }" ;;
    esac
  done <"$tmp/out"
  same "the conversation comes to its end" "$code $(tail -n 1 "$tmp/out")" "0 end"
}
