-- doc_prompt.lua -- the page of the manual about the prompt: its topics, and what it can do, feature
-- by feature.
local doc = require("tide.doc")

-- What people ask of a prompt: feature, yes or no, how or why.
local features = {
  { "Completion of globals and fields", "yes", "with raw access; keys of tables and options of " ..
    "documented functions too. TAB twice shows signatures" },
  { "Completion of methods after `:`", "yes", "functions only after `:`, everything after `.`" },
  { "TAB runs code of the user's", "no", "nothing is called, no `__index` function runs" },
  { "File names in strings", "yes", "and modules in `require \"`" },
  { "Entries of several lines", "yes", "Lua's own parser decides; an error that no further line can " ..
    "mend is reported at once" },
  { "Entries of several lines in the history", "yes", "whole; the arrows search by what is typed already" },
  { "Paste of a block", "yes", "one entry; prompts in a pasted transcript are stripped" },
  { "Expressions show their values", "yes", "so do calls, and `= x`" },
  { "`;` keeps a value quiet", "yes", "" },
  { "The last result", "yes", "`_`; older ones are not kept, since tensors are large" },
  { "Locals carry over", "yes", "as upvalues of the next entries, not as globals; attributes included" },
  { "Nested tables", "yes", "limits of depth, entries, lines and width; cycles; sorted keys" },
  { "Long tensors are cut", "yes", "only the ends of long dims are read, copied and formatted" },
  { "History file", "yes", "appended at each entry, bounded, shared by sessions, in XDG's folder" },
  { "History search", "yes", "Ctrl-R, and the arrows by prefix" },
  { "Help at the prompt", "yes", "`?name`, `??word`, `help(value)`, from the table that makes this manual" },
  { "Help for the prompt itself", "yes", "`?` alone, `?prompt`, a line in the banner" },
  { "Tracebacks", "yes", "coloured, with the line of source and a mark, without frames of the library" },
  { "Ctrl-C at the prompt", "yes", "clears the line; never ends the session" },
  { "Ctrl-C while something runs", "yes", "loops, coroutines, pcall, products, `io.read`, output, " ..
    "jobs; as often as wanted" },
  { "Time of each command", "yes", "from half a second on; `time(f)`, `bench(f)` and `profile(f)` say more" },
  { "Figures show themselves", "no", "on request: `fig:show()` opens a window, `fig:save` writes files" },
  { "Windows stay alive at the prompt", "yes", "they have a thread of their own" },
  { "The prompt stays free while experiments run", "yes", "`tide.spawn`, see `?jobs`" },
  { "Script arguments", "yes", "`arg` and `...` exactly as `lua`, negative indices included" },
  { "`-e`", "yes", "repeatable, in order, with the library's names as globals" },
  { "`-l mod`, `-l g=mod`", "yes", "" },
  { "`-i`", "yes", "" },
  { "`-v -E -W - --`", "yes", "" },
  { "Standard input without a terminal", "yes", "is the script; no banner, colours or history" },
  { "Colours switch off", "yes", "no terminal, `NO_COLOR`, `TERM=dumb`, `--color=never`" },
  { "Startup file", "yes", "`LUA_INIT` as in lua; `~/.config/tide/init.lua` at a prompt only" },
  { "Exit status after an error", "yes", "1" },
  { "`$if` in .inputrc", "yes", "`$if tide`" },
  { "Shell commands", "yes", "`!command`; its status is shown when it is not 0" },
  { "List of variables", "yes", "`who()`, with shapes and bytes; locals of the prompt included" },
  { "Overrides globals of the user", "no", "names of the library are found behind the globals, so a " ..
    "variable of the same name wins. One exception: at the prompt of a terminal, `print` shows plain " ..
    "tables; everything else, and scripts, have the stock function" },
}

local head = [[
# The prompt

`tide` without a script shows a prompt. Everything here can also be read there: `?` is the first page.
]]

-- The page as lines.
return function()
  local out = { head }
  for _, name in ipairs { "prompt", "local", "keys", "completion", "history", "output", "tools", "jobs",
    "interrupt", "files" } do
    local e = doc.all()["topic." .. name]
    if e then
      out[#out + 1] = "## " .. e.title .. "\n"
      out[#out + 1] = "    " .. e.text:gsub("%s+$", ""):gsub("\n", "\n    "):gsub("\n +\n", "\n\n") .. "\n"
    end
  end
  out[#out + 1] = "## What it can do\n"
  out[#out + 1] = "| feature | tide | how, or why not |\n|---|---|---|"
  for _, f in ipairs(features) do out[#out + 1] = ("| %s | %s | %s |"):format(f[1], f[2], f[3]) end
  return out
end
