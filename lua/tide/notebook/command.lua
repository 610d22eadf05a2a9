-- command.lua -- the command `tide nb`: runs notebooks without Jupyter, converts them, makes new ones.

local tide = require "tide"
local core = require "tide.notebook.core"
local color = require "tide.shell.color"
local file = require "tide.notebook.file"

local M = {}

local usage = [[
usage: tide nb FILE.ipynb ... [options]     run, and keep the outputs in the file
       tide nb new FILE.ipynb [--from SCRIPT.lua]

Runs the cells of a notebook in order, as Jupyter's "Restart and run all", and writes
their outputs into it. At the first error it stops, says where, leaves the file as it
was and exits with status 1.

  --to FORMAT      write html (one file with its pictures) or lua (a script) instead
  -o FILE          where to (default: FILE.html, FILE.lua; with notebooks: in place)
  --check          run, and write nothing
  --no-run         convert as it is
  --allow-errors   go on after errors, which stay in the outputs
  --clear          remove all outputs instead of running
  --scale X        pixels of pictures for each pixel of the page (2)
  --quiet          say nothing but errors
  --from SCRIPT    cells of a script with the marks "-- %% [markdown]" and "-- %%"

A cell with the tag raises-exception must fail; the others must not.]]

---- the command line ----

local values = { ["--to"] = true, ["-o"] = true, ["--from"] = true, ["--scale"] = true }
local flags = { "--check", "--no-run", "--allow-errors", "--clear", "--quiet", "--help" }

local function fail(text, ...) error(text:format(...), 0) end

