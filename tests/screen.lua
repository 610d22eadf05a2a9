-- screen.lua -- what tests of windows share: commands, results, waiting for a sign, screenshots.
local tide = require "tide"
local event, job = require "tide.plot.event", require "tide.job"

local M = {}
local PATIENCE = 60                    -- seconds until a sign must have come

function M.sh(command)
  local p = io.popen(command)
  local out = p:read "a"
  p:close()
  return out
end

function M.case(name, good, why)
  print((good and "ok " or "no ") .. name .. (good and "" or " | " .. tostring(why)))
end

-- Listens until sign() is true; its value.  deaf: nothing that windows report is heard.
function M.wait_for(sign, deaf, patience)
  local deadline = tide.clock() + (patience or PATIENCE)
  local v = sign()
  while not v and tide.clock() < deadline do
    if deaf then M.sh "sleep 0.02" else event.wait(20) end
    if not deaf and job._live() > 0 then tide.yield() end
    v = sign()
  end
  return v
end

-- The pixels of an xwd dump as r, g, b bytes, with width and height.
function M.decode(dump)
  local h = { string.unpack(">" .. ("I4"):rep(25), dump) }
  local width, height, little, line, colors = h[5], h[6], h[8] == 0, h[13], h[20]
  assert(h[12] == 32 and #dump > 100, "a screen of 24 bits is needed")
  local rows, at = {}, h[1] + 12 * colors
  for i = 0, height - 1 do
    local row = dump:sub(at + i * line + 1, at + i * line + 4 * width)
    rows[i + 1] = row:gsub("(.)(.)(.)(.)", little and "%3%2%1" or "%2%3%4")
  end
  return table.concat(rows), width, height
end

-- How far two pictures are apart: mean difference of their bytes.
function M.distance(a, b)
  if #a ~= #b then return math.huge end
  local sum = 0
  for i = 1, #a do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then sum = sum + (x > y and x - y or y - x) end
  end
  return sum / #a
end

-- What is on the screen of a window.
function M.screenshot(id)
  return M.decode(M.sh(("xwd -silent -id %s"):format(id)))
end

return M
