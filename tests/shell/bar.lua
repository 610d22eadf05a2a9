-- bar.lua -- a loop with prints for jobs.pty: nothing of it is wider than the terminal.
local tide = require("tide")
local function spin(seconds)
  local from = tide.clock()
  while tide.clock() - from < seconds do end
end
do
  local bar <close> = tide.progress { label = "flow", total = 60, every = 100 }
  for i = 1, 60 do
    spin(0.025)
    bar:update(i, { loss = 0.5, with_a_rather_long_name = 1 / 3 })
    if i % 30 == 0 then print("printed " .. i // 30) end
  end
end
print("the end")
