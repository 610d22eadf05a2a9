#!/usr/bin/env lua
-- hashbang.lua -- a first line for the system.
print("after the hashbang", ...)
error("line 4")
