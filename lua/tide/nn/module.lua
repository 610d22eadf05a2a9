-- module.lua -- nn.Module, the class that every network derives from.
--
--   local Net = nn.Module:extend("Net")
--   function Net:init(width)
--     self.first = nn.Linear(2, width)
--     self.blocks = { nn.Linear(width, width), nn.Linear(width, width) }
--     self.bias = nn.Parameter(tensor.zeros(width))
--   end
--   function Net:forward(x) ... end
--   local net = Net(64)
--
-- A module finds what it consists of in its own fields: modules, tensors, and
-- plain tables of them.  A tensor that requires a gradient is a parameter and
-- stays one when it is frozen; any other tensor is a buffer.  Names that start
-- with _ are private: not searched, saved or moved.  Fields are visited in the
-- order in which they were first set, plain tables by position and then by name.

local tide = require "tide"
local tensor = tide.tensor

local Module = { __name = "nn.Module", __module = true }
Module.__index = Module

-- Tensors known to be parameters, frozen or not.
local parameters = setmetatable({}, { __mode = "k" })

---- classes and instances ----

local function describe_class(class)
  return "class " .. class.__name
end

local function construct(class, ...)
  local self = setmetatable({}, class)
  rawset(self, "_order", { known = {} })
  rawset(self, "training", true)
  self:init(...)
  return self
end

-- A class derived from this one; Class(...) makes an instance and calls
-- Class.init(self, ...), Class.super is the parent.
function Module:extend(name)
  if type(name) ~= "string" then
    tide.raise("extend: give the class a name, as in nn.Module:extend(\"Net\")")
  end
  local class = { super = self }
  for key, value in pairs(self) do
    if type(key) == "string" and key:sub(1, 2) == "__" then class[key] = value end
  end
  class.__index = class
  class.__name = name
  return setmetatable(class, {
    __index = self, __call = construct, __tostring = describe_class })
end
setmetatable(Module, { __call = construct, __tostring = describe_class })

