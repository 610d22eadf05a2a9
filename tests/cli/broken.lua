-- broken.lua -- does not compile.
local x = 
end
