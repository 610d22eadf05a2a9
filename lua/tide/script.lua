-- script.lua -- what every example shares: options from the command line, the
-- folder its results go to, and sweeps over options.
--
--   local SPEC = { name = "toy", about = "What it does.",
--                  options = { { "lambda", 0.01, "weight of the alignment loss" } },
--                  figures = { "psnr", "log_radius" } }    -- columns of a sweep
--   local function main(o)
--     local out = script.results(o.out)
--     ...
--     out:json("summary.json", summary)
--     return summary                      -- figures, as a table of numbers
--   end
--   script.main(SPEC, main, arg)
--
-- `tide toy.lua --sweep lambda=0,0.001,0.01 --seeds 3` calls main once for every
-- value and seed, with o.lambda, o.seed and o.out (a folder of its own below --out)
-- set as if they had been given on the command line. What main returns (or else
-- wrote as summary.json) is collected: a table of means and spreads is printed, and
-- sweep.csv, sweep.json, sweep.png and sweep.pdf are written to --out (default
-- runs/NAME-lambda). SPEC.figures names the numbers to show; "losses.excess.final_nll"
-- names one in a nested table; without it all of them are shown. Several --sweep
-- make all combinations. A run that fails is reported, and the others go on.

local tide = require "tide"

local script = {}

---- options ----

local common = {
  { "seed", 1, "seed of every random stream" },
  { "out", nil, "folder for results (default runs/NAME)" },
  { "device", "cpu", "cpu, cuda, cuda:1 ..." },
  { "sweep", nil, "KEY=V1,V2,...: run once for each value of an option", many = true },
  { "seeds", 1, "how many seeds for each value of --sweep", least = 1 },
}

