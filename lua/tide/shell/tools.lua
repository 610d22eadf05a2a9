-- tools.lua -- what makes a session comfortable: who, time, bench, profile, !command, edit, reload.
local tide = require("tide")
local M = {}

-- ---- !command ----

-- Runs a shell command for the prompt and says its status when that is not 0. Ctrl-C reaches the
-- command, not the session.
function M.command(text)
  local line = text:gsub("^%s*!", "")
  io.stdout:flush()
  local ok, how, code = os.execute(line)
  if ok then return end
  io.stdout:write(how == "signal" and ("[signal %d]\n"):format(code)
    or ("[status %d]\n"):format(code))
end

return M
