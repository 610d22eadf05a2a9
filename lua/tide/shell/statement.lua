-- statement.lua -- what is typed at the prompt, or stands in a cell of a notebook, as Lua to run.
--
--   local session = statement.session()
--   local entry = session:read("local x = 6\nx * 7")
--   entry.status                "complete", "incomplete" (entry.indent: blanks for the next line),
--                               "invalid" or "empty"; entry.error says why it does not compile
--   entry.text                  what to keep: without prompts that were copied along
--   local run, shows = entry:next()   until run is nil
--
-- next compiles piece after piece, each when the one before has run; shows says whether the values
-- are wanted on the screen. When a piece does not compile, run is nil and the message comes second.
--
-- Locals of the outermost block carry over. Behind each `local` statement of that block a closure is
-- handed to the session, which keeps the variable by it; an entry that mentions the name later is
-- compiled inside a function that has locals of these names, and its upvalues are then joined to the
-- kept variables. So closures, assignments and <const> mean what they mean in one long chunk.
local tide = require("tide")
local lex = require("tide.shell.lex")
local M = {}

local CHUNK = "=stdin"                -- "=stdin#N" for what defines functions: they outlive the entry
local SLOW = 0.5                      -- seconds after which an entry says how long it took
local MOST = 150                      -- kept locals that one entry may mention
local KEEP = "__keep_local"           -- names of ours inside a compiled entry

-- ---- text ----

