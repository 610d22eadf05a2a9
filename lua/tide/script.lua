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
-- make all combinations. A run that fails is reported, and the others go on; with
-- --continue, runs that finished earlier with the same options are not run again.

local tide = require "tide"

local script = {}

---- options ----

local common = {
  { "seed", 1, "seed of every random stream" },
  { "out", nil, "folder for results (default runs/NAME)" },
  { "device", "cpu", "cpu, cuda, cuda:1 ..." },
  { "eager", false, "run every step as it is, nothing captured" },
  { "sweep", nil, "KEY=V1,V2,...: run once for each value of an option", many = true },
  { "seeds", 1, "how many seeds, for each value of --sweep", least = 1 },
  { "continue", false, "with --sweep: runs that finished earlier are not run again" },
}

local function all_options(spec)
  local list, by_name = {}, {}
  for _, group in ipairs { spec.options, spec.common or common } do
    for _, o in ipairs(group) do
      if not by_name[o[1]] then
        list[#list + 1] = o
        by_name[o[1]] = o
      end
    end
  end
  return list, by_name
end

local function usage(spec, list, file)
  local lines = { spec.about, "",
    ("usage: tide %s [options]"):format(spec.file or file or spec.name .. ".lua"),
    "" }
  for _, o in ipairs(list) do
    local default = o[2] == nil and "" or (" [%s]"):format(tostring(o[2]))
    lines[#lines + 1] = ("  --%-14s %s%s"):format(o[1], o[3], default)
  end
  lines[#lines + 1] = ("  --%-14s %s"):format("help", "this text")
  lines[#lines + 1] = spec.notes
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
    if (o.whole or not o.type and math.type(o[2]) == "integer") and math.type(n) ~= "integer" then
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

-- The values of the options in a list of arguments, and which were given.  A program
-- that is no run of an example has spec.common = {}.
local function read(spec, args)
  local list, by_name = all_options(spec)
  local given, values, i = {}, {}, 1
  for _, o in ipairs(list) do values[o[1]] = o[2] end
  while i <= #args do
    local name, text = args[i]:match("^%-%-([%w-]+)=?(.*)$")
    if not name then fail(spec, ("'%s' is no option"):format(args[i])) end
    if name == "help" then
      print(usage(spec, list, args[0]))
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

script.read = read

-- Reads --name value and --name=value into a table; flags have a default of
-- false.  Knows --help, --seed, --out, --device, --sweep and --seeds without
-- being told.
function script.options(spec, args)
  local values, given = read(spec, args)
  values.out = values.out or "runs/" .. spec.name
  tide.seed(values.seed)
  tide.set_device(values.device)
  if values.eager then tide.capture.enabled = false end
  return values, given
end

---- main ----

-- An error as a command says it: without the line of the library that raised it.
function script.plain(message) return (tostring(message):gsub("^tide/[^:]*:%d+: ", "")) end

local current                        -- {spec=, options=, results=} of the run of main

-- Calls main(options) and returns its figures: a table, or what it wrote as
-- summary.json.
local function run(spec, main, args)
  local values, given = script.options(spec, args)
  local own = { spec = spec, options = values }
  current = own
  local ok, figures = xpcall(main, function(message)
    if own.results then own.results:fail(message) end
    return os.getenv "TIDE_TRACEBACK" and debug.traceback(message, 2) or message
  end, values, given)
  current = nil
  if not ok then error(figures, 0) end
  local results = own.results
  figures = type(figures) == "table" and figures or results and results.summary
  if results then results:finish(figures) end
  return figures
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

-- The arguments without --sweep, --seeds, --continue, --seed and --out.
local function remaining(args)
  local drop, out, i = { sweep = true, seeds = true, seed = true, out = true }, {}, 1
  while i <= #args do
    local name = args[i]:match "^%-%-([%w-]+)"
    if not drop[name] then
      if name ~= "continue" then out[#out + 1] = args[i] end
    elseif not args[i]:find("=", 1, true) then
      i = i + 1
    end
    i = i + 1
  end
  return out
end

-- The figures of a run in dir that finished with the options of these arguments.
local function finished(spec, args, dir)
  if not require("tide.data.core").is_file(dir .. "/run.json") then return nil end
  local r = tide.runs(dir)[1]
  if not r or r.status ~= "finished" then return nil end
  for key, value in pairs((read(spec, args))) do
    if key ~= "out" and key ~= "resume" and r.options[key] ~= value then return nil end
  end
  return r.record.summary
end

local function run_sweep(spec, main, args, values)
  local over, seeds, names = {}, {}, {}
  for i, text in ipairs(values.sweep or {}) do
    over[i] = swept(spec, text)
    names[i] = over[i][1]
  end
  for i = 1, values.seeds do seeds[i] = values.seed + i - 1 end
  local result = require("tide.sweep").run {
    name = spec.name, over = over, seeds = seeds, figures = spec.figures,
    out = values.out or ("runs/%s-%s"):format(spec.name, names[1] and table.concat(names, "-") or "seeds"),
    run = function(setting, seed, dir)
      local list = remaining(args)
      for key, value in pairs(setting) do
        if value == true then list[#list + 1] = "--" .. key
        elseif value ~= false then list[#list + 1] = ("--%s=%s"):format(key, value) end
      end
      if setting.seed == nil then list[#list + 1] = "--seed=" .. seed end
      list[#list + 1] = "--out=" .. dir
      return values.continue and finished(spec, list, dir) or run(spec, main, list)
    end }
  if result.failed > 0 then error(("%d runs failed"):format(result.failed), 0) end
end

-- Runs main(options), or a sweep of it: what goes wrong is one line and status 1;
-- with TIDE_TRACEBACK set, the place too.
function script.main(spec, main, args)
  local ok, message = pcall(function()
    local values = read(spec, args)
    if values.sweep or values.seeds > 1 then run_sweep(spec, main, args, values)
    else run(spec, main, args) end
  end)
  if ok then return end
  io.stderr:write(spec.name, ": ", script.plain(message), "\n")
  os.exit(1, true)
end

---- results ----

-- A record of this run (tide.run) in the folder dir, which is made when it is not
-- there: with the options, and for results.
function script.results(dir)
  local c = current
  local results = tide.run { path = dir, overwrite = true,
    name = c and c.spec.name or nil, options = c and c.options or nil,
    figures = c and c.spec.figures or nil }
  if c then c.results = c.results or results end
  return results
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

-- A report function for loops that shows how far they are: called with {step=,
-- steps=, loss=, ...}.  flow.train and flow.align take its label for their own line.
local Report = {}
Report.__index = Report

function Report:__call(info)
  self.bar = self.bar or tide.progress { label = self.label, total = info.steps }
  self.bar:update(info.step, { loss = info.loss, nll = info.nll })
  if info.step >= info.steps then
    self.bar:close()
    self.bar = nil
  end
end

function script.progress(label) return setmetatable({ label = label }, Report) end

return script