-- Remembers the order in which fields are first set.
function Module.__newindex(self, key, value)
  local order = rawget(self, "_order")
  if value ~= nil and order and not order.known[key] then
    order[#order + 1] = key
    order.known[key] = true
  end
  rawset(self, key, value)
end

function Module:init() end

function Module:forward()
  tide.raise(("%s has no forward method; define function %s:forward(x) ... end")
    :format(self.__name, self.__name))
end

function Module:__call(...) return self:forward(...) end

local function is_module(v)
  local meta = type(v) == "table" and getmetatable(v)
  return meta and rawget(meta, "__module") or false
end

---- what a module consists of ----

local function is_list(v)
  return type(v) == "table" and getmetatable(v) == nil
end

local function private(key)
  return type(key) == "string" and key:sub(1, 1) == "_"
end

-- Fields in the order of visiting.
local function keys_of(node)
  if is_module(node) then return rawget(node, "_order") end
  local keys, names = {}, {}
  for i = 1, #node do keys[i] = i end
  for key in pairs(node) do
    if type(key) == "string" then names[#names + 1] = key end
  end
  table.sort(names)
  return table.move(names, 1, #names, #keys + 1, keys)
end

-- Calls visit(name, value, container, key, owner) for every tensor and, with
-- value a module, for every module below node; containers are seen once.
local function walk(node, prefix, owner, visit, seen)
  if seen[node] then return end
  seen[node] = true
  for _, key in ipairs(keys_of(node)) do
    local value = rawget(node, key)
    if value ~= nil and not private(key) then
      if tensor.is_tensor(value) then
        visit(prefix .. key, value, node, key, owner)
      elseif is_module(value) then
        if not seen[value] then visit(prefix .. key, value, node, key, owner) end
        walk(value, prefix .. key .. ".", value, visit, seen)
      elseif is_list(value) then
        walk(value, prefix .. key .. ".", owner, visit, seen)
      end
    end
  end
end

local function each(self, visit) walk(self, "", self, visit, {}) end

-- "parameter", "buffer", or nil for the result of a computation.
local function kind_of(t)
  if parameters[t] then return "parameter" end
  if not t.requires_grad then return "buffer" end
  if not t.is_leaf then return nil end
  parameters[t] = true
  return "parameter"
end

local function transient(owner, key)
  local names = rawget(owner, "_transient")
  return names and names[key] or false
end

-- Calls f(name, tensor, kind, container, key, owner) for every tensor.
local function each_tensor(self, f)
  each(self, function(name, value, container, key, owner)
    if is_module(value) then return end
    local kind = kind_of(value)
    if kind then f(name, value, kind, container, key, owner) end
  end)
end

local function pairs_of(list)
  local i = 0
  return function()
    i = i + 1
    if list[i] then return list[i][1], list[i][2] end
  end
end

local function named(self, wanted)
  local list, seen = {}, {}
  each_tensor(self, function(name, t, kind)
    if kind ~= wanted or seen[t] then return end
    seen[t] = true
    list[#list + 1] = { name, t }
  end)
  return list
end

-- for name, p in net:named_parameters() do ... end
function Module:named_parameters() return pairs_of(named(self, "parameter")) end
function Module:named_buffers() return pairs_of(named(self, "buffer")) end

local function only_tensors(list)
  for i, entry in ipairs(list) do list[i] = entry[2] end
  return list
end
function Module:parameters() return only_tensors(named(self, "parameter")) end
function Module:buffers() return only_tensors(named(self, "buffer")) end

-- for name, module in net:named_modules() do ... end; net itself comes first, as "".
function Module:named_modules()
  local list = { { "", self } }
  each(self, function(name, value)
    if is_module(value) then list[#list + 1] = { name, value } end
  end)
  return pairs_of(list)
end

function Module:modules()
  local list = {}
  for _, module in self:named_modules() do list[#list + 1] = module end
  return list
end

function Module:num_parameters()
  local n = 0
  for _, p in self:named_parameters() do n = n + p:numel() end
  return n
end

-- A tensor that belongs to the module but is not trained.  {persistent=false}
-- keeps it out of state_dict.
function Module:register_buffer(name, t, o)
  o = tide.options("register_buffer", o, { persistent = true })
  if not tensor.is_tensor(t) then
    tide.raise("register_buffer: " .. tostring(name) .. " must be a tensor, not " ..
          type(t))
  end
  self[name] = t
  if not o.persistent then
    if not rawget(self, "_transient") then rawset(self, "_transient", {}) end
    rawget(self, "_transient")[name] = true
  end
  return t
end

---- saving and loading ----

local function shape_text(t)
  return "(" .. table.concat(t.shape, ", ") .. ")"
end

-- Names and values of all parameters and buffers; the values share memory with
-- the module.
function Module:state_dict()
  local state = {}
  each_tensor(self, function(name, t, _, _, key, owner)
    if not transient(owner, key) then state[name] = t:detach() end
  end)
  return state
end

-- What keeps `state` from being loaded, as a list of sentences.
local function complaints(own, state, strict)
  local list = {}
  for _, entry in ipairs(own) do
    local name, t, given = entry[1], entry[2], state[entry[1]]
    if given == nil then
      if strict then list[#list + 1] = ("'%s' is missing"):format(name) end
    elseif not tensor.is_tensor(given) then
      list[#list + 1] = ("'%s' is a %s, not a tensor"):format(name, type(given))
    elseif shape_text(given) ~= shape_text(t) then
      list[#list + 1] = ("'%s' has shape %s, but the module needs %s"):format(
        name, shape_text(given), shape_text(t))
    end
    own[name] = true
  end
  local unknown = {}
  for name in pairs(state) do
    if strict and not own[name] then unknown[#unknown + 1] = tostring(name) end
  end
  table.sort(unknown)
  for _, name in ipairs(unknown) do
    list[#list + 1] = ("'%s' is not in the module"):format(name)
  end
  return list
end

-- A class whose tensors had other names in files of older versions has a method
-- renamed(state, prefix) that gives the state with today's.
local function with_names_of_today(self, state)
  for name, module in self:named_modules() do
    if module.renamed then state = module:renamed(state, name == "" and "" or name .. ".") end
  end
  return state
end

-- Copies values by name.  With {strict=false} names that only one side has are
-- left alone; shapes must agree in any case.  A list of names, which data.load
-- returns after the table, is passed over: net:load_state_dict(data.load(path)).
function Module:load_state_dict(state, o)
  if type(o) == "table" and o[1] ~= nil then o = nil end
  o = tide.options("load_state_dict", o, { strict = true })
  if type(state) ~= "table" then
    tide.raise("load_state_dict: give a table of tensors by name, not a " ..
          type(state))
  end
  state = with_names_of_today(self, state)
  local own = {}
  each_tensor(self, function(name, t, _, _, key, owner)
    if not transient(owner, key) then own[#own + 1] = { name, t } end
  end)
  local bad = complaints(own, state, o.strict)
  if #bad > 0 then
    local shown = table.concat(bad, "; ", 1, math.min(#bad, 8))
    if #bad > 8 then shown = shown .. ("; and %d more"):format(#bad - 8) end
    tide.raise(("load_state_dict: %s: %s%s"):format(self.__name, shown,
      o.strict and " ({strict=false} takes what fits by name)" or ""))
  end
  tide.no_grad(function()
    for _, entry in ipairs(own) do
      local given = state[entry[1]]
      if given then entry[2]:copy_(given) end
    end
  end)
  return self
end

---- changing all of it ----

-- Replaces every tensor t by f(t); tensors that occur twice stay one.
local function replace(self, f)
  local done = {}
  each_tensor(self, function(_, t, kind, container, key)
    local new = done[t] or f(t)
    done[t] = new
    if new == t then return end
    if kind == "parameter" then parameters[new] = true end
    rawset(container, key, new)
  end)
  return self
end

local function is_dtype(name)
  return type(name) == "string" and
    pcall(tensor.empty, 0, { dtype = name })
end

-- Moves or converts all tensors: net:to("cuda"), net:to("f64").  Only floating
-- point tensors change their type.  The module gets new tensors, so make
-- optimisers afterwards; gradients are dropped.
function Module:to(target)
  local dtype = is_dtype(target) or
    (type(target) == "table" and target.dtype ~= nil)
  return replace(self, function(t)
    if dtype and not t:is_float() then
      if type(target) == "table" and target.device then
        return t:to(target.device)
      end
      return t
    end
    local wanted = t.requires_grad
    local new = tide.no_grad(function() return t:to(target) end)
    if new.dtype == t.dtype and new.device == t.device then return t end
    return new:detach():requires_grad_(wanted)
  end)
end

function Module:train(on)
  if on == nil then on = true end
  for _, module in self:named_modules() do rawset(module, "training", on) end
  return self
end
function Module:eval() return self:train(false) end

function Module:requires_grad_(on)
  if on == nil then on = true end
  for _, p in self:named_parameters() do p:requires_grad_(on) end
  return self
end

-- No gradients for the parameters from now on, and evaluation mode.
function Module:freeze() return self:requires_grad_(false):eval() end

function Module:zero_grad()
  for _, p in self:named_parameters() do p.grad = nil end
  return self
end

-- Calls f(module) for every module below this one, then for this one.
function Module:apply(f)
  local list = self:modules()
  for i = #list, 1, -1 do f(list[i]) end
  return self
end

-- A module of the same build whose tensors are what f makes of these.
local function rebuild(node, f, memo)
  if memo[node] then return memo[node] end
  if tensor.is_tensor(node) then
    memo[node] = f(node)
  elseif is_module(node) or is_list(node) then
    local copy = {}
    memo[node] = copy
    for key, value in pairs(node) do copy[key] = rebuild(value, f, memo) end
    setmetatable(copy, getmetatable(node))
  else
    return node
  end
  return memo[node]
end

-- A copy with its own tensors.
function Module:clone()
  return rebuild(self, function(t)
    local copy = t:detach():clone():requires_grad_(t.requires_grad and t.is_leaf)
    if parameters[t] then parameters[copy] = true end
    return copy
  end, {})
end

-- The same network on the same memory, without gradients for its parameters and
-- in evaluation mode: training the original shows here.
function Module:frozen()
  self:named_parameters()
  local copy = rebuild(self, function(t)
    local view = t:detach()
    if parameters[t] then parameters[view] = true end
    return view
  end, {})
  return copy:eval()
end

---- text ----

local function grouped(n)
  local text = tostring(n)
  local rest = #text % 3
  text = text:sub(1, rest) .. text:sub(rest + 1):gsub("...", ",%0")
  return (text:gsub("^,", ""))
end

-- Options worth showing, as in Linear(2, 64); classes override it.
function Module:extra() return "" end

local function title(module)
  local n, extra = module:num_parameters(), module:extra()
  return ("%s%s%s"):format(module.__name,
    extra ~= "" and "(" .. extra .. ")" or "",
    n > 0 and (": %s parameters"):format(grouped(n)) or "")
end

-- Modules by name, each indented below the module that holds it.
function Module:__tostring()
  local lines, depth = { title(self) }, { [""] = 0 }
  for name, module in self:named_modules() do
    if name ~= "" then
      local holder = name
      repeat holder = holder:match("^(.*)%.[^.]*$") or "" until depth[holder]
      depth[name] = depth[holder] + 1
      local own = holder == "" and name or name:sub(#holder + 2)
      lines[#lines + 1] = ("  "):rep(depth[name]) .. own .. " " .. title(module)
    end
  end
  return table.concat(lines, "\n")
end

---- parameters by hand ----

-- Marks a tensor as a parameter: a leaf that requires a gradient.
local function Parameter(t)
  if not tensor.is_tensor(t) then
    tide.raise("nn.Parameter: give a tensor, not a " .. type(t))
  end
  local p = t:detach():requires_grad_()
  parameters[p] = true
  return p
end

return { Module = Module, Parameter = Parameter, is_module = is_module }
