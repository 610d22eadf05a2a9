-- globals.lua -- the globals of a plain script, and nothing else.
local names = {}
for name, value in pairs(_G) do names[#names + 1] = name .. " " .. type(value) end
table.sort(names)
print(table.concat(names, "\n"))
print(getmetatable(_G))
print(tide, tensor, nn, optim, flow, plot, data, metrics)
for _, lib in ipairs { "coroutine", "debug", "io", "math", "os", "string", "table", "utf8" } do
  names = {}
  for name in pairs(_G[lib]) do names[#names + 1] = name end
  table.sort(names)
  print(lib, table.concat(names, " "))
end
print(debug.gethook())
print(package.config)
