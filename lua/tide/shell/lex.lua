-- lex.lua -- cuts Lua text into tokens and statements, for the prompt, completion and notebooks.
--
-- Neither ever runs anything. The text may be unfinished or wrong: what it means is for load() to
-- say, these functions only find the places.
local M = {}

local find, sub, byte = string.find, string.sub, string.byte

M.keywords = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto",
  "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" }
local is_keyword = {}
for _, w in ipairs(M.keywords) do is_keyword[w] = true end
M.is_keyword = is_keyword

-- End of a short string that begins at i, and whether it is closed.
local function short_string(text, i)
  local quote, at = sub(text, i, i), i + 1
  while true do
    at = find(text, "[\\\n" .. quote .. "]", at)
    if not at then return #text, false end
    local c = sub(text, at, at)
    if c == quote then return at, true end
    if c == "\n" then return at - 1, false end
    local _, skipped = find(text, "^z%s*", at + 1)
    at = (skipped or at + 1) + 1
  end
end

-- End of a long bracket that begins at i, and whether it is closed; nil if there is none at i.
local function long_bracket(text, i)
  local _, e, level = find(text, "^%[(=*)%[", i)
  if not e then return nil end
  local _, close = find(text, "]" .. level .. "]", e + 1, true)
  return close or #text, close ~= nil, e
end

local longest = { "^%.%.%.", "^[<>~=]=", "^//", "^::", "^<<", "^>>", "^%.%." }

local function operator_end(text, i)
  for _, pattern in ipairs(longest) do
    local _, e = find(text, pattern, i)
    if e then return e end
  end
  return i
end

-- The tokens of a text in order: { kind, text, from, to } with kind "name", "keyword", "number",
-- "string" or "op"; a string that is not closed has open = true, and body is where its content
-- begins. Second result: true when the text ends inside a comment.
function M.tokens(text)
  local tokens, i, in_comment = {}, 1, false
  while true do
    i = find(text, "[^ \t\r\n\f\v]", i)
    if not i then return tokens, in_comment end
    local c, to, closed, body = sub(text, i, i), nil, nil, nil
    local kind, _ = "op", nil
    if find(c, "[%a_\128-\255]") then
      _, to = find(text, "^[%w_\128-\255]+", i)
      kind = is_keyword[sub(text, i, to)] and "keyword" or "name"
    elseif find(text, "^%.?%d", i) then
      local hex = find(text, "^0[xX]", i)
      to = i
      while true do
        local _, e = find(text, hex and "^[pP][+-]" or "^[eE][+-]", to + 1)
        if not e then _, e = find(text, "^[%w_.]", to + 1) end
        if not e then break end
        to = e
      end
      kind = "number"
    elseif c == '"' or c == "'" then
      kind, body = "string", i + 1
      to, closed = short_string(text, i)
    elseif find(text, "^%-%-", i) then
      to, closed = long_bracket(text, i + 2)
      if to then
        in_comment = not closed
      else
        local newline = find(text, "\n", i, true)
        to, in_comment = newline or #text, not newline
      end
      kind = nil
    else
      to, closed, body = long_bracket(text, i)
      if to then kind, body = "string", body + 1 else to = operator_end(text, i) end
    end
    if kind then
      tokens[#tokens + 1] = { kind = kind, text = sub(text, i, to), from = i, to = to, body = body,
        open = kind == "string" and not closed or nil }
    end
    i = to + 1
  end
end

local opens = { ["function"] = 1, ["do"] = 1, ["if"] = 1, ["repeat"] = 1, ["("] = 1, ["{"] = 1,
  ["["] = 1 }
local closes = { ["end"] = 1, ["until"] = 1, [")"] = 1, ["}"] = 1, ["]"] = 1 }

-- How many blocks and brackets are open at the end of the tokens.
function M.depth(tokens)
  local depth = 0
  for _, t in ipairs(tokens) do
    if t.kind == "keyword" or t.kind == "op" then
      depth = math.max(0, depth + (opens[t.text] or 0) - (closes[t.text] or 0))
    end
  end
  return depth
end

-- ---- statements ----

local unary = { ["-"] = true, ["not"] = true, ["#"] = true, ["~"] = true }
local binary = {}
for op in ("+ - * / // % ^ .. == ~= < > <= >= and or & | ~ << >>"):gmatch("%S+") do
  binary[op] = true
end

local Reader = {}
Reader.__index = Reader

-- The text of the token at hand if it is no string, number or name, else nil.
function Reader:word()
  local t = self.tokens[self.at]
  return t and (t.kind == "keyword" or t.kind == "op") and t.text or nil
end

function Reader:kind()
  local t = self.tokens[self.at]
  return t and t.kind
end

function Reader:skip(word)
  if self:word() ~= word then return false end
  self.at = self.at + 1
  return true
end

function Reader:need(condition)
  if not condition then error(self, 0) end
  self.at = self.at + 1
  return self.tokens[self.at - 1]
end

function Reader:name() return self:need(self:kind() == "name").text end