local function parse(args)
  local known = { "--to", "--from", "--scale", "-o" }
  for _, name in ipairs(flags) do known[#known + 1], known[name] = name, true end
  local words, o, i = {}, { passed = {} }, 1
  while i <= #args do
    local a = args[i]
    local name, text = a:match "^(%-%-?[%a-]+)=?(.*)$"
    if a:sub(1, 1) ~= "-" then words[#words + 1] = a
    elseif name and values[name] then
      if not a:find("=", 1, true) then
        i = i + 1
        text = args[i] or fail("%s needs a value", name)
      end
      o[name:match "%a+"] = text
      if name ~= "-o" then table.move({ name, text }, 1, 2, #o.passed + 1, o.passed) end
    elseif known[a] then
      o[a:sub(3):gsub("-", "_")] = true
      o.passed[#o.passed + 1] = a
    else
      local near = tide.nearest(name or a, known)
      fail("unrecognized option '%s'%s", a, near and (" (did you mean '%s'?)"):format(near) or "")
    end
    i = i + 1
  end
  return words, o
end

---- one notebook ----

local endings = { html = ".html", lua = ".lua" }

local function target(path, o)
  if o.o then return o.o end
  return o.to and path:gsub("%.ipynb$", "") .. endings[o.to] or path
end

local function say(o, ...) if not o.quiet then core.say(...) end end

local function indented(text) return "  " .. text:gsub("\n", "\n  ") end

-- Runs the cells with a line on stderr; false after an error, which has been reported.
local function run(path, nb, o)
  local total, done, live = 0, 0, core.is_terminal() and not o.quiet
  for _, cell in ipairs(nb.cells) do total = total + (cell.cell_type == "code" and 1 or 0) end
  local started = tide.clock()
  local function report()
    done = done + 1
    if live then core.say(("\r%s: %d of %d cells\27[K"):format(path, done, total)) end
  end
  local failure = require("tide.notebook.run").run(nb, {
    allow_errors = o.allow_errors, report = report, scale = o.scale })
  if live then core.say "\r\27[K" end
  if failure then
    local text = #failure.traceback > 0 and table.concat(failure.traceback, "\n") or failure.evalue
    core.say(("%s: cell %d failed (%d of %d cells of code had run)\n%s\n"):format(path, failure.cell,
      done - 1, total, indented(core.is_terminal() and text or color.strip(text))))
    return false
  end
  say(o, ("%s: %d cells in %.1f s\n"):format(path, total, tide.clock() - started))
  return true
end

local function clear(nb)
  for _, cell in ipairs(nb.cells) do
    if cell.cell_type == "code" then
      cell.outputs, cell.execution_count = require("tide.json").list(), require("tide.json").null
    end
  end
end

local function text_of(nb, path, to, o)
  if o.to == "html" then return require("tide.notebook.html").write(nb, path) end
  if o.to == "lua" then
    return require("tide.notebook.script").write(nb, to:match "[^/]+$", path:match "[^/]+$")
  end
  return file.text(nb)
end

-- What would make all the work useless is said before it.
local function prepare(path, nb, to, o)
  local language = file.language_of(nb)
  if language and language ~= "lua" then
    fail("%s: its cells are %s, not Lua", path, language)
  end
  if o.check then return end
  local ok, why = require "tide.place"(to)
  if not ok then fail("%s cannot be written: %s", to, why) end
end

local function one(path, o)
  local nb, to = file.read(path), target(path, o)
  if o.clear then clear(nb)
  elseif not o.no_run and o.to ~= "lua" then
    prepare(path, nb, to, o)
    if not run(path, nb, o) then return false end
  end
  if o.check then return true end
  local text = text_of(nb, path, to, o)
  file.save(to, text)
  if to ~= path then say(o, ("%s is written\n"):format(to)) end
  return true
end

---- several: each in a process of its own ----

local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function each(paths, o)
  if o.o then fail("-o names one file, and there are %d notebooks", #paths) end
  local first = 0
  while arg[first - 1] do first = first - 1 end
  local words = {}
  for i = first, 0 do words[#words + 1] = quote(arg[i]) end
  for _, a in ipairs(o.passed) do words[#words + 1] = quote(a) end
  local good = true
  for _, path in ipairs(paths) do
    local ok, how = os.execute(table.concat(words, " ") .. " " .. quote(path))
    good = good and ok
    if how == "signal" then return false end
  end
  return good
end

---- new ones ----

local START = {
  { "markdown", "# A title\n\nWhat this notebook is about." },
  { "code", 'local target = flow.targets.mog()\n' ..
    'local fig = plot.figure { size = { 320, 300 } }\n' ..
    'fig:axes { equal = true }:scatter(target:sample(1000))\nfig' },
}

local function new(words, o)
  local path = words[2] or fail "new needs the name of a notebook"
  if #words > 2 then fail("new makes one notebook, not %d", #words - 1) end
  if io.open(path, "r") then fail("%s is there already", path) end
  local nb
  if o.from then
    local script, why = io.open(o.from, "rb")
    if not script then fail("%s", why) end
    nb = require("tide.notebook.script").read(script:read "a")
    script:close()
  else
    local cells = {}
    for i, c in ipairs(START) do cells[i] = file.cell(c[1], c[2]) end
    nb = file.new(cells)
  end
  file.save(path, file.text(nb))
  say(o, path .. " is written\n")
  return true
end

local function command(args)
  local words, o = parse(args)
  if o.help or #args == 0 then
    print(usage)
    return o.help
  end
  if o.to and not endings[o.to] then fail("--to is html or lua, not '%s'", o.to) end
  if o.scale then
    local scale = tonumber(o.scale)
    if not scale or scale < 0.5 or scale > 8 then fail("--scale is from 0.5 to 8, not '%s'", o.scale) end
    o.scale = scale
  end
  if words[1] == "new" then return new(words, o) end
  if #words == 0 then fail "give the name of a notebook" end
  return #words == 1 and one(words[1], o) or #words > 1 and each(words, o)
end

-- The command line after `tide nb`; returns whether all went well.
function M.main(args)
  local ok, result = pcall(command, args)
  if not ok then core.say("tide nb: " .. require("tide.script").plain(result) .. "\n") end
  return ok and result
end

return M
