-- runs.lua -- tide.runs and the command `tide runs`: lists what tide.run recorded,
-- compares runs, draws their curves.
--
-- Folders are read as they are found: what is damaged is said, and the rest shown.

local tide = require "tide"
local json = require "tide.json"
local files = require "tide.data.core"
local core = require "tide.run.core"
local read_metrics = require("tide.run").read_metrics

local M = {}

local DEEPEST = 6                   -- folders below the one named
local FIGURES = 6                   -- columns of figures where a run names none
local OPTIONS = 6                   -- columns of options that differ

---- one run ----

local function read_text(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local text = file:read "a"
  file:close()
  return text, text == nil and "it cannot be read" or nil
end

-- Numbers, strings and booleans of a nested table by path.
local function flat(t, prefix, out)
  for key, v in pairs(type(t) == "table" and t or {}) do
    local name = prefix .. tostring(key)
    if type(v) == "table" then
      if #v > 0 and type(v[1]) ~= "table" then
        local parts = {}
        for i, x in ipairs(v) do parts[i] = tostring(x) end
        out[name] = "{" .. table.concat(parts, " ") .. "}"
      else
        flat(v, name .. ".", out)
      end
    else
      out[name] = v
    end
  end
  return out
end

-- The last number of each column of metrics.csv.
local function last_metrics(dir, run)
  local names, rows, lost = read_metrics(dir .. "/metrics.csv")
  local out = {}
  if not names then return out end
  for _, row in ipairs(rows) do
    for j, name in ipairs(names) do
      out[name] = tonumber(row[j]) or (row[j]:find "nan" and 0 / 0) or out[name]
    end
  end
  if lost > 0 then run.lost = lost end
  return out
end

local function text_or(v, other) return type(v) == "string" and v or other end

-- The status as it is now: a run whose process is gone was interrupted.
local function status_of(r)
  local status = text_or(r.status, "unknown")
  local here = type(r.machine) == "table" and r.machine.host == core.machine().host
  local pid = math.type(r.pid) == "integer" and r.pid
  if status == "running" and here and pid and not core.alive(pid) then
    return "interrupted"
  end
  return status
end

local function read_run(dir, name)
  local run = { dir = dir, name = name, options = {}, figures = {}, metrics = {} }
  local text, why = read_text(dir .. "/run.json")
  local r
  if text then r, why = json.decode(text) end
  if type(r) ~= "table" then
    run.status, run.damage = "damaged", why or "it is no object"
    return run
  end
  run.record, run.kind, run.status = r, r.kind, status_of(r)
  run.message = type(r.message) == "string" and r.message or nil
  run.started, run.seconds = text_or(r.started, ""), tonumber(r.seconds)
  run.seed, run.shown = r.seed, type(r.figures) == "table" and r.figures or nil
  run.options = flat(r.options, "", {})
  for name_, v in pairs(flat(r.summary, "", {})) do
    if type(v) == "number" then run.figures[name_] = v end
  end
  run.metrics = last_metrics(dir, run)
  run.seconds, run.metrics.seconds = run.seconds or run.metrics.seconds, nil
  for name_, v in pairs(run.metrics) do
    if run.figures[name_] == nil then run.figures[name_] = v end
  end
  return run
end

---- finding them ----

local function is_run(dir) return files.is_file(dir .. "/run.json") end

local function join(prefix, name) return prefix == "" and name or prefix .. "/" .. name end

-- Adds the runs in a folder and below it; of a sweep its runs.
local function collect(dir, name, list, depth)
  local names, why = core.list(dir)
  if not names then
    list[#list + 1] = { dir = dir, name = name, status = "damaged", damage = why,
                        options = {}, figures = {}, metrics = {} }
    return
  end
  local run = is_run(dir) and read_run(dir, name ~= "" and name or dir)
  if run and run.kind ~= "sweep" then list[#list + 1] = run end
  if depth >= DEEPEST then return end
  table.sort(names)
  for _, n in ipairs(names) do
    local path = dir .. "/" .. n
    if n:sub(1, 1) ~= "." and core.is_folder(path) then
      collect(path, join(name, n), list, depth + 1)
    end
  end
end

-- A Lua pattern for one of the shell: * and ? and [...]
local function pattern_of(glob)
  local p = glob:gsub("[%^%$%(%)%%%.%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".")
  return "^" .. p .. "$"
end

local function add_matches(word, all, list)
  local found = false
  for _, run in ipairs(all) do
    local ok, hit = pcall(function()
      local p = pattern_of(word)
      return run.name:find(p) or run.dir:find(p)
    end)
    if ok and hit then
      list[#list + 1] = run
      found = true
    end
  end
  return found
end

-- The runs that a word names; nil and a sentence when there are none.
local function find(word, list)
  word = word:gsub("(.)/+$", "%1")
  if core.is_folder(word) then
    if is_run(word) then
      local run = read_run(word, word:match "([^/]+)$")
      if run.kind ~= "sweep" then
        list[#list + 1] = run
        return true, true
      end
    end
    collect(word, "", list, 0)
    return true
  end
  local all = {}
  if core.is_folder "runs" then collect("runs", "", all, 0) end
  if add_matches(word, all, list) then return true, not word:find "[%*%?%[]" end
  local names = {}
  for i, run in ipairs(all) do names[i] = run.name end
  local near = tide.nearest(word, names)
  return nil, ("there is no run '%s'%s"):format(word,
    near and (" (did you mean '%s'?)"):format(near) or "")
end

---- sorting and choosing columns ----

local fixed = { name = true, status = true, seconds = true, seed = true }

local function value_of(run, key)
  if key == "date" then return run.started end
  if fixed[key] then return run[key] end
  local v = run.figures[key]
  if v == nil then v = run.options[key] end
  return v
end

-- Missing values come last, text after numbers.
local function less(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return ta == "number" or tb == "nil" and ta ~= "nil" end
  if ta == "number" then
    if a ~= a or b ~= b then return a == a and b ~= b end
    return a < b
  end
  if ta == "nil" then return false end
  return tostring(a) < tostring(b)
end

local function sort(list, key)
  local down = key:sub(1, 1) == "-"
  if down then key = key:sub(2) end
  local place = {}
  for i, run in ipairs(list) do place[run] = i end
  table.sort(list, function(x, y)
    local a, b = value_of(x, key), value_of(y, key)
    if a ~= nil and b ~= nil and down then a, b = b, a end
    if less(a, b) then return true end
    if less(b, a) then return false end
    return place[x] < place[y]
  end)
end

local function keys_of(list, part, keep)
  local count, names = {}, {}
  for _, run in ipairs(list) do
    for key, v in pairs(run[part]) do
      if keep(key, v) then
        if not count[key] then names[#names + 1] = key end
        count[key] = (count[key] or 0) + 1
      end
    end
  end
  table.sort(names, function(a, b)
    if count[a] ~= count[b] then return count[a] > count[b] end
    return a < b
  end)
  return names
end

-- Options that not all of the runs share.
local function differing(list)
  local good = {}
  for _, run in ipairs(list) do
    if run.record then good[#good + 1] = run end
  end
  return keys_of(good, "options", function(key)
    if key == "seed" or key == "out" then return false end
    for _, run in ipairs(good) do
      if run.options[key] ~= good[1].options[key] then return true end
    end
    return false
  end)
end

-- Figures to show: those the runs name, else the last metrics and then others, as many as fit.
local function shown(list, options)
  local named, seen = {}, {}
  for _, run in ipairs(list) do
    for _, name in ipairs(run.shown or {}) do
      if type(name) == "string" and not seen[name] then
        seen[name] = true
        named[#named + 1] = name
      end
    end
  end
  if #named > 0 then return named end
  local skip = { step = true, seed = true }
  for _, key in ipairs(options) do skip[key] = true end
  local function wanted(key)
    for _, run in ipairs(list) do
      if run.options[key] ~= nil then return false end
    end
    return not skip[key] and not key:find "^seconds"
  end
  local names = keys_of(list, "metrics", wanted)
  local metric = {}
  for _, key in ipairs(names) do metric[key] = true end
  local rest = keys_of(list, "figures", function(key) return not metric[key] and wanted(key) end)
  table.move(rest, 1, #rest, #names + 1, names)
  return table.move(names, 1, math.min(#names, FIGURES), 1, {})
end

---- text ----

local WIDEST = 36                   -- of a cell

local function short(v)
  if v == nil or v == "" then return "-" end
  if math.type(v) == "float" then return v ~= v and "nan" or ("%.4g"):format(v) end
  local text = tostring(v):gsub("%c", " ")
  if #text > WIDEST then text = text:sub(1, WIDEST - 3):gsub("[\x80-\xff]*$", "") .. "..." end
  return text
end

local function width_of(s) return utf8.len(s) or #s end

-- Lines of cells in columns, the first to the left, numbers to the right.
local function layout(headers, rows)
  local width, right, lines = {}, {}, {}
  for j, h in ipairs(headers) do
    width[j] = width_of(h)
    for _, row in ipairs(rows) do
      width[j] = math.max(width[j], width_of(row[j]))
      if tonumber(row[j]) then right[j] = true end
    end
  end
  local function line(row)
    local out = {}
    for j = 1, #headers do
      local pad = (" "):rep(width[j] - width_of(row[j]))
      out[j] = right[j] and pad .. row[j] or row[j] .. pad
    end
    return (table.concat(out, "  "):gsub("%s+$", ""))
  end
  lines[1] = line(headers)
  local total = 2 * (#headers - 1)
  for _, w in ipairs(width) do total = total + w end
  lines[2] = ("-"):rep(total)
  for _, row in ipairs(rows) do lines[#lines + 1] = line(row) end
  return lines
end

local function date_text(run)
  return (run.started or ""):gsub("T", " "):gsub(":%d%dZ$", "")
end

local function seconds_text(run)
  return run.seconds and ("%.1f"):format(run.seconds) or "-"
end

-- What is wrong with the runs, a line each.
local function remarks(self)
  local lines = {}
  for _, text in ipairs(self.notes) do lines[#lines + 1] = text end
  for _, run in ipairs(self) do
    if run.damage then
      lines[#lines + 1] = ("%s: run.json is damaged: %s"):format(run.dir, run.damage)
    end
    if run.lost then
      lines[#lines + 1] = ("%s: %d damaged lines of metrics.csv were left out"):format(
        run.dir, run.lost)
    end
    if run.message and run.status ~= "finished" then
      lines[#lines + 1] = ("%s: %s: %s"):format(run.name, run.status,
        run.message:match "[^\n]*")
    end
  end
  return lines
end

local function list_lines(self)
  local options = differing(self)
  local figures = self.columns or shown(self, options)
  local more = self.columns and 0 or #options - OPTIONS
  options = table.move(options, 1, self.columns and 0 or math.min(#options, OPTIONS), 1, {})
  local headers, rows = { "name", "date", "status", "seconds", "seed" }, {}
  for _, key in ipairs(options) do headers[#headers + 1] = key end
  for _, key in ipairs(figures) do headers[#headers + 1] = key end
  for i, run in ipairs(self) do
    local row = { run.name, date_text(run), run.status, seconds_text(run), short(run.seed) }
    for _, key in ipairs(options) do row[#row + 1] = short(run.options[key]) end
    for _, key in ipairs(figures) do row[#row + 1] = short(value_of(run, key)) end
    rows[i] = row
  end
  local lines = layout(headers, rows)
  if more > 0 then
    lines[#lines + 1] = ("%d more options differ: --diff, --csv or --columns"):format(more)
  end
  return lines
end

-- Everything by which runs can differ, under one name each.
local function aspects(run)
  local r, out = run.record or {}, {}
  out.status, out.seconds, out.date = run.status, run.seconds, date_text(run)
  out.seed = run.seed
  for key, v in pairs(run.options) do
    if key ~= "seed" and key ~= "out" then out["option " .. key] = v end
  end
  for _, part in ipairs { "version", "machine", "git" } do
    for key, v in pairs(flat(r[part], "", {})) do out[part .. " " .. key] = v end
  end
  local named = {}
  for _, key in ipairs(run.shown or {}) do named[key] = true end
  for key, v in pairs(run.figures) do       -- nested ones are for --csv
    if named[key] or not key:find(".", 1, true) then out["figure " .. key] = v end
  end
  return out
end

local rank = { option = 2, version = 3, machine = 4, git = 5, figure = 6 }

local function diff_lines(self)
  local each, names, seen = {}, {}, {}
  for i, run in ipairs(self) do
    each[i] = aspects(run)
    for key in pairs(each[i]) do
      if not seen[key] then
        seen[key] = true
        names[#names + 1] = key
      end
    end
  end
  table.sort(names, function(a, b)
    local x, y = rank[a:match "^%a+"] or 1, rank[b:match "^%a+"] or 1
    if x ~= y then return x < y end
    return a < b
  end)
  local headers, rows = { "" }, {}
  for i, run in ipairs(self) do headers[i + 1] = run.name end
  for _, key in ipairs(names) do
    local row, same = { key }, true
    for i in ipairs(self) do
      row[i + 1] = short(each[i][key])
      same = same and row[i + 1] == row[2]
    end
    if not same then rows[#rows + 1] = row end
  end
  if #rows == 0 then return { "the runs do not differ" } end
  return layout(headers, rows)
end

local function csv_cell(v)
  if v == nil then return "" end
  local text = math.type(v) == "float" and ("%.9g"):format(v) or tostring(v)
  return text:find '[,"\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

-- The columns {name=, part=, key=} of a CSV, each name once: a figure that only repeats an option is
-- left out, what else has a name that is taken is called "option KEY" or "figure KEY".
local function csv_columns(self)
  local columns, taken = {}, {}
  local function add(part, key)
    local name = taken[key] and (part == "options" and "option " or "figure ") .. key or key
    taken[name] = true
    columns[#columns + 1] = { name = name, part = part, key = key }
  end
  for _, key in ipairs { "name", "dir", "started", "status", "seconds", "seed" } do add(nil, key) end
  columns[3].name, taken.date = "date", true
  local function repeats(key)
    for _, run in ipairs(self) do
      if run.figures[key] ~= nil and run.options[key] ~= run.figures[key] then return false end
    end
    return true
  end
  for _, part in ipairs { "options", "figures" } do
    local keys = keys_of(self, part, function(key)
      if part == "options" then return key ~= "seed" end
      return not fixed[key] and not repeats(key)
    end)
    table.sort(keys)
    for _, key in ipairs(keys) do add(part, key) end
  end
  return columns
end

local function csv_lines(self)
  local columns, names, lines = csv_columns(self), {}, {}
  for j, c in ipairs(columns) do names[j] = csv_cell(c.name) end
  lines[1] = table.concat(names, ",")
  for i, run in ipairs(self) do
    local cells = {}
    for j, c in ipairs(columns) do cells[j] = csv_cell((c.part and run[c.part] or run)[c.key]) end
    lines[i + 1] = table.concat(cells, ",")
  end
  return lines
end

---- curves ----

-- x and y of a metric of one run: a column of metrics.csv against its first one, or
-- "curve:nll", that column of curve.csv.
local function curve(run, metric)
  local file, name = metric:match "^([^:]+):(.+)$"
  local names, rows = read_metrics(("%s/%s.csv"):format(run.dir, file or "metrics"))
  if not names then return nil end
  local at
  for j, n in ipairs(names) do
    if n == (name or metric) then at = j end
  end
  if not at then return nil end
  local x, y = {}, {}
  for _, row in ipairs(rows) do
    local a, b = tonumber(row[1]), tonumber(row[at])
    if a and b then x[#x + 1], y[#y + 1] = a, b end
  end
  return #x > 0 and x or nil, y
end

local Runs = {}
Runs.__index = Runs

-- The curves of a metric in one figure, a line for each run that has it.
function Runs:plot(metric)
  local fig, ax
  local left = {}
  for i, run in ipairs(self) do
    local x, y = curve(run, metric)
    if x then
      fig = fig or tide.plot.figure { size = { 560, 360 } }
      ax = ax or fig:axes { xlabel = "step", ylabel = metric:match "[^:]*$" }
      ax:line { x = x, y = y, label = run.name, color = "C" .. (i - 1) % 8 + 1 }
    else
      left[#left + 1] = run.name
    end
  end
  if not fig then
    local near = tide.nearest(metric, keys_of(self, "metrics", function() return true end))
    tide.raise(("runs:plot: none of %d runs has a metric '%s'%s"):format(#self, metric,
      near and ("; did you mean '%s'?"):format(near) or ""))
  end
  if #self > 1 then ax:legend(#self > 6 and { loc = "outside" } or {}) end
  return fig, left
end

function Runs:__tostring()
  if #self == 0 then
    return table.concat(self.notes, "\n") .. (#self.notes > 0 and "\n" or "") .. "no runs"
  end
  local lines = self.format == "csv" and csv_lines(self)
    or self.format == "diff" and diff_lines(self) or list_lines(self)
  if self.format ~= "csv" then
    for _, text in ipairs(remarks(self)) do lines[#lines + 1] = text end
  end
  return table.concat(lines, "\n")
end

---- what a person calls ----

-- tide.runs(word, ..., {sort=, diff=, csv=, columns=}): see its documentation.
function M.list(...)
  local words, o = { ... }, nil
  if type(words[#words]) == "table" then o = table.remove(words) end
  o = tide.options("tide.runs", o, { "sort", "columns", diff = false, csv = false })
  local self = setmetatable({ notes = {}, columns = o.columns }, Runs)
  local single = #words > 1
  if #words == 0 then
    if core.is_folder "runs" then collect("runs", "", self, 0)
    else self.notes[1] = "there is no folder 'runs' here" end
  end
  for _, word in ipairs(words) do
    if type(word) ~= "string" then
      tide.raise("tide.runs: give folders, names or patterns, not a " .. type(word))
    end
    local found, one = find(word, self)
    if not found then self.notes[#self.notes + 1] = one end
    single = single and found and one
  end
  if not single then sort(self, "date") end
  if o.sort then sort(self, o.sort) end
  self.format = o.csv and "csv" or (o.diff or single) and "diff" or "list"
  return self
end

local usage = [[
usage: tide runs [folder|name|pattern ...] [options]
Lists what tide.run recorded, by default below runs/; of runs that are named one
by one it shows how they differ.
  --sort KEY         by name, date, status, seconds, seed, an option or a figure;
                     -KEY: the largest first
  --diff             what differs between the runs
  --columns A,B,...  the options and figures to show
  --csv              everything, as CSV
  --plot METRIC FILE the curves of a metric as a picture; curve:nll is column nll
                     of curve.csv
  --help             this text]]

local function parse(args)
  local o, words, i = {}, {}, 1
  local function value(name)
    i = i + 1
    return args[i] or error(("%s needs a value"):format(name), 0)
  end
  while i <= #args do
    local a = args[i]
    local name, text = a:match "^(%-%-[%w]+)=?(.*)$"
    if not name then words[#words + 1] = a
    elseif name == "--sort" or name == "--columns" then
      o[name:sub(3)] = a:find("=", 1, true) and text or value(name)
    elseif name == "--plot" then o.plot, o.file = value(name), value(name)
    elseif name == "--diff" or name == "--csv" or name == "--help" then
      o[name:sub(3)] = true
    else
      local near = tide.nearest(name, { "--sort", "--columns", "--plot", "--diff",
                                        "--csv", "--help" })
      error(("unrecognized option '%s'%s"):format(a,
        near and (" (did you mean '%s'?)"):format(near) or ""), 0)
    end
    i = i + 1
  end
  return words, o
end

local function command(args)
  local words, o = parse(args)
  if o.help then print(usage) return end
  local columns
  if o.columns then
    columns = {}
    for name in o.columns:gmatch "[^,]+" do columns[#columns + 1] = name end
  end
  words[#words + 1] = { sort = o.sort, diff = o.diff, csv = o.csv, columns = columns }
  local list = M.list(table.unpack(words))
  if not o.plot then print(list) return end
  local fig, left = list:plot(o.plot)
  fig:save(o.file)
  print(("%d of %d runs are drawn in %s"):format(#list - #left, #list, o.file))
  if #left > 0 then print("without this metric: " .. table.concat(left, ", ")) end
end

-- The command line after `tide runs`; returns whether all went well.
function M.main(args)
  local ok, message = pcall(command, args)
  if not ok then io.stderr:write("tide runs: ", require("tide.script").plain(message), "\n") end
  return ok
end

return M
