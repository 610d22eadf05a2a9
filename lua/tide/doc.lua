-- doc.lua -- the documentation table: one entry for each public function.
--
-- An entry has name, sig, text, args ({name, type, what} each), returns, errors,
-- source and example. Those of ops come from the registry; the files in tide/doc/
-- add to them and hold the others. help, the manual, the stubs for editors and
-- the tests of examples all read this table.
--
-- A page about a subject instead of a function is an entry "topic.NAME" with title and text
-- (lines as they are to be shown, at most 78 columns); ?NAME shows it.
local tide = require("tide")
local M = {}

-- Modules in the order of the manual.
M.modules = { "tide", "tensor", "nn", "optim", "flow", "metrics", "data", "plot" }
M.about = {
  tide = "Devices, threads, random numbers, gradients on and off, memory, help.",
  tensor = "Tensors: making, indexing, arithmetic, linear algebra, gradients.",
  nn = "Networks: modules, layers, functions that layers are made of.",
  optim = "Optimisers, schedules, averages of weights, clipping.",
  flow = "Flow matching and alignment of latents with flow priors.",
  metrics = "Measures of distributions and of agreement.",
  data = "Reading and writing arrays, data sets, batches.",
  plot = "Figures.",
}

-- ---- entries from the registry ----

local kinds = {
  T = { "tensor|number", "" },
  O = { "tensor", "may be nil" },
  C = { "tensor|boolean", "a condition: not 0 counts as true" },
  X = { "tensor|table", "positions, from 1" },
  M = { "table", "list of tensors" },
  F = { "number", "" },
  I = { "integer", "" },
  B = { "boolean", "" },
  Y = { "string", "name of a dtype" },
  D = { "integer", "a dim, from 1; negative from the end" },
  P = { "integer", "a position, from 1; negative from the end" },
  A = { "integer|table", "a dim or several, from 1; negative from the end" },
  S = { "integer|table", "sizes, as a table or one after the other" },
}
local said = {
  keepdim = "keep the dims that are combined, with size 1",
  correction = "subtracted from the number of elements in the divisor",
  descending = "largest first",
}

local function argument(a, first)
  local type, what = table.unpack(kinds[a.kind])
  what = said[a.name] or what
  if first and a.kind == "T" then type = "tensor" end
  if a.kind == "A" and a.optional then what = what .. "; default: all" end
  if a.kind == "B" and a.optional and not said[a.name] then what = "default false" end
  if a.default then
    what = (what == "" and "" or what .. "; ") .. "default " .. tostring(a.default)
  end
  return { a.name, type, what, optional = a.optional }
end