local function unprompted(line, prompt)
  if line:sub(1, #prompt) == prompt then return line:sub(#prompt + 1) end
  if line == prompt:gsub("%s+$", "") then return "" end
end

-- The rest of a line behind a prompt of the first kind or the second, or nil.
local function behind_prompt(line, prompts)
  for kind, list in ipairs(prompts) do
    for _, prompt in ipairs(list) do
      local rest = prompt:find("%S") and unprompted(line, prompt)
      if rest then return rest, kind end
    end
  end
end

local function loads(code, chunk) return load(code, chunk or CHUNK, "t") end

-- The error of a text that was read with a line break behind it: no line is after the last.
local function on_last_line(err, text)
  local last = select(2, text:gsub("\n", "")) + 1
  return (err:gsub("^(.-:)(%d+):", function(place, line)
    return tonumber(line) > last and place .. last .. ":" or nil
  end))
end

local function at_eof(err) return err and err:find("<eof>$") ~= nil end

-- Would further lines make the text complete?
local function wants_more(text)
  local f, err = loads(text .. "\n")
  if f then return false end
  if at_eof(err) then return true end
  f, err = loads("return " .. text .. "\n")
  return not f and at_eof(err)
end

-- The entries of a transcript, or nil for a text that is none.
--
-- A transcript begins with a prompt. Each line with the first prompt begins an entry; a line with
-- the second one, or with none, belongs to the entry above as long as that is incomplete, and is
-- output, and dropped, when it is complete. A prompt inside an entry that is not complete
-- means that the text was no transcript.
local function transcript(text, prompts)
  local first = text:match("^%s*([^\n]*)")
  if select(2, behind_prompt(first, prompts)) ~= 1 then return nil end
  local entries, open = {}, false
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local rest, kind = behind_prompt(line, prompts)
    if kind == 1 then
      if open then return nil end
      entries[#entries + 1] = rest
      open = wants_more(rest)
    elseif open then
      entries[#entries] = entries[#entries] .. "\n" .. (rest or line)
      open = wants_more(entries[#entries])
    end
  end
  return entries
end

-- ---- pieces ----

-- Is the statement alone on its lines, or between semicolons, so that an expression may stand there?
local function stands_alone(text, s)
  local before = text:sub(1, s.from - 1):gsub("[ \t]+$", "")
  local after = text:match("^[ \t]*(.?.?)", s.to + 1)
  return (before == "" or before:find("[\n;]$"))
    and (after == "" or after:find("^[\n;]") or after == "--")
end

local function is_quiet(tokens)
  local last = tokens[#tokens]
  return last ~= nil and last.kind == "op" and last.text == ";"
end

-- Newlines in place of what stands before a piece, so that its lines keep their numbers.
local function blank_lines(text, from)
  return ("\n"):rep(select(2, text:sub(1, from - 1):gsub("\n", "")))
end

-- A text that load takes as statements: one piece; its last call returns its values.
local function statements_piece(text, is_last, plain)
  local tokens = lex.tokens(text)
  local list = not plain and lex.statements(tokens) or {}
  local last = list[#list]
  local piece = { text = text, tokens = tokens, statements = list,
    shows = is_last and (plain or not is_quiet(tokens)) }
  if piece.shows and last and last.kind == "call" then piece.returns = last.from end
  return piece
end

local function expression_piece(text, quiet)
  return { text = text, tokens = lex.tokens(text), statements = {}, expression = true,
    shows = not quiet }
end

-- A text that load does not take: pieces, if it consists of statements and of expressions that stand
-- alone; nil else.
local function mixed_pieces(text, tokens)
  local list = lex.statements(tokens)
  if not list then return nil end
  local pieces, from = {}, 1
  local function flush(to, is_last)
    local part = text:sub(from, to)
    if not part:find("[^%s;]") then return true end
    part = blank_lines(text, from) .. part
    pieces[#pieces + 1] = statements_piece(part, is_last)
    return loads(part .. "\n")
  end
  for i, s in ipairs(list) do
    if s.kind == "expression" then
      local code = blank_lines(text, s.from) .. text:sub(s.from, s.to)
      if not stands_alone(text, s) or not flush(s.from - 1) or not loads("return " .. code) then
        return nil
      end
      local quiet = list[i + 1] and list[i + 1].kind == "empty"
      pieces[#pieces + 1] = expression_piece(code, quiet)
      from = (quiet and list[i + 1] or s).to + 1
    end
  end
  return flush(#text, true) and pieces or nil
end

-- Could the last lines be an expression that goes on? Then what is before them loads by itself.
local function open_expression(text, tokens)
  for i = #tokens, 1, -1 do
    local from = tokens[i].from
    local head = text:sub(1, from - 1)
    if head:find("\n[ \t]*$") then
      local _, err = loads("return " .. text:sub(from) .. "\n")
      if at_eof(err) and loads(head) then return true end
      if #tokens - i > 200 then return false end
    end
  end
  return false
end

-- Entries that begin with a mark: function FIELD of a module is called with the text.
local commands = {
  ["?"] = { "tide.shell.help", "query" },
  ["!"] = { "tide.shell.tools", "command" },
}

-- The pieces of one entry; or nil, a message, and true if more lines could mend it.
local function pieces_of(text, plain)
  local command = not plain and commands[text:match("^%s*([?!])")]
  if command then
    local function run() require(command[1])[command[2]](text) end
    return { { text = text, run = run } }
  end
  local tokens, in_comment = lex.tokens(text)
  if #tokens == 0 and not (in_comment and wants_more(text)) then return {} end
  local as_value = text:match("^%s*=(.*)")   -- "=x", as in old Lua
  if as_value then
    text = as_value
    tokens = lex.tokens(text)
  end
  local f, err = loads("return " .. text .. "\n")
  if f then
    return { expression_piece(text, is_quiet(tokens)) }
  end
  local more = at_eof(err)
  if not as_value then f, err = loads(text .. "\n") end
  if f then return { statements_piece(text, true, plain) } end
  local pieces = not plain and mixed_pieces(text, tokens)
  if pieces then return pieces end
  more = more or at_eof(err) or not plain and text:find("\n", 1, true) and open_expression(text, tokens)
  return nil, on_last_line(err, text), more
end

-- Words that people try at a prompt, unless they are names of theirs: the pieces that answer.
local function answer_to_word(session, text)
  local word, call = text:match("^%s*(%a+)%s*(%(?%s*%)?)%s*$")
  if not word or session.kept[word] then return nil end
  if word == "help" and call == "" and _G.help == tide.help then return pieces_of("?") end
  if (word == "quit" or word == "exit") and _G[word] == nil and not session.label then
    return { { text = text, run = function() print("Ctrl-D leaves") end } }
  end
end

-- ---- a session ----

local Session = {}
Session.__index = Session

-- A session of its own: its entries see each other's locals. With plain = true it does no more than
-- the stand-alone interpreter of Lua.
function M.session(plain)
  local session = setmetatable({ kept = {}, count = 0, plain = plain, done = {} }, Session)
  if not plain then M.current = session end
  return session
end

-- The kept locals that the tokens mention, as a list of names, at most MOST.
local function mentioned(session, tokens)
  local names, seen = {}, {}
  for _, t in ipairs(tokens) do
    if t.kind == "name" and session.kept[t.text] and not seen[t.text] and #names < MOST then
      seen[t.text] = true
      names[#names + 1] = t.text
    end
  end
  return names
end

-- The text of a piece with `return` before its last call, and with a call that hands over the
-- variables behind each local statement, if `keeping`.
local function prepared(piece, keeping)
  local out, at = {}, 1
  local function insert(where, what)
    out[#out + 1] = piece.text:sub(at, where)
    out[#out + 1] = what
    at = where + 1
  end
  if piece.expression then out[1] = "return " end
  for _, s in ipairs(piece.statements) do
    if s.kind == "local" and keeping then
      local names, spec = {}, {}
      for _, name in ipairs(s.names) do
        if s.attribs[name] ~= "close" and name ~= "_ENV" then
          names[#names + 1] = name
          spec[#spec + 1] = name .. "=" .. (s.attribs[name] or "")
        end
      end
      if #names > 0 then
        insert(s.to, (" %s(%q,function() return %s end);"):format(KEEP,
          table.concat(spec, ","), table.concat(names, ",")))
      end
    end
    if s.from == piece.returns then insert(s.from - 1, "return ") end
  end
  out[#out + 1] = piece.text:sub(at)
  return table.concat(out)
end

-- Keeps the locals that the closure returns, spec being "name=attrib,..."; constants of the compiler
-- are no upvalues of it.
function Session:keep(spec, closure)
  local upvalues, values, i = {}, nil, 0
  for n = 1, 255 do
    local name = debug.getupvalue(closure, n)
    if not name then break end
    upvalues[name] = n
  end
  for name, attrib in spec:gmatch("([^,=]+)=([^,]*)") do
    i = i + 1
    local place, at = closure, upvalues[name]
    if not at then
      values = values or table.pack(closure())
      local value = values[i]
      place, at = function() return value end, 1
    end
    self.kept[name] = { place, at, const = attrib == "const" }
  end
end

local function has_local(piece)
  for _, s in ipairs(piece.statements) do
    if s.kind == "local" then return true end
  end
  return false
end

-- The code inside a function whose upvalues are the kept locals `names`.
function Session:inside(names, code)
  local head = {}
  for i, name in ipairs(names) do
    local k = self.kept[name]
    head[i] = k.const and name .. " <const>" or name
  end
  head[#head + 1] = KEEP
  local f, err = loads(("local %s = ...;return function(...) %s\nend"):format(
    table.concat(head, ","), code), self.chunk)
  if not f then return nil, err end
  f = f()
  for n = 1, 255 do
    local name = debug.getupvalue(f, n)
    if not name then break end
    local k = self.kept[name]
    if name == KEEP then
      debug.setupvalue(f, n, function(list, closure) self:keep(list, closure) end)
    elseif name ~= "_ENV" and k then
      debug.upvaluejoin(f, n, k[1], k[2])
    end
  end
  return f
end

local function trace()
  local ok, m = pcall(require, "tide.shell.trace")
  return ok and m or { source = function() end }
end

-- The name of the chunk, session.label where the caller gives each entry one; the reports of errors
-- look its text up.
function Session:name(piece)
  self.count = self.count + 1
  self.chunk = self.label and "=" .. self.label or CHUNK
  for _, t in ipairs(piece.tokens) do
    if not self.label and t.text == "function" and t.kind == "keyword" then
      self.chunk = CHUNK .. "#" .. self.count
      break
    end
  end
  trace().source(self.chunk:sub(2), piece.text)
end

-- The function of a piece, or nil and a message.
function Session:compile(piece)
  if piece.run then return piece.run end
  if self.plain then return loads(prepared(piece, false) .. "\n") end
  self:name(piece)
  local names = mentioned(self, piece.tokens)
  local declares = has_local(piece)
  if #names == 0 and not declares then return loads(prepared(piece, false) .. "\n", self.chunk) end
  if #names > 0 then                  -- an assignment to a constant is an error of the user's
    local f, err = self:inside(names, prepared(piece, false))
    if not f or not declares then return f, err end
  end
  -- A goto may not jump over what is put in: then the locals stay where they are.
  return self:inside(names, prepared(piece, true)) or self:inside(names, prepared(piece, false))
end

-- Splits a text into its entries; "\r\n" and "\r" end lines too.
local function entries_of(text, prompts)
  text = text:gsub("\r\n?", "\n")
  return transcript(text, prompts) or { text }
end

-- A prompt as it looks when it was copied.
local function shown(prompt) return prompt and prompt:gsub("[\1\2]", ""):gsub("\27%[[%d;]*m", "") end

-- Reads an entry; prompt and prompt2 are those in use, which are stripped like the usual ones.
function Session:read(text, prompt, prompt2)
  local prompts = { { "> ", (shown(prompt)) }, { ">> ", (shown(prompt2)) } }
  local texts = self.plain and { text } or entries_of(text, prompts)
  local entry = { status = "empty", text = table.concat(texts, "\n") }
  local pieces = {}
  self.pending = nil
  for _, code in ipairs(texts) do
    local list, err, more = not self.plain and answer_to_word(self, code), nil, nil
    if not list then list, err, more = pieces_of(code, self.plain) end
    if not list then
      entry.status, entry.error = more and "incomplete" or "invalid", err
      self.pending = more and code or nil   -- for completion
      if not more and not self.plain then entry.error = trace().syntax(err, code) end
      if more then entry.indent = 2 * lex.depth((lex.tokens(code))) end
      return entry
    end
    for _, piece in ipairs(list) do pieces[#pieces + 1] = piece end
  end
  if #pieces > 0 then entry.status = "complete" end
  local writing = package.loaded["tide.shell.session"]
  if writing and not self.plain then writing.entered(entry.text) end
  local start
  entry.next = function()
    local piece = table.remove(pieces, 1)
    start = start or tide.clock()
    if not piece then                 -- all have run without error
      if not self.plain then self:finished(entry.text, tide.clock() - start) end
      return nil
    end
    local f, failure = self:compile(piece)
    if f then return f, piece.shows, piece.expression end
    pieces = {}
    return nil, failure
  end
  return entry
end

-- An entry has run without error; how long it took is shown when one had to wait for it.
function Session:finished(text, seconds)
  self.done[#self.done + 1] = text
  if seconds >= SLOW then require("tide.shell.tools").took(seconds) end
end

-- The kept locals: a table of their values by name.
function Session:locals()
  local values = {}
  for name, k in pairs(self.kept) do
    local _, value = debug.getupvalue(k[1], k[2])
    values[name] = value
  end
  return values
end

return M
