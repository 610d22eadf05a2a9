-- place.lua -- asks whether a file can be written, before the work that makes it.

-- true, or nil and why not.  Nothing is left behind.
return function(path)
  local probe = ("%s.%d.tmp"):format(path, os.time())
  local f, why = io.open(probe, "wb")
  if not f then return nil, (why:gsub("^.*: ", "")) end
  f:close()
  os.remove(probe)
  return true
end
