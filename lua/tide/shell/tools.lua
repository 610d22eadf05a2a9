-- tools.lua -- what makes a session comfortable: !command, who, time, bench, profile.
local tide = require("tide")
local show = require("tide.shell.show")
local color = require("tide.shell.color")
local M = {}

-- ---- text ----

local function painter() return color.painter(color.wanted(1)) end

local function say(...) io.stdout:write(...) end

-- Rows of texts below their titles; columns whose title begins with ">" stand to the right.
local function table_text(titles, rows, paint)
  local width, right = {}, {}
  for c, title in ipairs(titles) do
    right[c] = title:sub(1, 1) == ">"
    titles[c] = title:gsub("^>", "")
    width[c] = #titles[c]
    for _, row in ipairs(rows) do width[c] = math.max(width[c], color.width(row[c])) end
  end
  local function line(row)
    local cells = {}
    for c, text in ipairs(row) do
      local pad = (" "):rep(width[c] - color.width(text))
      cells[c] = right[c] and pad .. text or text .. pad
    end
    return (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  local out = { paint("title", line(titles)) }
  for i, row in ipairs(rows) do out[i + 1] = line(row) end
  return table.concat(out, "\n")
end

local function print_table(titles, rows) say(table_text(titles, rows, painter()), "\n") end

-- "1.23 ms"
function M.duration(s)
  for _, unit in ipairs { { 1, "s" }, { 1e-3, "ms" }, { 1e-6, "us" } } do
    if s >= unit[1] then return ("%.3g %s"):format(s / unit[1], unit[2]) end
  end
  return ("%.3g ns"):format(s * 1e9)
end

local function need_function(what, f)
  if not tide.callable(f) then
    tide.raise(("%s: give a function, as in %s(function() ... end), not a %s"):format(what, what,
      tide.type(f)))
  end
end

-- What the prompt says of an entry that took long, where a person waits.
function M.took(seconds)
  if not require("tide.shell.core").isatty(1) then return end
  say(painter()("note", ("[%s]"):format(M.duration(seconds))), "\n")
end

-- ---- !command ----

-- Runs a shell command for the prompt and says its status when that is not 0. Ctrl-C reaches the
-- command, not the session.
function M.command(text)
  local line = text:gsub("^%s*!", "")
  io.stdout:flush()
  io.stderr:flush()
  local ok, how, code = os.execute(line)
  if ok then return end
  say(painter()("note", ("[%s %d]"):format(how == "signal" and "signal" or "status", code)), "\n")
end

-- ---- who ----

-- Globals that are there before anybody types.
local usual = {}
for name in ([[_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io ipairs
  load loadfile math next os package pairs pcall print rawequal rawget rawlen rawset require select
  setmetatable string table tonumber tostring type utf8 warn xpcall arg _ _PROMPT _PROMPT2 tide tensor
  nn optim flow plot data metrics help]]):gmatch("%S+") do usual[name] = true end

-- The user's variables by name.
local function variables()
  local values = {}
  for name, v in next, _G do
    if type(name) == "string" and not usual[name] and v ~= rawget(tide, name) then
      values[name] = v
    end
  end
  local prompt = package.loaded["tide.shell.statement"]
  if prompt and prompt.current then
    for name, v in pairs(prompt.current:locals()) do values[name] = v end
  end
  return values
end

-- Tensors inside a value: calls visit for each, once.
local function each_tensor(v, visit, depth, seen)
  if tide.tensor.is_tensor(v) then
    if not seen[v] then visit(v) end
    seen[v] = true
  elseif type(v) == "table" and not seen[v] and depth < 6 and v ~= tide then
    seen[v] = true
    for _, inner in next, v do each_tensor(inner, visit, depth + 1, seen) end
  end
end

local function only(set)
  local one = next(set)
  return one == nil and "" or next(set, one) == nil and one or "mixed"
end

-- One row of who: a variable with tensors in it, or nil.
local function describe(name, v)
  local row = { name = name, bytes = 0, count = 0, kind = "tensor", shape = "" }
  local dtypes, devices = {}, {}
  each_tensor(v, function(x)
    if not pcall(x.dim, x) then return end        -- freed
    row.count = row.count + 1
    row.bytes = row.bytes + show.tensor_bytes(x)
    dtypes[x.dtype], devices[x.device] = true, true
  end, 0, {})
  if row.count == 0 then return nil end
  row.dtype, row.device = only(dtypes), only(devices)
  if tide.tensor.is_tensor(v) then
    row.shape = "(" .. table.concat(v.shape, ", ") .. ")"
  elseif show.is_module(v) then
    row.kind = v.__name
    row.shape = ("%s parameters"):format(show.grouped(v:num_parameters()))
  else
    row.kind = "table"
    row.shape = ("%d tensor%s"):format(row.count, row.count == 1 and "" or "s")
  end
  return row
end

-- Variables that hold tensors, largest first, and how many others there are by type.
function M.variables()
  local rows, others = {}, {}
  for name, v in pairs(variables()) do
    local row = describe(name, v)
    rows[#rows + 1] = row
    if not row then others[type(v)] = (others[type(v)] or 0) + 1 end
  end
  table.sort(rows, function(a, b)
    if a.bytes ~= b.bytes then return a.bytes > b.bytes end
    return a.name < b.name
  end)
  return rows, others
end

-- who(): prints the variables of the session that hold tensors.
function M.who()
  local rows, others = M.variables()
  local lines, total, rest = {}, 0, {}
  for i, r in ipairs(rows) do
    lines[i] = { r.name, r.kind, r.shape, r.dtype, r.device, show.bytes(r.bytes) }
    total = total + r.bytes
  end
  if #rows > 0 then
    print_table({ "name", "kind", "shape", "dtype", "device", ">bytes" }, lines)
  end
  for kind, n in pairs(others) do
    rest[#rest + 1] = ("%d %s%s"):format(n, kind, n == 1 and "" or "s")
  end
  table.sort(rest)
  say(("%s variable%s with tensors, %s"):format(#rows == 0 and "no" or #rows,
    #rows == 1 and "" or "s", show.bytes(total)),
    #rest > 0 and "; others: " .. table.concat(rest, ", ") or "", "\n")
  say(tostring(tide.memory()), "\n")
end

-- ---- time ----

local function finish_time(start, cpu, bytes, heap, ...)
  tide.sync()
  local wall, spent = tide.clock() - start, os.clock() - cpu
  local more = collectgarbage("count") - heap
  say(painter()("note", ("%s, CPU %s, tensors %s, Lua %s%s"):format(M.duration(wall),
    M.duration(spent), show.bytes(tide.memory().total - bytes), more < 0 and "-" or "+",
    show.bytes(math.abs(more) * 1024 // 1))), "\n")
  return ...
end

-- time(f, ...): calls f(...), prints what that took, returns what f returns.
function M.time(f, ...)
  need_function("time", f)
  tide.sync()
  local bytes, heap = tide.memory().total, collectgarbage("count")
  local start, cpu = tide.clock(), os.clock()
  return finish_time(start, cpu, bytes, heap, f(...))
end

-- ---- bench ----

local function quantile(sorted, q)
  local at = 1 + q * (#sorted - 1)
  local low = math.floor(at)
  local high = math.min(low + 1, #sorted)
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low)
end

local function timed(f, calls)
  local start = tide.clock()
  for _ = 1, calls do f() end
  tide.sync()
  return (tide.clock() - start) / calls
end

-- How often to call f between two looks at the clock, so that its grain does not matter.
local function calls_per_sample(f)
  local calls, spent = 1, timed(f, 1)
  while spent * calls < 1e-3 and calls < 1e6 do
    calls = math.min(calls * 10, math.max(calls * 2, math.ceil(1.2e-3 / math.max(spent, 1e-9))))
    spent = timed(f, calls)
  end
  return calls
end

-- The functions as {name=, f=}, in the order of their names.
local function contestants(what)
  if tide.callable(what) then return { { name = "", f = what } } end
  local list = {}
  if type(what) == "table" then
    for name, f in pairs(what) do
      need_function("bench", f)
      list[#list + 1] = { name = tostring(name), f = f }
    end
  end
  if #list == 0 then need_function("bench", what) end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- Medians and quartiles of the time of one call: {name={median=, low=, high=, calls=}}. The
-- functions take turns, so that what disturbs one disturbs the others too.
function M.measure(what, o)
  o = tide.options("bench", o, { seconds = 0.5 })
  local list = contestants(what)
  for _, c in ipairs(list) do
    c.each, c.samples = calls_per_sample(c.f), {}
  end
  local stop = tide.clock() + o.seconds * #list
  repeat
    for _, c in ipairs(list) do c.samples[#c.samples + 1] = timed(c.f, c.each) end
  until tide.clock() >= stop
  local result, best = {}, math.huge
  for i, c in ipairs(list) do
    table.sort(c.samples)
    local s = c.samples
    local r = { name = c.name, median = quantile(s, 0.5), low = quantile(s, 0.25),
      high = quantile(s, 0.75), calls = #s * c.each }
    result[i], result[c.name] = r, r
    best = math.min(best, r.median)
  end
  for _, r in ipairs(result) do r.ratio = r.median / best end
  return result
end

local Figures = { __name = "tide.Bench" }

function Figures.__tostring(result)
  local rows = {}
  for i, r in ipairs(result) do
    rows[i] = { r.name, M.duration(r.median), M.duration(r.low) .. " .. " .. M.duration(r.high),
      show.grouped(r.calls), ("%.2f"):format(r.ratio) }
    if #result == 1 then
      table.remove(rows[i], 5)
      table.remove(rows[i], 1)
    end
  end
  return table_text(#result == 1 and { ">median", ">half of the calls", ">calls" }
    or { "", ">median", ">half of the calls", ">calls", ">ratio" }, rows, color.painter(false))
end

-- bench(f) or bench{a=f, b=g}: the figures, which print as a table.
function M.bench(what, o)
  return setmetatable(M.measure(what, o), Figures)
end

-- ---- profile ----

local function label(r)
  return r.of and ("%s  (gradient of %s)"):format(r.op, r.of) or r.op
end

local function combined(list, key)
  local by, rows = {}, {}
  for _, r in ipairs(list) do
    local k = key(r)
    if not by[k] then
      by[k] = { what = k, calls = 0, seconds = 0, bytes = 0 }
      rows[#rows + 1] = by[k]
    end
    local s = by[k]
    s.calls, s.seconds, s.bytes = s.calls + r.calls, s.seconds + r.seconds, s.bytes + r.bytes
  end
  table.sort(rows, function(a, b) return a.seconds > b.seconds end)
  return rows
end

local function print_costs(title, list, total, most)
  local rows = {}
  for i = 1, math.min(#list, most) do
    local r = list[i]
    rows[i] = { M.duration(r.seconds), ("%.1f%%"):format(100 * r.seconds / total),
      show.grouped(r.calls), show.bytes(r.bytes), r.what }
  end
  print_table({ ">time", ">share", ">calls", ">bytes", title }, rows)
  if #list > most then say(("  ... %d more\n"):format(#list - most)) end
end

-- Prints what tide.debug.profile returned.
function M.print_profile(rows)
  local inside = 0
  for _, r in ipairs(rows) do inside = inside + r.seconds end
  local total = math.max(rows.seconds, inside, 1e-12)
  print_costs("op", combined(rows, label), total, 15)
  say("\n")
  print_costs("line", combined(rows, function(r) return r.line end), total, 8)
  say(("\n%s in all; %s (%.1f%%) in ops, the rest in Lua and between them\n"):format(
    M.duration(rows.seconds), M.duration(inside), 100 * inside / total))
end

-- profile(f, ...): calls f(...), prints what its ops cost, returns what f returns.
function M.profile(f, ...)
  need_function("profile", f)
  local result = table.pack(tide.debug.profile(f, ...))
  M.print_profile(result[1])
  return table.unpack(result, 2, result.n)
end

return M
