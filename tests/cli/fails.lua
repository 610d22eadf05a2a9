-- fails.lua -- raises an error some calls deep.
local function inner(n)
  if n == 0 then error("failed on purpose") end
  inner(n - 1)
  return n
end
function Global() inner(2) return 1 end
local t = { method = function(self) Global() return self end }
t:method()
print("not reached")
