-- debug.lua -- tide.debug: where bad numbers come from, and what ops cost.
local tide = require("tide")
local core = require("tide.debug.core")
local M = {}

local levels = { [0] = false, "nan", true }

-- From now on (or not) the first op whose result has a NaN or an infinity is an error that names it
-- and the line; `true` for both, "nan" for NaN alone.  Returns what it was.
function M.nan(on)
  local level = (on == nil or on == true) and 2 or on == "nan" and 1 or on == false and 0
  if not level then
    tide.raise(("debug.nan: true, false or \"nan\" is needed, not %s"):format(tostring(on)))
  end
  return levels[core.nan(level)]
end

local stopper = setmetatable({}, { __close = function()
  if core.profiling() then core.profile(false) end
end })

local function finish(start, ...)
  tide.sync()
  local seconds, rows = tide.clock() - start, core.profile(false)
  rows.seconds = seconds
  return rows, ...
end

-- Calls f(...) and returns what each op cost on each line, then what f returned.
function M.profile(f, ...)
  if not tide.callable(f) then
    tide.raise("debug.profile: give a function, not a " .. tide.type(f))
  end
  if core.profiling() then tide.raise("debug.profile: another one is running") end
  core.profile(true)
  local _ <close> = stopper
  return finish(tide.clock(), f(...))
end

return M
