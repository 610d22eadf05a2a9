# options.sh -- what the command line of tide has beyond that of lua.
. tests/check.sh

mkdir -p "$tmp/home"
export HOME=$tmp/home XDG_STATE_HOME=$tmp/state

# Standard output and error together, then the status.
both() { "$TIDE" "$@" 2>&1 </dev/null; echo "status $?"; }
first() { both "$@" | head -n 1; }
last() { both "$@" | tail -n 1; }

# ---- versions and usage ----
same "--version names both" "$("$TIDE" --version | sed 's/[0-9].*//')" "Springtide 
Lua "
same "--version succeeds" "$(last --version)" "status 0"
same "-v is as in lua" "$(first -v | cut -c1-6)" "Lua 5."
has "--help goes to stdout" "$("$TIDE" --help 2>/dev/null)" "usage:"
same "--help succeeds" "$(last --help)" "status 0"
for option in -e -l -i -v -E -W -- - --device --threads --seed --headless --color --version --help; do
  has "--help knows $option" "$("$TIDE" --help)" "  $option "
done

# ---- colours ----
red=$(printf '\033[36m1')
has "--color=always" "$("$TIDE" --color=always -e 'tide.show(1)')" "$red"
same "no colours in a pipe" "$("$TIDE" -e 'tide.show(1)')" 1
same "--color=never wins over TIDE_COLOR" "$(TIDE_COLOR=always "$TIDE" --color never -e 'tide.show(1)')" 1
has "another value" "$(first --color=red)" "--color is auto, always or never, not 'red'"
same "leaves status 1" "$(last --color=red)" "status 1"

# ---- commands ----
has "a command with a typo" "$(both labb)" "cannot open labb: No such file or directory (did you mean the command 'lab'?)"
same "fails" "$(last labb)" "status 1"
same "other names are files" "$(both nosuch | grep -c mean)" 0

# ---- help ----
has "help shows an entry" "$("$TIDE" help tensor.sum)" "x:sum([dim], [keepdim])"
same "help succeeds" "$(last help tensor.sum)" "status 0"
has "help names what is near" "$(both help sofmax)" "Did you mean tensor.softmax?"
same "and says so on stderr alone" "$("$TIDE" help sofmax 2>/dev/null)" ""
same "with status 1" "$(last help sofmax)" "status 1"

# ---- messages of scripts on pipes are lua's ----
same "print shows addresses" "$("$TIDE" -e 'print({})' | cut -c1-9)" "table: 0x"
same "no line of source" "$(both -e 'local x = nil + 1' | grep -c ' | ')" 0

# ---- wrong options: the nearest right one, the usage, status 1 ----
while read -r wrong right; do
  has "$wrong: did you mean $right" "$(first "$wrong")" "unrecognized option '$wrong' (did you mean '$right'?)"
done <<'END'
--thread --threads
--treads=4 --threads
--sed --seed
--cuda --help
--divice --device
--headles --headless
--Version --version
--versoin --version
-h --help
-V -v
-w -W
-headless --headless
-version --version
-x --help
-vi --help
--headless=yes --headless
--help=nn --help
END
has "a wrong option shows the usage" "$(both --wrong)" "usage:"
same "a wrong option is status 1" "$(last --wrong)" "status 1"
same "nothing runs before a wrong option" "$("$TIDE" -e 'print(1)' --wrong 2>/dev/null)" ""
for option in --threads --seed --device; do
  has "$option without a value" "$(first $option)" "'$option' needs argument"
  has "$option= without a value" "$(first $option=)" "'$option' needs argument"
done

# ---- values ----
while read -r option value; do
  has "$option $value" "$(first "$option" "$value" -e 'print("ran")')" "$option needs an integer"
  same "$option=$value is status 1" "$(last "$option=$value")" "status 1"
done <<'END'
--threads x
--threads 0
--threads -1
--threads 2.5
--threads 1e3
--threads 2x
--threads 99999999999999999999
--seed x
--seed -1
--seed 1.0
--seed 0x
END
same "--threads N" "$(first --threads 1 -e 'print(tide.threads())')" 1
same "--threads=N" "$(first --threads=2 -e 'print(tide.threads())')" 2
same "--seed N twice gives the same numbers" \
  "$(both --seed 7 -e 'print(tensor.randn(3))')" "$(both --seed=7 -e 'print(tensor.randn(3))')"
