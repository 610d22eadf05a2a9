-- script.lua -- what every example shares: options from the command line, and the
-- folder its results go to.

local tide = require "tide"

local script = {}

---- options ----

local common = {
  { "seed", 1, "seed of every random stream" },
  { "out", nil, "folder for results (default runs/NAME)" },
  { "device", "cpu", "cpu, cuda, cuda:1 ..." },
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

-- Reads --name value and --name=value into a table; flags have a default of
-- false.  Knows --help, --seed, --out and --device without being told.
function script.options(spec, args)
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
      values[name] = parse(spec, o, text)
    end
    given[name] = true
    i = i + 1
  end
  values.out = values.out or "runs/" .. spec.name
  tide.seed(values.seed)
  tide.set_device(values.device)
  return values, given
end

-- Runs main(options): what goes wrong is one line and status 1; with
-- TIDE_TRACEBACK set, the place too.
function script.main(spec, main, args)
  local function report(message)
    return os.getenv("TIDE_TRACEBACK") and debug.traceback(message, 2) or message
  end
  local ok, message = xpcall(function()
    main(script.options(spec, args))
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
  return setmetatable({ dir = dir }, Results)
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
  self:write(name, require("tide.json").encode(value) .. "\n")
end

-- Columns of equal length under their names.
function Results:csv(name, names, columns)
  local lines = { table.concat(names, ",") }
  for i = 1, #columns[1] do
    local row = {}
    for j = 1, #columns do
      local v = columns[j][i]
      row[j] = v == nil and "" or math.type(v) == "integer" and tostring(v)
        or ("%.9g"):format(v)
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
