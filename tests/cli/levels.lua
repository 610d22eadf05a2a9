-- levels.lua -- limits of nesting, and what is left after them.
local function runaway() return runaway() + 1 end
print(pcall(runaway))
local function through_c(n) return pcall(through_c, n) end
print(select("#", pcall(string.gsub, "x", "x", function() return runaway() end)))
local function again(n) return string.gsub("x", "x", function() return again(n + 1) end) end
print(pcall(again, 0))
local function in_coroutine(n) return coroutine.wrap(in_coroutine)(n + 1) end
print(pcall(in_coroutine, 0))
print(pcall(load, string.rep("(", 300)))
print(load(string.rep("(", 300)))
print(through_c(1))