local function signature(op)
  local first, rest = op.args[1], {}
  local method = first.kind == "T"
  for i, a in ipairs(op.args) do
    if i > 1 or not method then
      rest[#rest + 1] = a.optional and "[" .. a.name .. "]" or a.name
    end
  end
  return ("%s%s(%s)"):format(method and first.name .. ":" or "tensor.", op.name,
    table.concat(rest, ", "))
end

local results = { [0] = "nothing", "tensor", "two tensors", "three tensors" }

local function from_op(op, all)
  local e = { name = "tensor." .. op.name, text = op.doc, args = {}, op = op.name,
    sig = signature(op), returns = results[op.results] }
  for i, a in ipairs(op.args) do e.args[i] = argument(a, i == 1) end
  all[e.name] = e
  if not op.inplace then return end
  local name = e.name .. "_"
  all[name] = { name = name, text = "In-place form of " .. op.name ..
    ": the first tensor takes the result.", args = e.args, op = op.name,
    sig = e.sig:gsub("%(", "_(", 1), returns = "the tensor itself", inplace = true }
end

-- ---- the whole table ----

local function complete(name, e)
  e.name = name
  e.text = e.text or ""
  e.args = e.args or {}
  if not e.sig then
    local names = {}
    for i, a in ipairs(e.args) do names[i] = a.optional and "[" .. a[1] .. "]" or a[1] end
    e.sig = ("%s(%s)"):format(name, table.concat(names, ", "))
  end
end

local table_of_all

-- All entries by name.
function M.all()
  if table_of_all then return table_of_all end
  local all = {}
  for _, op in ipairs(tide.ops()) do from_op(op, all) end
  for _, file in ipairs(tide.submodules("tide.doc")) do
    for name, extra in pairs(require("tide.doc." .. file)) do
      local e = all[name] or {}
      for k, v in pairs(extra) do e[k] = v end
      all[name] = e
    end
  end
  for name, e in pairs(all) do complete(name, e) end
  table_of_all = all
  return all
end

-- Names in order.
function M.names()
  local names = {}
  for name in pairs(M.all()) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Names of the pages ("local" of "topic.local"), in order.
function M.topics()
  local names = {}
  for _, name in ipairs(M.names()) do names[#names + 1] = name:match("^topic%.(.+)$") end
  return names
end

-- ---- finding ----

local function module_table(name)
  if name == "tide" then return tide end
  local ok, m = pcall(require, "tide." .. name)
  return ok and type(m) == "table" and m or nil
end

local function is_public(name, v)
  return type(name) == "string" and not name:find("^_")
    and (tide.callable(v) or type(v) == "table")
end

-- Calls f(name, value) for each public function, sub-tables without a metatable
-- included ("flow.path.linear").
local function each_public(f)
  local function visit(prefix, t, depth)
    for k, v in pairs(t) do
      if is_public(k, v) then
        local name = prefix .. "." .. k
        local plain = type(v) == "table" and not v.__index and
          (not getmetatable(v) or tide.callable(v))
        if plain and depth < 3 then visit(name, v, depth + 1) end
        if not plain or tide.callable(v) then f(name, v) end
      end
    end
  end
  local own = {}
  for _, name in ipairs(tide.submodules()) do own[name] = true end
  for _, name in ipairs(M.modules) do
    local m = module_table(name)
    local functions = {}
    for k, v in pairs(m or {}) do
      local part = name == "tide" and own[k] and type(v) == "table" and not tide.callable(v)
      if not part then functions[k] = v end
    end
    if name == "tide" then           -- parts that are not modules of their own
      for _, k in ipairs { "capture", "checkpoint", "sweep" } do functions[k] = tide[k] end
      functions.debug = tide.debug
    end
    visit(name, functions, 1)
  end
end

local public_names                    -- [function or class] = the shortest name

-- The name under which a function or class is public, or nil.
function M.name_of(value)
  if not public_names or public_names[value] == nil then
    public_names = setmetatable({}, { __mode = "k" })
    each_public(function(name, v)
      local known = public_names[v]
      if not known or #name < #known then public_names[v] = name end
    end)
    if value ~= nil and public_names[value] == nil then public_names[value] = false end
  end
  return public_names[value] or nil
end

-- The entry of a name ("tensor.sum", "sum", "x:sum", "tide.flow.sample") or function.
function M.get(topic)
  local all = M.all()
  if type(topic) ~= "string" then
    local name = M.name_of(topic)
    return name and all[name]
  end
  topic = topic:gsub("^tide%.(%l+%.)", "%1"):gsub("%s*%(.*$", "")
  if all[topic] then return all[topic] end
  local method = topic:match("^[%w_]+:([%w_]+)$") or topic
  if all["topic." .. topic] then return all["topic." .. topic] end
  for _, m in ipairs { "tensor", "tide", "nn", "flow", "optim", "metrics", "data", "plot" } do
    if all[m .. "." .. method] then return all[m .. "." .. method] end
  end
  return M.methods()[method]
end

local by_method

-- Entries of methods of objects ("nn.Module:parameters") by the name of the method alone.
function M.methods()
  if by_method then return by_method end
  by_method = {}
  for _, name in ipairs(M.names()) do
    local method = name:match("^%w+%..*:([%w_]+)$")
    if method and not by_method[method] then by_method[method] = M.all()[name] end
  end
  return by_method
end

-- Public functions that have no entry, in order.
function M.missing()
  local all, names = M.all(), {}
  each_public(function(name)
    if not all[name] then names[#names + 1] = name end
  end)
  table.sort(names)
  return names
end

-- Entries whose name matches no public function, in order: stale documentation.
-- Methods ("nn.Module:parameters") are looked up in their class.
function M.stale()
  local all, public, names = M.all(), {}, {} -- files of entries may load what they describe
  each_public(function(name) public[name] = true end)
  for name in pairs(all) do
    local known = public[name]
    local class, method = name:match("^(.-)[:.]([%w_]+)$")
    if not known and class and public[class] then
      local module, path = class:match("^(%w+)%.(.+)$")
      local t = module and module_table(module)
      for part in (path or ""):gmatch("[%w_]+") do t = type(t) == "table" and t[part] end
      known = type(t) == "table" and t[method] ~= nil
    end
    local e = all[name]
    if not known and not e.object and not e.title then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- ---- examples ----

local function environment()
  return setmetatable({ tide = tide }, { __index = function(_, k)
    for _, m in ipairs(M.modules) do
      if k == m then return tide[k] end
    end
    return _G[k]
  end })
end

-- Runs one example; nil, or the error.
function M.run_example(e)
  local chunk, err = load(e.example, "=example of " .. e.name, "t", environment())
  if not chunk then return err end
  local ok, failure = xpcall(chunk, debug.traceback)
  if not ok then return failure end
end

-- Runs the examples whose name contains `word`: how many, and {name=, error=} of
-- those that failed.
function M.run_examples(word)
  local count, failures = 0, {}
  for _, name in ipairs(M.names()) do
    local e = M.all()[name]
    if e.example and (not word or name:find(word, 1, true)) then
      count = count + 1
      local err = M.run_example(e)
      if err then failures[#failures + 1] = { name = name, error = err } end
    end
  end
  return count, failures
end

-- ---- writing ----

-- Writes the manual (one Markdown file for each module) and tide.d.lua into a folder.
function M.write(dir)
  return require("tide.doc_write")(dir)
end

return M
