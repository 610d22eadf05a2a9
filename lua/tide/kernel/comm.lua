-- comm.lua -- comms: conversations between a notebook's page and the kernel, for widgets.
--
--   comm.targets[name] = function(comm, data) ... end     the page opens one
--   local c = comm.open(name, data, metadata)             we do
--   c.on_msg = function(data) ... end; c:send(data); c:close()
local json = require("tide.json")
local M = { targets = {} }

local comms = {}                      -- [id] = comm
local count = 0
local place = tostring(comms):match("%x+$") or ""

M.send = nil                          -- send(type, content, metadata): set by the kernel

local Comm = {}
Comm.__index = Comm

function M.open(target, data, metadata, id)
  count = count + 1
  id = id or ("%08x%s%08x"):format(os.time(), place, count)
  local c = setmetatable({ id = id, target = target }, Comm)
  comms[id] = c
  M.send("comm_open", { comm_id = id, target_name = target, data = data or {} }, metadata)
  return c
end

function Comm:send(data) M.send("comm_msg", { comm_id = self.id, data = data }) end

function Comm:close()
  if not comms[self.id] then return end
  comms[self.id] = nil
  M.send("comm_close", { comm_id = self.id, data = {} })
end

-- Open comms, for comm_info_reply.
function M.list(target)
  local list = {}
  for id, c in pairs(comms) do
    if not target or target == json.null or c.target == target then list[id] = { target_name = c.target } end
  end
  return list
end

-- The states of all widgets, as the page wants them.
function M.states()
  local states = {}
  for id, c in pairs(comms) do
    local s = c.state
    if s then
      states[id] = { model_name = s._model_name, model_module = s._model_module,
        model_module_version = s._model_module_version, state = s }
    end
  end
  return states
end

-- ---- what comes from the page ----

-- A comm to a target that is not there is closed again: the page then knows.
function M.opened(content)
  local id, target = content.comm_id, M.targets[content.target_name or ""]
  if not id then return end
  if not target then
    M.send("comm_close", { comm_id = id, data = {} })
    return
  end
  local c = setmetatable({ id = id, target = content.target_name }, Comm)
  comms[id] = c
  target(c, content.data or {})
end

function M.received(content)
  local c = comms[content.comm_id or ""]
  if c and c.on_msg and type(content.data) == "table" then c.on_msg(content.data) end
end

function M.closed(content)
  local c = comms[content.comm_id or ""]
  comms[content.comm_id or ""] = nil
  if c and c.on_close then c.on_close() end
end

return M
