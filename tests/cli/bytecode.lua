-- bytecode.lua -- writes a compiled chunk.
local f = assert(io.open("out.luac", "wb"))
f:write(string.dump(assert(load("print('compiled', ...)", "=made"))))
f:close()
