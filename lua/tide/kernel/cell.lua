-- cell.lua -- runs the code of one cell, piece by piece as the prompt does.
--
--   local failure = cell.run(session, code, { label = "In[1]", call = pcall's like, result = f })
--
-- call(f, explain) is as xpcall(f, explain); result(...) gets the values of each expression that the
-- cell shows. A failure is {ename=, evalue=, traceback= list of lines}.
local trace = require("tide.shell.trace")
local M = {}

local function lines(text)
  local list = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do list[#list + 1] = line end
  return list
end

local function failure(kind, message, text)
  return { ename = kind, evalue = message, traceback = lines(text) }
end

local function kind_of(err)
  if type(err) == "string" then
    return err:find("interrupted!", 1, true) and "Interrupted" or "Error"
  end
  local meta = debug.getmetatable(err)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and name or "Error"
end

-- For calls: what the error is, and where.
local function explain(err)
  local text = trace.text(err, { color = true })
  local bare = trace.text(err, { bare = true, color = false })
  return failure(kind_of(err), bare:match("^[^\n]*"), text)
end

-- An error that did not go through explain: it came in the middle of that, or memory was short.
local function unexplained(err)
  if type(err) == "table" and err.traceback then return err end
  local text = tostring(err)
  if text:find("interrupted!", 1, true) or text:find("error in error handling", 1, true) then
    return failure("Interrupted", "interrupted!", "interrupted!")
  end
  return failure("Error", text, text)
end

local function syntax(message, label)
  message = tostring(message):gsub("stdin:(%d+:)", label .. ":%1", 1)
  local plain = message:gsub("\27%[[%d;]*m", "")
  return failure("SyntaxError", plain:match("^[^\n]*"), message)
end

function M.run(session, code, o)
  session.label = o.label
  trace.source(o.label, code)
  local entry = session:read(code)
  if entry.status == "empty" then return nil end
  if entry.status ~= "complete" then return syntax(entry.error, o.label) end
  while true do
    local run, shows, expression = entry.next()
    if not run then return shows and syntax(shows, o.label) or nil end
    local r = table.pack(o.call(run, explain))
    if not r[1] then return unexplained(r[2]) end
    if r.n > 1 and (shows or expression) then _G._ = r[2] end
    if r.n > 1 and shows then
      r = table.pack(o.call(function() o.result(table.unpack(r, 2, r.n)) end, explain))
      if not r[1] then return unexplained(r[2]) end
    end
  end
end

return M