-- Skips from a word that opens a block to behind the word that closes it.
function Reader:block()
  local depth = 0
  repeat
    local t = self:need(self.tokens[self.at])
    if t.kind == "keyword" then
      local w = t.text
      if w == "function" or w == "do" or w == "if" or w == "repeat" then depth = depth + 1 end
      if w == "end" or w == "until" then depth = depth - 1 end
    end
  until depth == 0
end

-- Skips from an opening bracket to behind its partner.
function Reader:bracket()
  local depth = 0
  repeat
    local t = self:need(self.tokens[self.at])
    if t.kind == "op" then
      local w = t.text
      if w == "(" or w == "{" or w == "[" then depth = depth + 1 end
      if w == ")" or w == "}" or w == "]" then depth = depth - 1 end
    end
  until depth == 0
end

-- What begins with a name or "(": "call", or "place" for what can be assigned to, or "value".
function Reader:suffixed()
  local kind = "place"
  if self:word() == "(" then
    self:bracket()
    kind = "value"
  else
    self:name()
  end
  while true do
    local w = self:word()
    if w == "." then
      self.at = self.at + 1
      self:name()
      kind = "place"
    elseif w == "[" then
      self:bracket()
      kind = "place"
    elseif w == ":" then
      self.at = self.at + 1
      self:name()
      if self:kind() == "string" then self.at = self.at + 1
      elseif self:word() == "(" or self:word() == "{" then self:bracket()
      else self:need(false) end
      kind = "call"
    elseif w == "(" or w == "{" then
      self:bracket()
      kind = "call"
    elseif self:kind() == "string" then
      self.at = self.at + 1
      kind = "call"
    else
      return kind
    end
  end
end

local constants = { ["nil"] = true, ["true"] = true, ["false"] = true, ["..."] = true }

function Reader:expression()
  while true do
    while unary[self:word()] do self.at = self.at + 1 end
    local w, kind = self:word(), self:kind()
    if kind == "number" or kind == "string" or constants[w] then self.at = self.at + 1
    elseif w == "{" then self:bracket()
    elseif w == "function" then self:block()
    else self:suffixed() end
    if not binary[self:word()] then return end
    self.at = self.at + 1
  end
end

function Reader:list()
  repeat self:expression() until not self:skip(",")
end

function Reader:local_statement(s)
  s.kind, s.names, s.attribs = "local", {}, {}
  self.at = self.at + 1
  if self:word() == "function" then
    s.names[1] = self.tokens[self.at + 1] and self.tokens[self.at + 1].text
    return self:block()
  end
  repeat
    s.names[#s.names + 1] = self:name()
    if self:skip("<") then
      s.attribs[s.names[#s.names]] = self:name()
      self:need(self:word() == ">")
    end
  until not self:skip(",")
  if self:skip("=") then self:list() end
end

-- A call, an assignment, or an expression that is no statement.
function Reader:expression_statement(s)
  local start, kind = self.at, nil
  if self:kind() == "name" or self:word() == "(" then kind = self:suffixed() end
  if kind == "call" and not binary[self:word()] and self:word() ~= "," then
    s.kind = "call"
    return
  end
  while kind == "place" and self:skip(",") do kind = self:suffixed() end
  if kind == "place" and self:skip("=") then
    s.kind = "assignment"
    return self:list()
  end
  self.at, s.kind = start, "expression"
  self:list()
end

function Reader:statement()
  local w, s = self:word(), { from = self.tokens[self.at].from, kind = "block" }
  if w == ";" then
    s.kind = "empty"
    self.at = self.at + 1
  elseif w == "local" then
    self:local_statement(s)
  elseif w == "return" then
    s.kind = "return"
    self.at = self.at + 1
    if self.tokens[self.at] and self:word() ~= ";" then self:list() end
  elseif w == "do" or w == "if" then
    self:block()
  elseif w == "function" and self.tokens[self.at + 1] and self.tokens[self.at + 1].kind == "name" then
    self:block()
  elseif w == "repeat" then
    self:block()
    self:expression()
  elseif w == "while" then
    self.at = self.at + 1
    self:expression()
    self:block()
  elseif w == "for" then
    repeat self.at = self.at + 1 until self:need(self:kind() == "name") and self:word() ~= ","
    self:need(self:word() == "=" or self:word() == "in")
    self:list()
    self:block()
  elseif w == "::" or w == "goto" then
    s.kind = "jump"
    self.at = self.at + 1
    self:name()
    if w == "::" then self:need(self:word() == "::") end
  elseif w == "break" then
    s.kind = "jump"
    self.at = self.at + 1
  else
    self:expression_statement(s)
  end
  s.to = self.tokens[self.at - 1].to
  return s
end

-- The statements of the outermost block in order: { kind, from, to } with kind "local" (with names
-- and attribs), "assignment", "call", "return", "jump", "block", "empty", or "expression" for what
-- is no statement of Lua. nil where the tokens fit no statement.
function M.statements(tokens)
  local reader, list = setmetatable({ tokens = tokens, at = 1 }, Reader), {}
  while tokens[reader.at] do
    local ok, s = pcall(reader.statement, reader)
    if not ok then return nil end
    list[#list + 1] = s
  end
  return list
end

return M
