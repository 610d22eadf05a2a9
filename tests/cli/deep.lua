-- deep.lua -- a traceback too long to be shown whole.
local function down(n)
  if n == 0 then error("bottom") end
  return 1 + down(n - 1)
end
down(60)
