-- color.lua -- colours for people: on a terminal only, and only when they are wanted.
--
-- --color=always|never and TIDE_COLOR decide; else NO_COLOR and TERM=dumb switch colours off, and
-- so does output that goes to a file.
local core = require("tide.shell.core")
local M = {}

local codes = {
  number = "36", string = "32", key = "34", word = "35", note = "2", type = "33",
  error = "1;31", mark = "31", title = "1", name = "1", good = "32",
}

-- Are colours wanted on file descriptor fd (1, 2)?
function M.wanted(fd)
  local choice = os.getenv("TIDE_COLOR")
  if choice == "always" then return true end
  if choice == "never" then return false end
  local quiet, term = os.getenv("NO_COLOR"), os.getenv("TERM")
  if quiet and quiet ~= "" then return false end
  return term ~= nil and term ~= "" and term ~= "dumb" and core.isatty(fd)
end

local function plain(_, text) return text end

local function painted(what, text)
  local code = codes[what]
  if not code or text == "" then return text end
  return "\27[" .. code .. "m" .. text .. "\27[0m"
end

-- A function paint(what, text) that colours text, or leaves it alone.
function M.painter(on) return on and painted or plain end

-- The text without its colours.
function M.strip(text) return (text:gsub("\27%[[%d;]*m", "")) end

-- Columns that the text takes on a terminal.
function M.width(text)
  if text:find("\27", 1, true) then text = M.strip(text) end
  return utf8.len(text) or #text
end

return M
