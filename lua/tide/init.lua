-- init.lua -- what module "tide" has beyond its C part; its table comes as the argument.
local tide = ...

-- A number as an integer where it is whole, such as 1e4 or n / 2; anything else as it is.
local function whole(x)
  return math.type(x) == "float" and math.abs(x) < 2^31 and math.tointeger(x) or x
end

-- n as an integer; what(..., name = n) with anything but a whole number of at least `least` is an error.
function tide.count(what, name, n, least)
  local count = whole(n)
  if math.type(count) ~= "integer" or count < least then
    tide.raise(("%s: %s must be a whole number of at least %d, not %s"):format(what, name, least,
      tostring(n)))
  end
  return count
end

-- Prototype of option tables: what(options) with a key that is not in `spec` is
-- an error that names the nearest one. In `spec`, names in the list part have no
-- default, the others have their value. Returns a new table with defaults filled in
-- and whole numbers as integers.
function tide.options(what, options, spec)
  local full = {}
  for k, v in pairs(spec) do
    if math.type(k) ~= "integer" then full[k] = v end
  end
  if options == nil then return full end
  if type(options) ~= "table" then
    tide.raise(("%s: options expected as a table, got %s"):format(what, type(options)))
  end
  for k, v in pairs(options) do
    if spec[k] == nil or math.type(k) == "integer" then
      local names, known = {}, false
      for i, name in pairs(spec) do
        if math.type(i) == "integer" then known = known or name == k else name = i end
        names[#names + 1] = name
      end
      if not known then
        table.sort(names)
        local near = type(k) == "string" and tide.nearest(k, names)
        tide.raise(("%s: unknown option '%s'%s (options: %s)"):format(what, tostring(k),
          near and ("; did you mean '%s'?"):format(near) or "", table.concat(names, ", ")))
      end
    end
    full[k] = whole(v)
  end
  return full
end

-- Can x be called like a function?
function tide.callable(x)
  if type(x) == "function" then return true end
  local meta = getmetatable(x)
  return type(meta) == "table" and type(meta.__call) == "function"
end

-- "tensor" for tensors, else what the standard function says.
function tide.type(x)
  return tide.tensor.is_tensor(x) and "tensor" or type(x)
end

local function with_mode(on, f, ...)
  local _ <close> = tide.grad_mode(on)
  return f(...)
end

-- tide.no_grad(f, ...) calls f without recording gradients;
-- local _ <close> = tide.no_grad() does so up to the end of the block.
function tide.no_grad(f, ...)
  if f == nil then return tide.grad_mode(false) end
  return with_mode(false, f, ...)
end

-- The same with recording switched on, whatever it was.
function tide.enable_grad(f, ...)
  if f == nil then return tide.grad_mode(true) end
  return with_mode(true, f, ...)
end

-- Prints what there is to know about a name ("tensor.sum") or a function.
function tide.help(topic)
  return require("tide.help")(topic)
end

-- The record of a run in a folder, and what folders hold of them.
function tide.run(o)
  return require("tide.run").new(o)
end
function tide.runs(...)
  return require("tide.runs").list(...)
end

-- The method in one window.
function tide.lab(o)
  return require("tide.lab").open(o)
end

-- What follows is loaded when first called.
for _, name in ipairs { "spawn", "jobs", "yield", "wait_all" } do
  tide[name] = function(...) return require("tide.job")[name](...) end
end

tide.progress = setmetatable({ enabled = os.getenv("TIDE_PROGRESS") ~= "0" }, {
  __call = function(self, ...)
    require("tide.progress")
    return self(...)
  end })

-- Tools of the prompt, which scripts can use too, are loaded when first called.
for part, names in pairs {
  show = { "show", "format" }, tools = { "who", "time", "bench", "profile" },
  reload = { "edit", "reload" }, session = { "save_session", "transcript" },
  display = { "display", "clear_output", "in_notebook" },
} do
  for _, name in ipairs(names) do
    tide[name] = function(...) return require("tide.shell." .. part)[name](...) end
  end
end

require("tide.tensor")
