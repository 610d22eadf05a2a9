-- shell.lua -- documentation of the prompt's output and tools.
local any = { "...", "any", "arguments of f", optional = true }
local f = { "f", "function" }

-- A module file in a temporary folder, for examples of reload.
local counter = [[
local path, dir = package.path, os.tmpname()
os.remove(dir)
package.path = dir .. ".lua;" .. path
package.searchers[#package.searchers + 1] = nil
local function write(text)
  local file = assert(io.open(dir .. ".lua", "w"))
  file:write(text)
  file:close()
end
]]

return {
-- ---- showing ----
["tide.show"] = {
  text = "Prints a value as the prompt does: tables with what is in them, modules with their " ..
    "parameters, functions with their signature. Tables end after some entries and lines with a " ..
    "count of what is left out; only what is shown is looked at. Keys come in order: the list part, " ..
    "other numbers, strings, the rest. What a __tostring says is respected, and its errors do no harm.",
  args = { { "x", "any" }, { "options", "table", "depth=4 (nested tables), items=100 (of each table), " ..
    "lines=50 (of all), string=200 (bytes of strings inside tables), width (columns; default: of the " ..
    "terminal, or 80), color (default: on a terminal)", optional = true } },
  returns = "nothing", errors = "An unknown option.",
  example = 'tide.show({ 1, 2, { name = "x" } }, { depth = 1 })' },
["tide.format"] = {
  text = "The text that tide.show prints, without colours unless they are asked for.",
  args = { { "x", "any" }, { "options", "table", "those of tide.show", optional = true } },
  returns = "string", errors = "An unknown option.",
  example = [[
assert(tide.format({ 1, 2, x = "y" }) == '{1, 2, x = "y"}')
local big = {}
for i = 1, 1e5 do big[i] = i end
assert(tide.format(big, { items = 3 }):find("99,997 more"))]] },

-- ---- measuring ----
["tide.who"] = {
  text = "Prints the variables of the session, globals and locals of the prompt, that hold tensors: " ..
    "shape or number of parameters, dtype, device and bytes, largest first. Other variables are " ..
    "counted, and the memory of all tensors is shown.", returns = "nothing",
  example = "some_global = tensor.ones(3)\ntide.who()\nsome_global = nil" },
["tide.time"] = {
  text = "Calls f and prints what that took: time on the clock, processor time of all threads, bytes " ..
    "asked for by tensors, and how Lua's memory changed.",
  args = { f, any }, returns = "what f returns", errors = "f cannot be called.",
  example = "local y = tide.time(function(x) return x * 2 end, tensor.ones(3))\n" ..
    "assert(y:sum():item() == 6)" },
["tide.bench"] = {
  text = "Measures how long a call takes: calls for a while, in groups long enough for the clock, for " ..
    "the median, the quartiles (half of the calls lie between) and the number of calls. The result " ..
    "prints as a table: in scripts, print(tide.bench(f)). " ..
    "Several functions take turns, so that what disturbs one disturbs all, and get ratios of their " ..
    "medians to the smallest.",
  args = { { "what", "function|table", "one function, or a table of them by name" },
    { "options", "table", "seconds=0.5 (for each function)", optional = true } },
  returns = "table: {name=, median=, low=, high=, calls=, ratio=} each, times in seconds; also by name",
  errors = "Something that cannot be called; an unknown option.",
  example = [[
local x = tensor.ones(100)
local r = tide.bench({ add = function() return x + x end, double = function() return x * 2 end },
  { seconds = 0.01 })
assert(r.add.low <= r.add.median and r.add.median <= r.add.high)]] },
["tide.profile"] = {
  text = "Calls f and prints what its ops cost: time, share, number of calls and bytes asked for, by op " ..
    "and by line of the script. What the backward pass does is booked on the line of the forward op. " ..
    "An op's time is without that of other ops it calls. A captured step is counted kernel by " ..
    "kernel, on the lines that recorded it, a call for each tile of rows, on one thread. On a GPU the " ..
    "times are those of the kernels there, not of launching them.",
  args = { f, any }, returns = "what f returns",
  errors = "f cannot be called; another profile is running.",
  example = [[
local net, x = nn.Linear(8, 8), tensor.randn(16, 8)
local loss = tide.profile(function()
  local loss = net(x):square():mean()
  loss:backward()
  return loss:item()
end)
assert(loss > 0)]] },
["tide.debug.profile"] = {
  text = "What tide.profile prints, as a table.",
  args = { f, any },
  returns = "table: {op=, line=, of=, calls=, bytes=, seconds=} for each op on each line (of: in a " ..
    "backward pass, the op whose gradient it is), and field seconds, of all; then what f returns",
  errors = "f cannot be called; another profile is running.",
  example = [[
local rows, y = tide.debug.profile(function() return tensor.ones(3):exp():log() end)
local ops = {}
for _, r in ipairs(rows) do ops[r.op] = r.calls end
assert(ops.exp == 1 and ops.log == 1 and y:numel() == 3)]] },
["tide.debug.nan"] = {
  text = "From now on the first op whose result has a NaN or an infinity is an error that names the " ..
    "op, its shapes and the line; in a backward pass also the op whose gradient it is and the line of " ..
    "that one. Changes in place, steps of optimisers and replays of captured steps are watched too. " ..
    "Every result is looked at, which costs time.",
  args = { { "on", "boolean|string", 'true, false, or "nan": infinities are no error; default true',
    optional = true } },
  returns = 'boolean|string: what it was, true, false or "nan"',
  errors = "Another value.",
  example = [[
local was = tide.debug.nan(true)
local ok, err = pcall(function() return tensor.from{ 1, 0 }:log() end)
tide.debug.nan(was)
assert(not ok and err:find("log: the result f32 (2) has 1 infinite of 2 values", 1, true))]] },

-- ---- live coding ----
["tide.edit"] = {
  text = "Opens $VISUAL or $EDITOR (else vi) where something is defined: at the line of a function, in " ..
    "the file of a module, or a file. A module that was changed is reloaded.",
  args = { { "what", "function|table|string", "a function, class or module of yours, the name of one, " ..
    "or a file" } }, returns = "nothing",
  errors = "What is not from a file; an editor that fails.",
  example = 'assert(not pcall(tide.edit, print))' },
["tide.reload"] = {
  text = "Runs the file of a module again and puts the new functions into the table that is loaded, so " ..
    "that everything which refers to the module sees them; classes and other tables inside it are " ..
    "filled in the same way, so instances get the new methods. Fields that the module lists in _keep, " ..
    "as in M._keep = { \"cache\" }, keep their values. A function that somebody copied out of the module " ..
    "stays the old one. When the file fails, nothing changes.",
  args = { { "module", "string|table", "its name, or the module itself" } },
  returns = "the module", errors = "A module that is not loaded, or has no file; errors of the file.",
  example = counter .. [[
local name = dir:match("[^/]+$")
package.path = dir:match("^(.*)/") .. "/?.lua;" .. path
write("local M = { n = 1, _keep = { 'n' } } function M.f() return 'old' end return M")
local m = require(name)
m.n = 5
write("local M = { n = 1, _keep = { 'n' } } function M.f() return 'new ' .. M.n end return M")
assert(tide.reload(m) == m and m.f() == "new 5")
package.path, package.loaded[name] = path, nil
os.remove(dir .. ".lua")]] },

-- ---- keeping a session ----
["tide.save_session"] = {
  text = "Writes the entries of this session that ran without error as a script: an " ..
    "expression that is not a call is shown, questions and commands of the shell are left out.",
  args = { { "path", "string", "the file, overwritten" } }, returns = "nothing",
  errors = "A file that cannot be written; entries that are no script together.",
  example = [[
local path = os.tmpname()
tide.save_session(path)
assert(loadfile(path))
os.remove(path)]] },
["tide.transcript"] = {
  text = "Writes from now on what is typed and shown into a file, without colours. What commands of " ..
    "the shell print by themselves is not in it.",
  args = { { "path", "string|boolean", "the file, overwritten; false ends the transcript" } },
  returns = "nothing", errors = "A file that cannot be written; false without a transcript.",
  example = [[
local path = os.tmpname()
tide.transcript(path)
print("shown")
tide.transcript(false)
local file = io.open(path)
assert(file:read("l") == "shown")
file:close()
os.remove(path)]] },

-- ---- pages ----
["topic.prompt"] = { title = "The prompt", text = [[
  x, f(y)       expressions show their values; = x does the same
  x;            keeps the value quiet
  _             is the last value shown; older ones are not kept, so that
                tensors can go
  local a = 1   locals of the outermost block carry over, see ?local
  ?name         what is known of a name; ?? word searches; ? is the first page
  !command      runs a command of the shell
  [1.5 s]       is how long an entry took, from half a second on
  Ctrl-C        stops what runs, clears the line; the session goes on
  Ctrl-D        leaves

An entry ends when it is complete Lua: until then ">> " asks for more. A
pasted block is one entry. Errors name the line inside it ("stdin:2:"), show
that line, and leave out frames of the library. Entries that define functions
are called stdin#1, stdin#2, ... so that later errors find their lines.

More: ?output ?tools ?files ?local ?keys ?completion ?history ?jobs ?interrupt]] },
["topic.output"] = { title = "What is shown", text = [[
Tables are shown with what is in them: lists fill lines, other keys come in
order, tables inside tables down to a depth of 4. After 100 entries of a table
or 50 lines there is a count of what is left out, and what is left out is not
even looked at. show(x, {depth=, items=, lines=, width=}) shows more or less,
tide.format(x) gives the text.

  tensor      its shape, dtype and device, the ends of long dims
  module      the tree of its parts with shapes and numbers of parameters
  function    its signature where it is documented, else its arguments and
              its place
  string      as it is, control characters escaped; inside tables in quotes

A metatable's __tostring or __name is respected; an error in a __tostring is
shown instead of the text.

print is the stock function for everything but plain tables: at the prompt of
a terminal it shows those like the echo does, with the same limits. In scripts
and on pipes it prints their address, as in stock Lua.

Colours are used on terminals. --color=never, NO_COLOR=1 or TERM=dumb switch
them off, --color=always switches them on everywhere.]] },
["topic.tools"] = { title = "Tools of the prompt", text = [[
  who()                     variables with tensors: shape, dtype, device, bytes
  tide.memory()             memory of tensors: live, at most, cached
  time(f, ...)              calls f, says what it took, returns its values
  bench(f)                  median and quartiles of the time of a call
  bench{a=f, b=g}           several in turns, with ratios
  profile(f, ...)           what the ops inside f cost, by op and by line
  tide.debug.nan(true)      the first NaN or infinity is an error with its line
  edit(f), edit "module"    opens the editor there, then reloads
  reload "module"           takes a module in again, in place
  save_session "file.lua"   the entries that worked, as a script
  transcript "file.txt"     what is typed and shown from now on;
                            transcript(false) ends it

In scripts these are tide.who, tide.time and so on. A variable of your own
with such a name wins.]] },
["topic.files"] = { title = "Files and variables around tide", text = [[
  ~/.config/tide/init.lua        run when a session begins at a terminal
  ~/.local/state/tide/history    what was entered, of all sessions
  ~/.inputrc                     keys; lines below "$if tide" are for tide
XDG_CONFIG_HOME and XDG_STATE_HOME move the first two.

  LUA_INIT_5_4, LUA_INIT         code, or @file, that is run first, as by lua
  LUA_PATH, LUA_CPATH            where require looks
  VISUAL, EDITOR                 the editor of edit()
  NO_COLOR, TIDE_COLOR           colours: none; auto, always or never
  TIDE_HEADLESS                  not empty: no windows
  TIDE_HISTORY                   the file of the history; empty: none is kept
  TIDE_PROGRESS                  0: no progress of long work
  TIDE_ISA                       base, v3 or v4: instructions the kernels use]] },
}
