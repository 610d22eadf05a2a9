-- reload.lua -- live coding: edit a file at the right line, and take a module in again so that
-- everything that refers to it sees the new functions.
local tide = require("tide")
local M = {}

-- ---- which file ----

-- The file of a loaded module, or nil.
local function file_of(name)
  return (package.searchpath(name, package.path))
end

-- The name of a loaded module, given its table or value.
local function name_of(module)
  for name, v in next, package.loaded do
    if v == module and type(name) == "string" and name ~= "_G" then return name end
  end
end

local function same_file(a, b)
  return a and b and a:gsub("^%./", "") == b:gsub("^%./", "")
end

-- The loaded module that comes from a file.
local function module_of(path)
  for name in next, package.loaded do
    if type(name) == "string" and same_file(file_of(name), path) then return name end
  end
end

local function is_file(path)
  local f <close> = io.open(path, "r")
  return f ~= nil and f:read(0) ~= nil or f ~= nil and f:seek("end") == 0
end

-- ---- reload ----

-- Pairs up the tables of the new module with those of the old one at the same place: those that are
-- both plain or both classes.  into[new] = old.
local function match(old, new, keep, into)
  if into[new] or type(old) ~= "table" or type(new) ~= "table" then return end
  if tide.tensor.is_tensor(old) then return end
  into[new] = old
  for k, v in next, new do
    if not (keep and keep[k]) then match(rawget(old, k), v, nil, into) end
  end
  local meta, new_meta = debug.getmetatable(old), debug.getmetatable(new)
  if type(meta) == "table" and type(new_meta) == "table" then match(meta, new_meta, nil, into) end
end

-- Lets the upvalues of a new function, and of functions in them, refer to the old tables.
local function redirect(f, into, seen)
  if seen[f] then return end
  seen[f] = true
  for i = 1, 255 do
    local name, v = debug.getupvalue(f, i)
    if not name then return end
    if type(v) == "function" then
      redirect(v, into, seen)
    elseif into[v] then
      debug.setupvalue(f, i, into[v])
    end
  end
end

-- Fills the old table with the fields of the new one.
local function replace(old, new, keep, into, seen)
  for k in next, old do
    if rawget(new, k) == nil and not (keep and keep[k]) then rawset(old, k, nil) end
  end
  for k, v in next, new do
    if not (keep and keep[k] and rawget(old, k) ~= nil) then
      if type(v) == "function" then redirect(v, into, seen) end
      rawset(old, k, into[v] or v)
    end
  end
end

local function kept_names(module)
  local list = type(module) == "table" and rawget(module, "_keep")
  if type(list) ~= "table" then return nil end
  local names = {}
  for _, k in ipairs(list) do names[k] = true end
  return names
end

-- Runs the file of a module anew, without touching the one that is loaded.
local function fresh(name, path)
  local chunk, err = loadfile(path)
  if not chunk then error(err, 0) end
  local value = chunk(name, path)
  if value == nil then value = true end
  return value
end

-- reload(module): by name, or the module itself.  Returns it.
function M.reload(what)
  local name = type(what) == "string" and what or name_of(what)
  if not name then
    tide.raise("reload: give a module that was loaded with require, or its name")
  end
  if name == "tide" or name:find("^tide%.") then
    tide.raise(("reload: '%s' is part of the program, there is no file of it"):format(name))
  end
  local old = package.loaded[name]
  if old == nil then
    tide.raise(("reload: '%s' is not loaded; require(\"%s\") loads it"):format(name, name))
  end
  local path, looked = package.searchpath(name, package.path)
  if not path then tide.raise(("reload: no file for '%s':%s"):format(name, looked)) end
  local new = fresh(name, path)
  if type(old) ~= "table" or type(new) ~= "table" or new == old then
    package.loaded[name] = new
    return new
  end
  local keep, into, seen = kept_names(new) or kept_names(old), {}, {}
  match(old, new, keep, into)
  for from, to in pairs(into) do
    replace(to, from, to == old and keep or nil, into, seen)
    local meta = debug.getmetatable(from)
    debug.setmetatable(to, into[meta] or meta)
  end
  return old
end

-- ---- edit ----

local line_last = { code = true, codium = true, subl = true, hx = true, zed = true }

-- The command that opens a file at a line.
local function editor_command(path, line)
  local editor = os.getenv("VISUAL")
  if not editor or editor == "" then editor = os.getenv("EDITOR") end
  if not editor or editor == "" then editor = "vi" end
  local program = editor:match("^%S+"):match("[^/]+$")
  local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end
  if not line then return editor .. " " .. quote(path) end
  if line_last[program] then
    local option = (program == "code" or program == "codium") and " --wait --goto " or
      program == "subl" and " --wait " or " "
    return editor .. option .. quote(path .. ":" .. line)
  end
  return ("%s +%d %s"):format(editor, line, quote(path))
end

-- Where a value comes from: path and line.
local function place_of(what)
  if type(what) == "table" then
    local meta = debug.getmetatable(what)
    local f = rawget(what, "forward") or rawget(what, "init")
      or type(meta) == "table" and (rawget(meta, "forward") or rawget(meta, "init"))
    local name = name_of(what)
    if name then return file_of(name), nil, name end
    what = f
  end
  if type(what) ~= "function" then return nil end
  local info = debug.getinfo(what, "S")
  if info.source:sub(1, 1) == "@" then return info.source:sub(2), info.linedefined end
  return nil, nil, info.short_src
end

-- A field of the globals by its path, "net.forward".
local function global_at(path)
  local v = _G
  for part in path:gmatch("[^.:]+") do
    if type(v) ~= "table" then return nil end
    v = v[part]
  end
  return v
end

local function find_place(what)
  if type(what) ~= "string" then return place_of(what) end
  if is_file(what) then return what end
  local path = file_of(what)
  if path then return path end
  local v = global_at(what)
  if v ~= nil then return place_of(v) end
  if what:find("[/.]") and what:find("%.%w+$") then return what end   -- a new file
end

local function contents(path)
  local f <close> = io.open(path, "r")
  return f and f:read("a")
end

-- edit(what): opens a file, a module, or a function at its line; a module that was changed is
-- reloaded.
function M.edit(what)
  local path, line, where = find_place(what)
  if not path then
    if where then
      tide.raise(("edit: that is not from a file but from %s"):format(where))
    end
    tide.raise("edit: give a function or module of your own, its name, or a file")
  end
  local before = contents(path)
  io.stdout:flush()
  local ok, how, code = os.execute(editor_command(path, line))
  if not ok then tide.raise(("edit: the editor ended with %s %d"):format(how, code)) end
  if contents(path) == before then return end
  local module = module_of(path)
  if module then
    M.reload(module)
    io.stdout:write(("reloaded %s\n"):format(module))
  else
    io.stdout:write(("changed; dofile(%q) runs it\n"):format(path))
  end
end

return M
