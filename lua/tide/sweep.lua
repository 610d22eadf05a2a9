-- sweep.lua -- runs a function for every setting of some options and every seed:
-- collects the figures it returns, their means and spreads, as a table, files
-- (sweep.csv: a line for each run; sweep.json) and a picture with error bars.
--
--   local sweep = require "tide.sweep"
--   local result = sweep.run {
--     over = { { "lambda", { 0, 0.001, 0.01 } } },    -- in the order of nesting; {}: seeds only
--     seeds = { 1, 2, 3 },
--     figures = { "psnr", "log_radius" },             -- default: every number
--     out = "runs/trade-off",
--     run = function(setting, seed, dir) return { psnr = ..., log_radius = ... } end,
--   }
--   result.rows[2].lambda, result.rows[2].psnr.mean, result.rows[2].psnr.std
--
-- Examples get all of this from their command line, see script.lua.

local tide = require "tide"

local sweep = {}

---- figures ----

-- Numbers of a nested table by path ("likelihood.ode_nll"); lists are left out.
local function numbers(t)
  local out = {}
  local function visit(prefix, node)
    for key, value in pairs(node) do
      if type(key) == "string" then
        if type(value) == "number" then out[prefix .. key] = value
        elseif type(value) == "boolean" then out[prefix .. key] = value and 1 or 0
        elseif type(value) == "table" then visit(prefix .. key .. ".", value) end
      end
    end
  end
  visit("", t)
  return out
end

-- Mean, standard deviation (of one value: 0) and number of a list; NaN is left out.
local function spread(list)
  local n, sum, squares = 0, 0, 0
  for _, v in ipairs(list) do
    if v == v then n, sum = n + 1, sum + v end
  end
  local mean = sum / n
  for _, v in ipairs(list) do
    if v == v then squares = squares + (v - mean) ^ 2 end
  end
  return { mean = mean, std = n > 1 and math.sqrt(squares / (n - 1)) or 0, n = n }
end

