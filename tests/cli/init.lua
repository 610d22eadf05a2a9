-- init.lua -- read through LUA_INIT.
print("init file", arg and #arg, arg and arg[1])
