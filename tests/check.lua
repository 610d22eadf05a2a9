-- check.lua -- cases and checks for Lua tests: local t = require "tests.check"
--
--   t.test("sum of an empty tensor is 0", function()
--     t.near(tensor.zeros(0):sum():item(), 0)
--   end)
--
-- Each case prints a TAP line at once; the plan follows when the state closes,
-- so a script that dies half-way has none and counts as failed.

local M = {}
local count, failed = 0, 0

local function fail(text, level)
  error(text, (level or 1) + 2)
end

local function show(v)
  return type(v) == "string" and string.format("%q", v) or tostring(v)
end

-- Runs f as one case; an error fails it and is shown with its traceback.
function M.test(name, f)
  count = count + 1
  local ok, err = xpcall(f, function(e)
    if type(e) == "table" and e.skip then return e end
    return debug.traceback(tostring(e), 2)
  end)
  if ok then
    print(("ok %d - %s"):format(count, name))
  elseif type(err) == "table" then
    print(("ok %d - %s # SKIP %s"):format(count, name, err.skip))
  else
    failed = failed + 1
    print(("not ok %d - %s"):format(count, name))
    print("# " .. err:gsub("\n", "\n# "))
  end
end

-- Leaves the running case and counts it as skipped.
function M.skip(reason)
  error({ skip = reason }, 0)
end

function M.ok(v, text)
  if not v then fail(text or ("expected a true value, got " .. show(v))) end
  return v
end

local function same(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

local function flat(v)
  if type(v) ~= "table" then return show(v) end
  local out = {}
  for k, x in pairs(v) do
    out[#out + 1] = (math.type(k) == "integer" and "" or show(k) .. "=") .. flat(x)
  end
  return "{" .. table.concat(out, ", ") .. "}"
end

-- Equal values; tables are compared by content.
function M.eq(got, want, text)
  if not same(got, want) then
    fail(("%sgot %s, want %s"):format(text and text .. ": " or "", flat(got), flat(want)))
  end
end

local function distance(a, b)
  if a == b or (a ~= a and b ~= b) then return 0 end
  return math.abs(a - b)
end

local function near(got, want, tol, path)
  if type(got) == "userdata" then
    got = #got.shape == 0 and got:item() or got:totable()
  end
  if type(want) == "userdata" then
    want = #want.shape == 0 and want:item() or want:totable()
  end
  if type(want) == "table" then
    if type(got) ~= "table" then return path .. ": got " .. show(got) .. ", want a table" end
    if #got ~= #want then
      return ("%s: %d entries, want %d"):format(path, #got, #want)
    end
    for i = 1, #want do
      local bad = near(got[i], want[i], tol, path .. "[" .. i .. "]")
      if bad then return bad end
    end
  elseif type(got) ~= "number" then
    return path .. ": got " .. show(got) .. ", want " .. show(want)
  elseif not (distance(got, want) <= tol) then
    return ("%s: got %.17g, want %.17g (off by %.3g, allowed %.3g)"):format(
      path, got, want, distance(got, want), tol)
  end
end

-- Numbers, nested tables of numbers or tensors within tol (default 1e-6) of each other.
function M.near(got, want, tol, text)
  local bad = near(got, want, tol or 1e-6, text or "value")
  if bad then fail(bad) end
end

-- f must raise an error whose text contains or matches the pattern; returns that text.
function M.raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  if ok then fail("expected an error that matches " .. show(pattern)) end
  err = tostring(err)
  if not (err:find(pattern, 1, true) or err:find(pattern)) then
    fail(("expected an error that matches %s, got: %s"):format(show(pattern), err))
  end
  return err
end

-- The bytes of a file, and a file of these bytes.
function M.read(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read "a"
  f:close()
  return text
end
function M.write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

-- Runs a line in the shell: what it printed on both streams, and its status.
function M.shell(line)
  local log = os.tmpname()
  local _, _, status = os.execute(("(%s) >%s 2>&1"):format(line, log))
  local text = M.read(log)
  os.remove(log)
  return text, status
end

-- A path in a fresh folder that is removed when the state closes.
local folder
function M.tmp(name)
  if not folder then
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir -p '" .. folder .. "'")
  end
  return folder .. "/" .. name
end

-- An empty folder in it, another for each call.
local folders = 0
function M.folder()
  folders = folders + 1
  local name = M.tmp("folder." .. folders)
  os.execute("mkdir '" .. name .. "'")
  return name
end

-- The state closes after a normal end, an error, and os.exit(status, true).
M.sentinel = setmetatable({}, { __gc = function()
  if folder then os.execute("rm -rf '" .. folder .. "'") end
  print("1.." .. count)
  io.stdout:flush()
  if failed > 0 then os.exit(1) end
end })

return M