-- Names of figures in order: of those asked for the ones that occur, else all that do, without
-- those that stand for options or times.
local function figure_names(runs, o)
  local some = {}
  for _, name in ipairs(o.figures or {}) do
    for _, r in ipairs(runs) do
      if r.numbers[name] then
        some[#some + 1] = name
        break
      end
    end
  end
  if #some > 0 then return some end
  local seen, names = {}, {}
  for _, setting in ipairs(o.over) do seen[setting[1]] = true end
  seen.seed = true
  for _, r in ipairs(runs) do
    for name in pairs(r.numbers) do
      if not seen[name] then
        seen[name] = true
        if not name:find "^seconds" then names[#names + 1] = name end
      end
    end
  end
  table.sort(names)
  return names
end

---- settings ----

-- Every combination of the values, the last option varying fastest.
local function combinations(over)
  local list = { {} }
  for _, entry in ipairs(over) do
    local longer = {}
    for _, setting in ipairs(list) do
      for _, value in ipairs(entry[2]) do
        local s = {}
        for k, v in pairs(setting) do s[k] = v end
        s[entry[1]] = value
        longer[#longer + 1] = s
      end
    end
    list = longer
  end
  return list
end

local function label(over, setting)
  local parts = {}
  for i, entry in ipairs(over) do
    parts[i] = ("%s=%s"):format(entry[1], tostring(setting[entry[1]]))
  end
  return table.concat(parts, " ")
end

local function check(o)
  if type(o.over) ~= "table" or next(o.over) ~= nil and type(o.over[1]) ~= "table" then
    tide.raise("sweep.run: over is a list of {name, {values}}")
  end
  for _, entry in ipairs(o.over) do
    if type(entry[1]) ~= "string" or type(entry[2]) ~= "table" or #entry[2] == 0 then
      tide.raise("sweep.run: over is a list of {name, {values}}, with one value at least each")
    end
  end
  if not tide.callable(o.run) then
    tide.raise("sweep.run: run must be a function of (setting, seed, dir)")
  end
  if type(o.out) ~= "string" then tide.raise("sweep.run: give the folder as out=") end
end

---- files and pictures ----

local function sorted_keys(runs)
  local seen, keys = {}, {}
  for _, r in ipairs(runs) do
    for name in pairs(r.numbers) do
      if not seen[name] then
        seen[name] = true
        keys[#keys + 1] = name
      end
    end
  end
  table.sort(keys)
  return keys
end

local function save_csv(out, runs, o)
  local swept, names, columns = {}, {}, {}
  for i, entry in ipairs(o.over) do swept[entry[1]], names[i] = true, entry[1] end
  local own = #names
  names[own + 1], names[own + 2] = "seed", "status"
  for _, key in ipairs(sorted_keys(runs)) do
    if not swept[key] and key ~= "seed" then names[#names + 1] = key end
  end
  for j = 1, #names do columns[j] = {} end
  for i, r in ipairs(runs) do
    for j, name in ipairs(names) do
      columns[j][i] = j <= own and r.setting[name] or r.numbers[name]
    end
    columns[own + 1][i], columns[own + 2][i] = r.seed, r.status
  end
  out:csv("sweep.csv", names, columns)
end

-- One panel for each figure: the mean against the first option, a line for each
-- setting of the others, bars of one standard deviation.
local function picture(rows, names, o)
  local first = o.over[1]
  local at, labels, numeric = {}, {}, true
  for i, value in ipairs(first[2]) do
    at[value], labels[i] = i, tostring(value)
    numeric = numeric and type(value) == "number"
  end
  local cols = math.min(3, #names)
  local fig = tide.plot.figure { size = { 330 * cols, 270 * ((#names + cols - 1) // cols) },
                                 rows = (#names + cols - 1) // cols, cols = cols }
  local groups, order = {}, {}
  local others = table.move(o.over, 2, #o.over, 1, {})
  for _, row in ipairs(rows) do
    local name = label(others, row)
    if not groups[name] then groups[name], order[#order + 1] = {}, name end
    table.insert(groups[name], row)
  end
  local ticks = {}
  for i = 1, #labels do ticks[i] = i end
  for k, figure in ipairs(names) do
    local ax = fig:axes { row = (k - 1) // cols + 1, col = (k - 1) % cols + 1,
      xlabel = first[1], ylabel = figure, xticks = ticks, xticklabels = labels,
      xlim = { 0.5, #labels + 0.5 } }
    for g, name in ipairs(order) do
      local x, y, color = {}, {}, "C" .. (g - 1) % 8 + 1
      for _, row in ipairs(groups[name]) do
        local s = row[figure]
        if s and s.n > 0 then
          local shift = (g - (#order + 1) / 2) * 0.08
          x[#x + 1], y[#y + 1] = at[row[first[1]]] + shift, s.mean
          if s.n > 1 then
            ax:line { x = { x[#x], x[#x] }, y = { s.mean - s.std, s.mean + s.std },
                      color = color, width = 1.2, legend = false }
          end
        end
      end
      if #x > 0 then
        ax[numeric and "line" or "scatter"](ax, { x = x, y = y, color = color,
          marker = "circle", size = 5, label = name ~= "" and name or nil })
      end
    end
    if #others > 0 and k == 1 then ax:legend {} end
  end
  return fig
end

---- the table ----

local function cell(s)
  if not s or s.n == 0 then return "-" end
  return s.n > 1 and ("%.4g +- %.2g"):format(s.mean, s.std) or ("%.4g"):format(s.mean)
end

-- Lines as columns.
local function turned(headers, lines)
  local first, rest = { headers[1] }, {}
  for i, line in ipairs(lines) do first[i + 1] = line[1] end
  for j = 2, #headers do
    local line = { headers[j] }
    for i, l in ipairs(lines) do line[i + 1] = l[j] end
    rest[j - 1] = line
  end
  return first, rest
end

-- A line for each setting, or where that is too wide a line for each figure.
local WIDEST = 110
local function print_table(rows, names, o)
  local headers, lines = {}, {}
  for i, entry in ipairs(o.over) do headers[i] = entry[1] end
  headers[#headers + 1] = "runs"
  for _, name in ipairs(names) do headers[#headers + 1] = name end
  for i, row in ipairs(rows) do
    local line = {}
    for j, entry in ipairs(o.over) do line[j] = tostring(row[entry[1]]) end
    line[#line + 1] = row.runs
    for _, name in ipairs(names) do line[#line + 1] = cell(row[name]) end
    lines[i] = line
  end
  local width = 0
  for j, header in ipairs(headers) do
    local widest = #header
    for _, line in ipairs(lines) do widest = math.max(widest, #tostring(line[j])) end
    width = width + widest + 2
  end
  if width > WIDEST then headers, lines = turned(headers, lines) end
  require("tide.script").table(headers, lines)
end

---- running ----

-- One run: its figures, or why there are none.  A failure does not end the sweep.
local function one(o, setting, seed, dir)
  local ok, result = pcall(o.run, setting, seed, dir)
  if not ok then result = tostring(result) end
  if not ok and result:find("interrupted!", 1, true) then error(result, 0) end
  local r = { setting = setting, seed = seed, dir = dir, numbers = {}, status = "finished" }
  if not ok then
    r.status, r.message = "failed", result
    io.stderr:write(("%s, seed %d: %s\n"):format(label(o.over, setting), seed, result))
  elseif type(result) == "table" then
    r.numbers = numbers(result)
  end
  collectgarbage()
  return r
end

local function rows_of(runs, names, o)
  local rows = {}
  for _, setting in ipairs(combinations(o.over)) do
    local row = { runs = 0 }
    for key, value in pairs(setting) do row[key] = value end
    local lists = {}
    for _, name in ipairs(names) do lists[name] = {} end
    for _, r in ipairs(runs) do
      local same = true
      for key, value in pairs(setting) do same = same and r.setting[key] == value end
      if same and r.status == "finished" then
        row.runs = row.runs + 1
        for _, name in ipairs(names) do table.insert(lists[name], r.numbers[name]) end
      end
    end
    for _, name in ipairs(names) do row[name] = spread(lists[name]) end
    rows[#rows + 1] = row
  end
  return rows
end

-- See the head of this file.  Returns {rows=, runs=, figures=, failed=}; quiet=true
-- prints nothing.
function sweep.run(o)
  o = tide.options("sweep.run", o, { "over", "run", "figures", "out", seeds = { 1 },
                                     name = "sweep", quiet = false })
  check(o)
  local out = tide.run { path = o.out, overwrite = true, name = o.name, kind = "sweep",
                         options = { over = o.over, seeds = o.seeds } }
  local runs, failed, total = {}, 0, 0
  local settings = combinations(o.over)
  local bar <close> = not o.quiet and
    tide.progress { label = o.name, total = #settings * #o.seeds, unit = "run" }
  for _, setting in ipairs(settings) do
    for _, seed in ipairs(o.seeds) do
      total = total + 1
      local text = label(o.over, setting)
      if not o.quiet then
        io.stderr:write(("-- %s%sseed %d (%d of %d)\n"):format(text, text == "" and "" or ", ",
          seed, total, #settings * #o.seeds))
      end
      local dir = ("%s/%s seed=%d"):format(o.out, text, seed):gsub("/ ", "/"):gsub("[^%w%./=_+-]", "_")
      local r = one(o, setting, seed, dir)
      runs[#runs + 1] = r
      if r.status == "failed" then failed = failed + 1 end
      save_csv(out, runs, o)               -- what is there survives a kill
      if bar then bar:update(total) end
    end
  end
  if bar then bar:close() end
  local names = figure_names(runs, o)
  local rows = rows_of(runs, names, o)
  local result = { rows = rows, runs = runs, figures = names, failed = failed }
  out:json("sweep.json", { name = o.name, over = o.over, seeds = o.seeds,
                           figures = names, rows = rows, runs = runs })
  if #names > 0 and #o.over > 0 and tide.plot.can_save then
    out:figure("sweep", picture(rows, names, o))
  end
  out:finish { runs = #runs, failed = failed }
  if not o.quiet then
    print()
    print_table(rows, names, o)
    print(("%d runs, %d failed; results are in %s"):format(#runs, failed, o.out))
  end
  return result
end

return sweep
