-- args.lua -- prints what a script sees of its command line.
print("...", select("#", ...), ...)
local least = 0
while arg[least - 1] do least = least - 1 end
for i = least, #arg do print(i, arg[i]) end
print(x)
