-- init.lua -- the command `tide kernel`: the Jupyter kernel, and its place among Jupyter's kernels.
local M = {}

local USAGE = [[
usage: tide kernel install [--user | --prefix DIR | --sys-prefix] [--name NAME]
       tide kernel uninstall [the same options]
       tide kernel list
       tide kernel -f FILE
install tells Jupyter of this program: notebooks then offer "Springtide".
  --user        for you only (the default)
  --prefix DIR  below DIR, such as /usr/local or a virtual environment
  --sys-prefix  below the virtual environment that is active
  --name NAME   another name than "tide", so that several versions have a place
list says where the kernel is installed. -f FILE is how Jupyter starts it.
]]

local function read_connection(path)
  local f, why = io.open(path, "r")
  if not f then error("cannot read the connection file: " .. why, 0) end
  local text = f:read("a")
  f:close()
  local ok, c = pcall(require("tide.json").decode, text)
  if not ok or type(c) ~= "table" then error(path .. " is no connection file of Jupyter", 0) end
  for _, name in ipairs { "shell", "iopub", "stdin", "control", "hb" } do
    local port = c[name .. "_port"]
    if not port then error(("%s: there is no %s_port"):format(path, name), 0) end
    local n = math.tointeger(tonumber(port))
    if c.transport ~= "ipc" and not (n and n >= 1 and n <= 65535) then
      error(("%s: %s_port is %s, but ports are whole numbers from 1 to 65535"):format(path, name,
        tostring(port)), 0)
    end
  end
  return c
end

local function start(args)
  local path = args[2]
  if not path or args[3] then error("-f needs one file; Jupyter gives it", 0) end
  if not require("tide.kernel.core").open then
    error("this tide has no kernel: it was built without the headers of libzmq, cJSON and OpenSSL, or " ..
      "not on Linux", 0)
  end
  return require("tide.kernel.serve").start(read_connection(path))
end

local commands = { ["-f"] = start }
for _, name in ipairs { "install", "uninstall", "list" } do
  commands[name] = function(args) require("tide.kernel.install")[name](table.move(args, 2, #args, 1, {})) end
end
for _, name in ipairs { "--help", "-h", "help" } do
  commands[name] = function() io.stdout:write(USAGE) end
end

-- For the command line: were the arguments understood, and did all go well?
function M.main(args)
  local command = commands[args[1] or "--help"]
  local ok, serve = pcall(function()
    if not command then
      local near = require("tide").nearest(args[1], { "install", "uninstall", "list" })
      error(("there is no command '%s'%s\n%s"):format(args[1], near and (" (did you mean '%s'?)"):format(near)
        or "", USAGE:gsub("\n$", "")), 0)
    end
    return command(args)
  end)
  if not ok then io.stderr:write("tide kernel: ", tostring(serve), "\n") end
  if ok and serve then serve() end    -- out here: no frame of ours in tracebacks of cells
  return ok
end

return M