check "--seed N and --seed M differ" \
  test "$(both --seed 7 -e 'print(tensor.randn(3))')" != "$(both --seed 8 -e 'print(tensor.randn(3))')"
same "--seed is tide.seed" "$(both --seed 7 -e 'print(tensor.randn(3))')" \
  "$(both -e 'tide.seed(7) print(tensor.randn(3))')"
same "--device cpu" "$(first --device cpu -e 'print(tensor.zeros(1).device)')" cpu
has "--device nowhere" "$(first --device nowhere -e 'print("ran")')" "--device: "
same "--device nowhere is status 1" "$(last --device nowhere)" "status 1"
same "--headless" "$(first --headless -e 'print(os.getenv("TIDE_HEADLESS"))')" 1
echo 'print(arg[-3], arg[-2], arg[-1], #arg, arg[1], ...)' >"$tmp/args.lua"
same "options stand in arg" "$(first --seed 3 "$tmp/args.lua" --seed 4)" \
  "$TIDE	--seed	3	2	--seed	--seed	4"
same "options between those of lua" "$(first -e 'a = 1' --headless -e 'print(a)')" 1

# ---- the library ----
names="tide tensor nn optim flow plot data metrics help"
same "a script sees no new globals" \
  "$(for n in $names; do echo "print($n)"; done | "$TIDE" - | sort -u)" nil
echo "print(tensor, getmetatable(_G))" >"$tmp/plain.lua"
same "a script after -e sees none either" "$(both -e 'local t = tensor' "$tmp/plain.lua")" \
  "nil	nil
status 0"
echo "return { seen = tensor }" >"$tmp/module.lua"
same "a module of -l sees none" \
  "$(LUA_PATH_5_4="$tmp/?.lua" first -e 'local t = tensor' -l module -e 'print(module.seen)')" nil
echo "print(require('tide') == tide, package.loaded.tide)" >"$tmp/req.lua"
same "a script requires it" "$(first -e 'x = 1' "$tmp/req.lua" | cut -f 1)" false
for n in $names; do
  check "-e sees $n" status_is 0 "$TIDE" -e "assert($n ~= nil, 'no $n')"
  same "$n is that of the module" "$(first -e "print(rawequal($n, '$n' == 'tide' and require 'tide' or require('tide').$n))")" true
done
same "the library is loaded at first use" \
  "$(first -e 'print(package.loaded.tide) local t = tensor print(package.loaded.tide ~= nil)' | head -n 1)" nil
same "other names stay nil" "$(first -e 'print(other, tensors, Tide)')" "nil	nil	nil"
same "a user's global wins" "$(first -e 'data = 5 print(data)')" 5
same "a metatable of _G that is there stays" \
  "$(LUA_INIT='setmetatable(_G, {__index = function(_, k) return k end})' first -e 'print(tensor)')" tensor
same "-i shows the prompt its globals" \
  "$(printf 'print(tensor == require("tide").tensor)\n' | "$TIDE" -i 2>&1 | sed -n 3p)" true

# ---- help ----
check "tide help" status_is 0 "$TIDE" help
check "tide help says something" test -n "$("$TIDE" help)"
has "tide help NAME" "$("$TIDE" help tensor.zeros)" "zeros"
same "tide help NAME is what help(NAME) shows" "$("$TIDE" help flow.align_loss)" \
  "$("$TIDE" -e 'help("flow.align_loss")')"
echo 'print("the file", ...)' >"$tmp/help"
same "./help is a file" "$(cd "$tmp" && "$TIDE" ./help x)" "the file	x"
same "-- help is a file" "$(cd "$tmp" && "$TIDE" -- help x)" "the file	x"

# ---- start-up: a blink ----
# Processor time, since a test does not have the machine for itself.
twenty() { for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "$TIDE" -e ''; done; }
TIMEFORMAT='%U %S'
micro=$({ time twenty; } 2>&1 | awk '{ printf "%d", ($1 + $2) * 1e6 / 20 }')
echo "# tide -e '' takes $micro microseconds of processor time"
check "starts in less than 40 ms of processor time" test "$micro" -lt 40000
