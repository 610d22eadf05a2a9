-- install.lua -- tells Jupyter of this program: writes the folder that describes the kernel.
local core = require("tide.kernel.core")
local json = require("tide.json")
local files = require("tide.run.core")
local M = {}

-- Jupyter's folder of data for one user, as Jupyter finds it.
local function user_data()
  local own, home = os.getenv("JUPYTER_DATA_DIR"), os.getenv("HOME")
  if own and own ~= "" then return own end
  if not home or home == "" then error("HOME is not set; use --prefix DIR", 0) end
  local xdg = os.getenv("XDG_DATA_HOME")
  return (xdg and xdg ~= "" and xdg or home .. "/.local/share") .. "/jupyter"
end

local function environment()
  local dir = os.getenv("VIRTUAL_ENV") or os.getenv("CONDA_PREFIX")
  if not dir then error("--sys-prefix: no virtual environment is active; activate one, or use --user", 0) end
  return dir
end

-- The folder that the options name, without the name of the kernel, and that name.
local function place(args)
  local data, name = nil, "tide"
  local i = 1
  local function value(option)
    local inside = args[i]:match("^" .. option:gsub("%-", "%%-") .. "=(.+)$")
    if inside then return inside end
    i = i + 1
    if not args[i] then error(option .. " needs a value", 0) end
    return args[i]
  end
  while args[i] do
    local option = args[i]:match("^[^=]*")
    if option == "--user" then data = user_data()
    elseif option == "--sys-prefix" then data = environment() .. "/share/jupyter"
    elseif option == "--prefix" then data = value(option) .. "/share/jupyter"
    elseif option == "--name" then name = value(option)
    else error(("'%s' is not understood; tide kernel --help says what is"):format(args[i]), 0) end
    i = i + 1
  end
  if not name:find("^[%w._-]+$") then
    error(("'%s' is no name for a kernel; use letters, digits, '.', '_' and '-'"):format(name), 0)
  end
  return (data or user_data()) .. "/kernels/", name:lower()
end

local function write(path, text)
  local f, why = io.open(path, "wb")
  if not f then error("cannot write " .. why, 0) end
  local ok, problem = f:write(text)
  f:close()
  if not ok then error("cannot write " .. path .. ": " .. problem, 0) end
end

-- ---- the logo: latents that meet the crest of a wave ----

local function logo()
  local plot = require("tide").plot
  local fig = plot.figure { size = { 64, 64 }, theme = { gap = 0, fontsize = 1 } }
  local ax = fig:axes { xlim = { 0, 1 }, ylim = { 0, 1 }, frame = "none", grid = "none", xticks = {},
    yticks = {} }
  local x, deep, near, crest = {}, {}, {}, {}
  for i = 0, 80 do
    local t = i / 80
    x[i + 1] = t
    deep[i + 1] = 0
    near[i + 1] = 0.30 + 0.10 * math.sin(2 * math.pi * (t + 0.30))
    crest[i + 1] = 0.46 + 0.20 * math.sin(2 * math.pi * (t - 0.02))
  end
  ax:band { x = x, lo = deep, hi = crest, color = "#2f6fb2", alpha = 1 }
  ax:band { x = x, lo = deep, hi = near, color = "#16406f", alpha = 1 }
  local px, py = { 0.20, 0.52, 0.84 }, {}
  for i, v in ipairs(px) do py[i] = 0.46 + 0.20 * math.sin(2 * math.pi * (v - 0.02)) + 0.16 end
  ax:scatter { x = px, y = py, color = "#d9412c", size = 13, alpha = 1 }
  return fig
end

local function write_logos(dir)
  if not require("tide").plot.can_save then return end
  local fig = logo()
  write(dir .. "/logo-32x32.png", fig:render { scale = 0.5, transparent = true })
  write(dir .. "/logo-64x64.png", fig:render { scale = 1, transparent = true })
  write(dir .. "/logo-svg.svg", fig:render { format = "svg", transparent = true })
end

-- ---- the commands ----

local FILES = { "kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg" }

local function read_spec(dir)
  local f = io.open(dir .. "/kernel.json", "r")
  if not f then return nil end
  local text = f:read("a")
  f:close()
  local ok, spec = pcall(json.decode, text)
  return ok and type(spec) == "table" and spec or {}
end

local function is_ours(spec)
  return type(spec.argv) == "table" and spec.argv[2] == "kernel" and spec.argv[3] == "-f"
end

function M.install(args)
  local base, name = place(args)
  if not core.open then
    error("this tide has no kernel: it was built without the headers of libzmq, cJSON and OpenSSL, or " ..
      "not on Linux", 0)
  end
  local dir = base .. name
  local spec = read_spec(dir)
  if spec and not is_ours(spec) then
    error(("%s holds another kernel; choose a name with --name"):format(dir), 0)
  end
  if not os.execute(("mkdir -p -- '%s'"):format((dir:gsub("'", "'\\''")))) then
    error("cannot make " .. dir, 0)
  end
  write(dir .. "/kernel.json", json.encode {
    argv = { core.program(), "kernel", "-f", "{connection_file}" },
    display_name = name == "tide" and "Springtide" or ("Springtide (%s)"):format(name),
    language = "lua", interrupt_mode = "signal",
    metadata = { debugger = false } } .. "\n")
  write_logos(dir)
  print(("installed %s\nNotebooks now offer \"Springtide\"; the program is %s"):format(dir, core.program()))
end

function M.uninstall(args)
  local base, name = place(args)
  local dir = base .. name
  local spec = read_spec(dir)
  if not spec then
    error(("there is no kernel in %s; tide kernel list says where they are"):format(dir), 0)
  end
  if not is_ours(spec) then error(("%s holds another kernel: left alone"):format(dir), 0) end
  for _, file in ipairs(FILES) do os.remove(dir .. "/" .. file) end
  local ok, why = os.remove(dir)
  if not ok then error(("cannot remove %s: %s"):format(dir, why), 0) end
  print("removed " .. dir)
end

-- Where Jupyter would look, in its order.
local function folders()
  local list, seen = {}, {}
  local function add(dir)
    if dir and not seen[dir] then list[#list + 1] = dir end
    seen[dir or ""] = true
  end
  for dir in (os.getenv("JUPYTER_PATH") or ""):gmatch("[^:]+") do add(dir) end
  local ok, own = pcall(user_data)
  if ok then add(own) end
  local env = os.getenv("VIRTUAL_ENV") or os.getenv("CONDA_PREFIX")
  if env then add(env .. "/share/jupyter") end
  add("/usr/local/share/jupyter")
  add("/usr/share/jupyter")
  return list
end

function M.list()
  local found = false
  for _, dir in ipairs(folders()) do
    local names = files.list(dir .. "/kernels") or {}
    table.sort(names)
    for _, name in ipairs(names) do
      local spec = read_spec(dir .. "/kernels/" .. name)
      if spec and is_ours(spec) then
        local gone = not io.open(spec.argv[1], "r") and "   (this program is gone: install again)" or ""
        print(("%s/kernels/%s   %s%s"):format(dir, name, spec.argv[1], gone))
        found = true
      end
    end
  end
  if not found then print("no kernel is installed; tide kernel install does it") end
end

return M
