-- session.lua -- what was typed in this session: save_session writes it as a script, transcript
-- writes down what is typed and shown.
--
-- The prompt keeps the entries that ran without error (done, in statement.lua) and calls
-- entered(text) before it runs one.
local tide = require("tide")
local core = require("tide.shell.core")
local M = {}

-- An entry is about to run: it goes into the transcript.
function M.entered(text)
  core.copy_text("> " .. text:gsub("\n", "\n>> ") .. "\n")
end

-- The entries that ran without error, without questions and commands of the shell.
local function entries()
  local prompt, list = package.loaded["tide.shell.statement"], {}
  for _, text in ipairs(prompt and prompt.current and prompt.current.done or {}) do
    if not text:find("^%s*[?!]") then list[#list + 1] = text end
  end
  return list
end

-- ---- save_session ----

-- Does a name stand in the text, outside of fields?
local function mentions(text, name)
  for before in text:gmatch("(.?)%f[%w_]" .. name .. "%f[^%w_]") do
    if before ~= "." and before ~= ":" then return true end
  end
  return false
end

local function is_save(text)
  return mentions(text, "save_session") or mentions(text, "transcript")
end

-- An entry as statements: an expression is printed, as the prompt has shown it.
local function as_statement(text, uses_last)
  text = text:gsub("^%s*=", "")
  if load(text, "=entry", "t") then return text end
  local quiet = text:find(";%s*$")
  local value = text:gsub(";%s*$", "")
  if not load("return " .. value, "=entry", "t") then
    return "-- " .. text:gsub("\n", "\n-- ")
  end
  if uses_last then
    return ("_ = %s%s"):format(value, quiet and "" or "\ntide.show(_)")
  end
  return quiet and ("local _ = %s"):format(value) or ("tide.show(%s)"):format(value)
end

local names = { "tensor", "nn", "optim", "flow", "metrics", "data", "plot", "help", "show", "who",
  "time", "bench", "profile", "reload", "edit", "spawn", "jobs" }

local function header(code)
  local own = {}
  for _, name in ipairs(names) do
    if mentions(code, name) and tide[name] ~= nil then own[#own + 1] = name end
  end
  local lines = { "local tide = require(\"tide\")" }
  for _, name in ipairs(own) do lines[#lines + 1] = ("local %s = tide.%s"):format(name, name) end
  return table.concat(lines, "\n")
end

-- The session, or a list of entries, as a script; and how many entries.
function M.script(texts)
  local uses_last, list = false, {}
  texts = texts or entries()
  for _, text in ipairs(texts) do uses_last = uses_last or mentions(text, "_") end
  for _, text in ipairs(texts) do
    if not is_save(text) then list[#list + 1] = as_statement(text, uses_last) end
  end
  local code = table.concat(list, "\n")
  return header(code) .. "\n\n" .. code .. "\n", #list
end

-- save_session(path): writes the entries that ran without error as a script.
function M.save_session(path)
  if type(path) ~= "string" then
    tide.raise("save_session: give the name of a file, as in save_session(\"session.lua\")")
  end
  local code, n = M.script()
  local ok, err = load(code, "=" .. path, "t")
  if not ok then
    tide.raise(("save_session: together the entries are no script: %s"):format(err))
  end
  local name = path:match("[^/]+$")
  local f <close>, why = io.open(path, "w")
  if not f then tide.raise("save_session: " .. why) end
  local first = ("-- %s -- a session of Springtide %s, %s.\n"):format(name, tide.version,
    os.date("%Y-%m-%d %H:%M"))
  assert(f:write(first, code))
  io.stdout:write(("%d %s in %s\n"):format(n, n == 1 and "entry" or "entries", path))
end

-- ---- transcript ----

local open                            -- path of the running transcript

-- transcript(path): from now on what is typed and shown goes into the file, too; transcript(false)
-- ends that.
function M.transcript(path)
  if path == false then
    if not open then tide.raise("transcript: none is being written") end
    core.copy_output()
    io.stdout:write(("transcript in %s\n"):format(open))
    open = nil
    return
  end
  if type(path) ~= "string" then
    tide.raise("transcript: give the name of a file, or false to end one")
  end
  local ok, err = core.copy_output(path)
  if not ok then tide.raise("transcript: " .. err) end
  open = path
end

return M
