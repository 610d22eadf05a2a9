-- peer.lua -- a peer: another program that does the same work, in a process of its own that
-- answers lines of JSON (tests/bench/peers/common.py says which).
--
-- A peer that is missing or dies is no error: requests then return nil and why.

local json = require "tide.json"

local Peer = {}
Peer.__index = Peer

local function quoted(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function last_line(path)
  local last
  for line in io.lines(path) do
    if line:find "%S" then last = line end
  end
  return last
end

-- Starts `python script` for a device.  What it says on its standard error goes to a file in folder.
local function start(python, script, folder, device)
  local name = script:match "([%w_]+)%.py$"
  local self = setmetatable({ name = name, log = ("%s/%s.log"):format(folder, name) }, Peer)
  local answers = ("%s/%s.answers"):format(folder, name)
  assert(os.execute("mkfifo " .. quoted(answers)))
  -- cat takes what is written to a peer that is gone, which would otherwise end us
  self.to = assert(io.popen(("(BENCH_DEVICE=%s exec timeout -k 5 3600 %s %s) " ..
    ">%s 2>%s; exec cat >/dev/null"):format(
    device or "cpu", quoted(python), quoted(script), quoted(answers), quoted(self.log)), "w"))
  self.from = assert(io.open(answers, "r"))
  local hello, why = self:ask { ["do"] = "hello" }
  if not hello then
    self:close()
    return nil, why
  end
  for k, v in pairs(hello) do self[k] = v end
  return self
end

function Peer:send(request)
  if self.dead then return end
  self.to:write((json.encode(request):gsub("%s*\n%s*", " ")), "\n")
  self.to:flush()
end

-- The answer to the oldest request, or nil and why there is none.
function Peer:receive()
  if self.dead then return nil, self.dead end
  local line = self.from:read "l"
  if not line then
    self.dead = "it ended: " .. (last_line(self.log) or "without a word")
    return nil, self.dead
  end
  local reply, why = json.decode(line)
  if not reply then return nil, why end
  if reply.failed then return nil, reply.failed end
  return reply
end

function Peer:ask(request)
  self:send(request)
  return self:receive()
end

function Peer:close()
  self:send { ["do"] = "quit" }
  self.to:close()
  self.from:close()
end

return { start = start, quoted = quoted }
