-- options.lua -- the names of options in an entry of the documentation, with their choices.
--
--   options(entry) -> { { name =, choices = {...}, what = }, ... }
--
-- An entry has arguments "options.NAME", arguments whose text begins with "option:", or one argument
-- "options" whose text lists them: "steps
-- [1000], lr (1e-3); loss: 'align' or 'excess'; t, x0: own draws". Groups end at ";", names are
-- separated by commas, defaults are in brackets, and what stands behind ":" explains.

-- The parts of a text between separators that are not inside brackets or quotes.
local function split(text, separator)
  local parts, depth, from = {}, 0, 1
  for i = 1, #text do
    local ch = text:sub(i, i)
    if ch:find("[%(%[{]") then depth = depth + 1 end
    if ch:find("[%)%]}]") then depth = math.max(0, depth - 1) end
    if depth == 0 and ch == separator then
      parts[#parts + 1] = text:sub(from, i - 1)
      from = i + 1
    end
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

local function quoted(text)
  local list = {}
  for _, word in text:gmatch("(['\"])([%a][%w_ -]*)%1") do list[#list + 1] = word end
  return list
end

local prose = { a = true, an = true, any = true, the = true, as = true, of = true, default = true }

-- The name that a piece begins with, if the piece is not prose.
local function name_of(piece)
  local bare = piece:gsub("%b()", " "):gsub("%b[]", " "):gsub("=.*", "")
  bare = bare:gsub("^%s*or%s+", ""):gsub("^%s*and%s+", ""):gsub("^.*%s+also%s+", "")
  local name, rest = bare:match("^%s*([%a_][%w_]*)(.*)$")
  if not name or prose[name] then return nil end
  return (not rest:find("%S") or piece:find("[%(%[]")) and name or nil
end

-- Choices without quotes, "solver ['euler']: euler heun rk4", if the default is one of them.
local function bare_choices(text, default)
  local list, known = {}, false
  for word in text:gmatch("%S+") do
    if not word:find("^[%a_][%w_]*$") then return {} end
    list[#list + 1] = word
    known = known or word == default
  end
  return known and list or {}
end

local function from_text(text, add)
  for _, group in ipairs(split(text, ";")) do
    local current
    for _, item in ipairs(split(group, ",")) do
      local halves, found = split(item, ":"), false
      for piece in (halves[1] .. " or "):gsub("%s+and%s+", " or "):gmatch("(.-)%s+or%s+") do
        local name = not item:find("^%s*['\"]") and name_of(piece)
        if name then
          current, found = add(name, group), true
        end
      end
      local explained = #halves > 1 and halves[2] or halves[1]
      local choices = quoted(explained)
      if found and #choices == 0 then choices = bare_choices(explained, quoted(halves[1])[1]) end
      for _, choice in ipairs(current and choices or {}) do
        if not current.known[choice] then
          current.known[choice] = true
          current.choices[#current.choices + 1] = choice
        end
      end
    end
  end
end

local function in_parentheses(text)
  local list = {}
  local inside = text:match("%(([^()]*)%)%s*$")
  for word in (inside or ""):gmatch("[^,]+") do list[#list + 1] = word:match("^%s*(.-)%s*$") end
  return list
end

return function(entry)
  local list, known = {}, {}
  local function add(name, what)
    known[name] = known[name] or { name = name, choices = {}, known = {}, what = what, at = #list + 1 }
    list[known[name].at] = known[name]
    return known[name]
  end
  for _, a in ipairs(entry.args) do
    local name, what = a[1]:match("^options%.([%a_][%w_]*)$"), a[3] or ""
    if name then
      local option = add(name, what)
      if (a[2] or ""):find("string") then option.choices = in_parentheses(what) end
    elseif a[1] == "options" then
      from_text(what, add)
    elseif what:find("^option[:,]") then
      add(a[1], what).choices = quoted(what:match("^[^:]*:?([^:]*)"))
    end
  end
  return list
end
