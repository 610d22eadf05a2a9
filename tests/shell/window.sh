# window.sh -- windows: used by xdotool under Xvfb, without a display, with one that goes away.
# time limit: 200 s
subject="windows"
. tests/display.sh

here=$PWD
${CC:-cc} -o "$tmp/xclose" tests/shell/xclose.c -lX11 || exit 1
mkdir "$tmp/cwd"
cd "$tmp/cwd" || exit 1
converse "$here/tests/shell/window.lua"
cd "$here" || exit 1
same "without a complaint" "$(cat "$tmp/err")" ""

# ---- the ends of programs ----
show='f = plot.figure{} f:axes():line{y = {1, 2}} f:show() assert(f.open)'
check "the end of a program closes its windows" "$TIDE" -e "$show"
check "os.exit, too" status_is 3 "$TIDE" -e "$show os.exit(3)"
check "and with its state closed" status_is 4 "$TIDE" -e "$show os.exit(4, true)"
check "an error, too" status_is 1 "$TIDE" -e "$show error 'x'"
TIDE_SCALE=3 "$TIDE" -e "$show
  local p = io.popen 'xdotool search --sync --name Springtide getwindowgeometry'
  print(p:read 'a')" >"$tmp/size" 2>&1
has "TIDE_SCALE is pixels per point" "$(cat "$tmp/size")" "1920x1260"
if [ -z "${SAN-}" ] && command -v lua5.4 >/dev/null; then
  check "stock Lua has windows, too" lua5.4 -e "package.cpath = '$BUILD/?.so'
    plot = require 'tide'.plot $show f:close() assert(not f.open) f:show()"
fi
"$TIDE" -e "$show io.stdout:write 'shown\n' io.stdout:flush() while true do end" >"$tmp/out" 2>"$tmp/err" &
pid=$!
for _ in $(seq 100); do
  grep -q shown "$tmp/out" && break
  sleep 0.1
done
kill -INT $pid
wait $pid
same "Ctrl-C with a window open" "$? $(head -n 1 "$tmp/err" | grep -o 'interrupted!')" "1 interrupted!"

# ---- other displays ----
serve "$tmp/noshm" -extension MIT-SHM &&
  check "a display without shared memory" env DISPLAY=:"$(cat "$tmp/noshm")" "$TIDE" -e "$show
    for i = 1, 50 do f:set{ title = tostring(i) } while not f:due() do end end"
serve "$tmp/lost"
lost="$show print(pcall(os.execute, 'kill $server')) while f.open do end
  f:show() f:set{ title = 'later' } plot.wait() f:save '$tmp/lost.png' print 'went on'"
out=$(DISPLAY=:$(cat "$tmp/lost") "$TIDE" -e "$lost" 2>&1)
has "a display that goes away leaves the program" "$out" "went on"
has "which says so" "$out" "the display is gone"
check "and still saves pictures" test -s "$tmp/lost.png"

quiet="f = plot.figure{} f:axes():line{y = {1, 2}} f:show():show() assert(not f.open and not f:due())
  plot.wait() f:close() f:save '$tmp/quiet.png'"
out=$(env -u DISPLAY -u SDL_VIDEODRIVER "$TIDE" -e "$quiet" 2>&1)
same "no display is no error, and said once" "$out" \
  "tide: no windows: there is no display (DISPLAY is not set)"
check "pictures are saved all the same" test -s "$tmp/quiet.png"
out=$("$TIDE" --headless -e "$quiet" 2>&1)
same "--headless" "$out" "tide: no windows: --headless or TIDE_HEADLESS=1 was given"
for driver in dummy offscreen; do
  out=$(SDL_VIDEODRIVER=$driver "$TIDE" -e "$quiet" 2>&1)
  same "SDL's driver $driver" "$out" "tide: no windows: there is no display (SDL chose \"$driver\")"
done

# ---- the prompt ----
if [ -z "${SAN-}" ]; then
  serve "$tmp/other"
  OTHER=:$(cat "$tmp/other") SERVER=$server
  export OTHER SERVER
  (unset tmp; bash tests/shell/prompt.sh tests/shell/window.pty) >"$tmp/pty" 2>&1
  result $? "at the prompt" "$(grep -v '^ok' "$tmp/pty")"
fi
