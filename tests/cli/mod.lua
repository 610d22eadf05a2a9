-- mod.lua -- a module.
return { name = "module " .. (...) }
