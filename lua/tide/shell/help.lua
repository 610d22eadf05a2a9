-- help.lua -- what ?name, ??word and ? show at the prompt.
local M = {}

-- Prints the answer to an entry of the prompt that begins with "?".
function M.query(text)
  local help = require("tide.help")
  local marks, rest = text:match("^%s*(%?+)%s*(.-)[%s;]*$")
  if not marks then marks, rest = "?", text end
  if rest == "" then
    help.show(nil)
  elseif #marks > 1 then
    help.search(rest)
  else
    help.show(M.topic(rest))
  end
end

-- What a name at the prompt stands for: the name itself where the documentation has it, else the
-- value it has there, found raw.
function M.topic(name)
  if require("tide.help").known(name) then return name end
  local v = _G
  for part in name:gsub("[:(].*$", ""):gmatch("[^.]+") do
    if type(v) ~= "table" then return name end
    v = rawget(v, part)
  end
  if v == nil or v == _G or type(v) == "string" or type(v) == "number" or type(v) == "boolean" then
    return name
  end
  local method = name:match(":([%w_]+)$")
  if method then
    local tensor = require("tide").tensor
    if tensor.is_tensor(v) then return "tensor." .. method end
    local found = type(v) == "table" and v[method]
    return found ~= nil and found or name
  end
  return v
end

return M
