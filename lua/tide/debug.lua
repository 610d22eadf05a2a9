-- debug.lua -- tide.debug: finding out where bad numbers come from.
local tide = require("tide")
local core = require("tide.debug.core")
local M = {}

local levels = { [0] = false, "nan", "all" }

-- From now on (or not) the first op whose result has a NaN or an infinity is an error that names it
-- and the line; `true` for both, "nan" for NaN alone.  Returns what it was.
function M.nan(on)
  local level = on == nil and 2 or on == true and 2 or on == "all" and 2 or on == "nan" and 1
    or on == false and 0
  if not level then
    tide.raise(("debug.nan: true, false or \"nan\" is needed, not %s"):format(tostring(on)))
  end
  local was = levels[core.nan(level)]
  return was == "all" or was
end

return M
