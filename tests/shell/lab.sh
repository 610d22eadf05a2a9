# lab.sh -- the lab in a window, used by xdotool under Xvfb.
# time limit: 200 s
. tests/check.sh

for f in Xvfb xdotool; do
  if ! command -v $f >/dev/null; then
    skip "the lab in a window" "there is no $f here"
    exit 0
  fi
done
server=
trap 'status=$?; trap - EXIT; [ -z "$server" ] || kill $server 2>/dev/null; finish' EXIT
export SDL_VIDEODRIVER=x11
unset WAYLAND_DISPLAY TIDE_HEADLESS TIDE_SCALE

Xvfb -displayfd 3 -screen 0 1280x1024x24 -nolisten tcp 3>"$tmp/display" >/dev/null 2>&1 &
server=$!
for _ in $(seq 300); do
  [ -s "$tmp/display" ] && break
  sleep 0.1
done
if ! [ -s "$tmp/display" ]; then
  skip "the lab in a window" "Xvfb does not start here"
  exit 0
fi
DISPLAY=:$(cat "$tmp/display")
export DISPLAY
"$TIDE" tests/shell/lab.lua >"$tmp/out" 2>"$tmp/err"
code=$?
while read -r verdict name; do
  case $verdict in
  ok) result 0 "$name" ;;
  no) result 1 "${name%% | *}" "${name#* | }" ;;
  esac
done <"$tmp/out"
same "the conversation comes to its end" "$code $(tail -n 1 "$tmp/out") $(cat "$tmp/err")" "0 end "