local function all_options(spec)
  local list, by_name = {}, {}
  for _, group in ipairs { spec.options, common } do
    for _, o in ipairs(group) do
      if not by_name[o[1]] then
        list[#list + 1] = o
        by_name[o[1]] = o
      end
    end
  end
  return list, by_name
end

local function usage(spec, list)
  local lines = { spec.about, "",
    ("usage: tide %s [options]"):format(spec.file or ("examples/" .. spec.name .. ".lua")),
    "" }
  for _, o in ipairs(list) do
    local default = o[2] == nil and "" or (" [%s]"):format(tostring(o[2]))
    lines[#lines + 1] = ("  --%-14s %s%s"):format(o[1], o[3], default)
  end
  lines[#lines + 1] = ("  --%-14s %s"):format("help", "this text")
  return table.concat(lines, "\n")
end

local function fail(spec, message)
  io.stderr:write(spec.name, ": ", message, "; --help lists the options\n")
  os.exit(1, true)
end

-- The text of a value in the type of the option's default.
local function parse(spec, o, text)
  local kind = o.type or type(o[2])
  if kind == "number" then
    local n = math.tointeger(text) or tonumber(text)
    if not n then
      fail(spec, ("--%s wants a number, not '%s'"):format(o[1], text))
    end
    local least = o.least or 0
    if (o.whole or math.type(o[2]) == "integer") and math.type(n) ~= "integer" then
      fail(spec, ("--%s wants a whole number, not '%s'"):format(o[1], text))
    end
    if not (n >= least and n < math.huge) then
      fail(spec, ("--%s wants at least %g, not %s"):format(o[1], least, text))
    end
    return n
  end
  if o.one_of and not o.one_of[text] then
    local names = {}
    for name in pairs(o.one_of) do names[#names + 1] = name end
    table.sort(names)
    fail(spec, ("--%s is one of %s, not '%s'")
         :format(o[1], table.concat(names, ", "), text))
  end
  return text
end

local function nearest(name, by_name)
  local names = {}
  for n in pairs(by_name) do names[#names + 1] = n end
  return tide.nearest(name, names)
end

-- The values of the options in a list of arguments, and which were given.
local function read(spec, args)
  local list, by_name = all_options(spec)
  local given, values, i = {}, {}, 1
  for _, o in ipairs(list) do values[o[1]] = o[2] end
  while i <= #args do
    local name, text = args[i]:match("^%-%-([%w-]+)=?(.*)$")
    if not name then fail(spec, ("'%s' is no option"):format(args[i])) end
    if name == "help" then
      print(usage(spec, list))
      os.exit(0, true)
    end
    local o = by_name[name]
    if not o then
      local near = nearest(name, by_name)
      fail(spec, ("unknown option --%s%s"):format(name,
           near and (" (did you mean --%s?)"):format(near) or ""))
    end
    if o[2] == false then
      values[name] = true
    else
      if not args[i]:find("=", 1, true) then
        i = i + 1
        text = args[i] or fail(spec, ("--%s wants a value"):format(name))
      end
      if o.many then
        values[name] = values[name] or {}
        table.insert(values[name], text)
      else
        values[name] = parse(spec, o, text)
      end
    end
    given[name] = true
    i = i + 1
  end
  return values, given
end

-- Reads --name value and --name=value into a table; flags have a default of
-- false.  Knows --help, --seed, --out, --device, --sweep and --seeds without
-- being told.
function script.options(spec, args)
  local values, given = read(spec, args)
  values.out = values.out or "runs/" .. spec.name
  tide.seed(values.seed)
  tide.set_device(values.device)
  return values, given
end

---- main ----

local current                        -- {spec=, options=, results=} of the run of main

-- Calls main(options) and returns its figures: a table, or what it wrote as
-- summary.json.
local function run(spec, main, args)
  local values, given = script.options(spec, args)
  current = { spec = spec, options = values }
  local figures = main(values, given)
  local results = current.results
  current = nil
  return type(figures) == "table" and figures or results and results.summary
end

-- --sweep key=v1,v2 as {key, {values}}.
local function swept(spec, text)
  local _, by_name = all_options(spec)
  local key, list = text:match "^([%w-]+)=(.+)$"
  local o = key and by_name[key]
  if not o or o.many or key == "seeds" then
    fail(spec, ("--sweep wants an option and its values, as in --sweep seed=1,2,3, " ..
                "not '%s'"):format(text))
  end
  local values = {}
  for v in (list .. ","):gmatch "([^,]*)," do
    values[#values + 1] = o[2] == false and v == "true" or parse(spec, o, v)
  end
  return { key, values }
end

-- The arguments without --sweep, --seeds, --seed and --out.
local function remaining(args)
  local drop, out, i = { sweep = true, seeds = true, seed = true, out = true }, {}, 1
  while i <= #args do
    local name = args[i]:match "^%-%-([%w-]+)"
    if not drop[name] then
      out[#out + 1] = args[i]
    elseif not args[i]:find("=", 1, true) or args[i]:match "^%-%-sweep$" then
      i = i + 1
    end
    i = i + 1
  end
  return out
end

local function run_sweep(spec, main, args, values)
  local over, seeds, names = {}, {}, {}
  for i, text in ipairs(values.sweep) do
    over[i] = swept(spec, text)
    names[i] = over[i][1]
  end
  for i = 1, values.seeds do seeds[i] = values.seed + i - 1 end
  local result = require("tide.sweep").run {
    name = spec.name, over = over, seeds = seeds, figures = spec.figures,
    out = values.out or ("runs/%s-%s"):format(spec.name, table.concat(names, "-")),
    run = function(setting, seed, dir)
      local list = remaining(args)
      for key, value in pairs(setting) do
        if value == true then list[#list + 1] = "--" .. key
        elseif value ~= false then list[#list + 1] = ("--%s=%s"):format(key, value) end
      end
      if setting.seed == nil then list[#list + 1] = "--seed=" .. seed end
      list[#list + 1] = "--out=" .. dir
      return run(spec, main, list)
    end }
  if result.failed > 0 then error(("%d runs failed"):format(result.failed), 0) end
end

-- Runs main(options), or a sweep of it: what goes wrong is one line and status 1;
-- with TIDE_TRACEBACK set, the place too.
function script.main(spec, main, args)
  local function report(message)
    return os.getenv("TIDE_TRACEBACK") and debug.traceback(message, 2) or message
  end
  local ok, message = xpcall(function()
    local values = read(spec, args)
    if values.sweep then run_sweep(spec, main, args, values)
    else run(spec, main, args) end
  end, report)
  if ok then return end
  io.stderr:write(spec.name, ": ", tostring(message), "\n")
  os.exit(1, true)
end

---- results ----

local Results = {}
Results.__index = Results

-- The folder dir, made when it is not there.
function script.results(dir)
  require("tide.data.core").mkdir(dir)
  local results = setmetatable({ dir = dir }, Results)
  if current then current.results = current.results or results end
  return results
end

function Results:path(name) return self.dir .. "/" .. name end

-- Text in one piece: under another name first, then renamed.
function Results:write(name, text)
  local path = self:path(name)
  local temporary = path .. ".part"
  local file, why = io.open(temporary, "wb")
  if not file then error("cannot write " .. path .. ": " .. why, 2) end
  local ok = file:write(text)
  ok = file:close() and ok
  if not ok or not os.rename(temporary, path) then
    os.remove(temporary)
    error("cannot write " .. path .. ": is the disk full?", 2)
  end
end

function Results:json(name, value)
  if name == "summary.json" then self.summary = value end
  self:write(name, require("tide.json").encode(value) .. "\n")
end

-- Columns of equal length under their names.
function Results:csv(name, names, columns)
  local lines = { table.concat(names, ",") }
  for i = 1, #columns[1] do
    local row = {}
    for j = 1, #columns do
      local v = columns[j][i]
      row[j] = v == nil and "" or math.type(v) == "float" and ("%.9g"):format(v)
        or tostring(v)
    end
    lines[#lines + 1] = table.concat(row, ",")
  end
  self:write(name, table.concat(lines, "\n") .. "\n")
end

-- A tensor, or a table of tensors, in the format of the extension.
function Results:save(name, x) tide.data.save(self:path(name), x) end

-- A figure as .png and .pdf, where this build can draw.
function Results:figure(name, fig)
  if not tide.plot.can_save then return end
  fig:save(self:path(name .. ".png"))
  fig:save(self:path(name .. ".pdf"))
end

---- tables ----

-- Prints rows of cells under headers, numbers to four digits, aligned.
function script.table(headers, rows)
  local text, width = {}, {}
  local function cell(v)
    if math.type(v) == "float" then
      return v ~= v and "-" or ("%.4g"):format(v)
    end
    return v == nil and "-" or tostring(v)
  end
  for i, row in ipairs { headers, table.unpack(rows) } do
    text[i] = {}
    for j = 1, #headers do
      text[i][j] = cell(row[j])
      width[j] = math.max(width[j] or 0, utf8.len(text[i][j]) or #text[i][j])
    end
  end
  for i, row in ipairs(text) do
    local line = {}
    for j, s in ipairs(row) do
      local pad = (" "):rep(width[j] - (utf8.len(s) or #s))
      line[j] = j == 1 and s .. pad or pad .. s
    end
    print((table.concat(line, "  "):gsub("%s+$", "")))
    if i == 1 then
      local total = 2 * (#headers - 1)
      for _, w in ipairs(width) do total = total + w end
      print(("-"):rep(total))
    end
  end
end

-- A report function that prints one line every few seconds.
function script.progress(label)
  local last = -math.huge
  return function(info)
    local now = tide.clock()
    if now - last < 2 and info.step < info.steps then return end
    last = now
    local rest = info.seconds / info.step * (info.steps - info.step)
    io.stderr:write(("%-22s %6d/%d  loss %8.4f%s  %5.1f s, %.0f s left\n"):format(
      label, info.step, info.steps, info.loss,
      info.nll and ("  nll %7.3f"):format(info.nll) or "", info.seconds, rest))
  end
end

return script
