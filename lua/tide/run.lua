-- run.lua -- tide.run: a folder that says what was run, with what, and what came out.
--
--   runs/NAME/run.json      options, seed, versions, machine, times, status, summary;
--                           written whole at the start and at the end
--   runs/NAME/metrics.csv   a line for each call of run:log, written at once
--
-- and whatever else is saved to run:path "file".  tide.runs reads them.

local tide = require "tide"
local tensor = tide.tensor
local json = require "tide.json"
local files = require "tide.data.core"
local core = require "tide.run.core"

local M = {}

local Run = {}
Run.__index = Run
Run.__name = "tide.Run"

---- what is known about this process ----

local function first_line(path)
  local file = io.open(path, "r")
  local line = file and file:read "l"
  if file then file:close() end
  return line
end

-- The commit of the repository that the current folder is in, and its branch.
function M.git()
  local up = "."
  for _ = 1, 32 do
    local dir = up .. "/.git"
    local link = not core.is_folder(dir) and first_line(dir)
    local to = link and link:match "^gitdir: (.+)$"
    if to then dir = to:sub(1, 1) == "/" and to or up .. "/" .. to end
    local head = first_line(dir .. "/HEAD")
    if head then
      local ref = head:match "^ref: (.+)$"
      if not ref then return { commit = head } end
      local common = first_line(dir .. "/commondir")
      if common then
        dir = common:sub(1, 1) == "/" and common or dir .. "/" .. common
      end
      local commit = first_line(dir .. "/" .. ref)
      local packed = not commit and io.open(dir .. "/packed-refs", "r")
      if packed then
        for line in packed:lines() do
          local hash, name = line:match "^(%x+) (.+)$"
          if name == ref then commit = hash end
        end
        packed:close()
      end
      return { commit = commit, branch = ref:match "^refs/heads/(.+)$" or ref }
    end
    up = up == "." and ".." or up .. "/.."
  end
end

local function processor()
  local file = io.open("/proc/cpuinfo", "r")
  if not file then return nil end
  local name = file:read "a":match "model name%s*:%s*([^\n]+)"
  file:close()
  return name
end

local function about_machine()
  local m = core.machine()
  m.device, m.threads = tide.device(), tide.threads()
  m.processor = processor()
  local version = { springtide = tide.version, lua = m.lua, blas = m.blas }
  m.lua, m.blas = nil, nil
  return m, version
end

local function command_line()
  if type(arg) ~= "table" or type(arg[0]) ~= "string" then return nil end
  local words, i = {}, 0
  while arg[i - 1] do i = i - 1 end
  while arg[i] do
    local w = tostring(arg[i])
    words[#words + 1] = w:find "[^%w%./=,_:+@-]" and "'" .. w .. "'" or w
    i = i + 1
  end
  return table.concat(words, " ")
end

local function now() return os.date "!%Y-%m-%dT%H:%M:%SZ" end

-- A value fit for JSON: numbers that JSON lacks and objects become text.
local function plain(v, depth)
  local kind = type(v)
  if tensor.is_tensor(v) then
    return v:numel() == 1 and plain(v:item(), depth) or
      ("tensor %s %s"):format(v.dtype, tensor.shape_text(v))
  elseif kind == "number" and (v ~= v or v == math.huge or v == -math.huge) then
    return ("%g"):format(v)
  elseif kind == "number" or kind == "string" or kind == "boolean" then
    return v
  elseif kind ~= "table" or depth > 6 or getmetatable(v) then
    return (tostring(v):gsub(": 0x%x+$", ""))
  end
  local out, list = {}, #v > 0
  for key, x in pairs(v) do
    if list and math.type(key) ~= "integer" then list = false end
  end
  for key, x in pairs(v) do out[list and key or tostring(key)] = plain(x, depth + 1) end
  return out
end

---- making one ----

local function script_name()
  local path = type(arg) == "table" and type(arg[0]) == "string" and arg[0] or ""
  return path:match "([^/]+)%.lua$" or "run"
end

-- A folder of its own for a name: name, name-2, name-3, ...
local function fresh_folder(dir, name)
  files.mkdir(dir)
  for n = 1, math.maxinteger do
    local path = ("%s/%s%s"):format(dir, name, n > 1 and "-" .. n or "")
    if core.new_folder(path) then return path end
  end
end

local function save(run)
  core.write(run.dir .. "/run.json", json.encode(plain(run.record, 0)) .. "\n")
end

local function check(o)
  if type(o.name) ~= "string" or o.name == "" or o.name:find "%z" then
    tide.raise("tide.run: name must be a string, not " .. tostring(o.name))
  end
  for _, key in ipairs { "options", "figures" } do
    if o[key] ~= nil and type(o[key]) ~= "table" then
      tide.raise(("tide.run: %s must be a table, not a %s"):format(key, type(o[key])))
    end
  end
  for _, key in ipairs { "dir", "path" } do
    if o[key] ~= nil and type(o[key]) ~= "string" then
      tide.raise(("tide.run: %s must be a string, not a %s"):format(key, type(o[key])))
    end
  end
end

local function folder_of(o)
  if not o.path and not o.overwrite and not o.resume then
    return fresh_folder(o.dir, o.name)
  end
  local path = o.path or o.dir .. "/" .. o.name
  if files.is_file(path .. "/run.json") and not o.overwrite and not o.resume then
    tide.raise(("tide.run: there is a run in %s; overwrite=true replaces it, " ..
                "resume=true goes on with it"):format(path))
  end
  files.mkdir(path)
  return path
end

-- Does another process that is alive on this machine write the run of this record?
function M.in_use(record)
  local pid = math.type(record.pid) == "integer" and record.pid
  return record.status == "running" and pid and pid ~= core.pid() and
    type(record.machine) == "table" and record.machine.host == core.machine().host and
    core.alive(pid)
end

-- tide.run{name=, options=, ...}: see its documentation.
function M.new(o)
  o = tide.options("tide.run", o, {
    "options", "seed", "path", "figures", "kind", "note", name = script_name(),
    dir = "runs", overwrite = false, resume = false })
  check(o)
  local machine, version = about_machine()
  local run = setmetatable({ dir = folder_of(o), started = tide.clock() }, Run)
  run.name = run.dir:match "([^/]+)/*$" or o.name
  run.record = {
    name = o.name, kind = o.kind, note = o.note, status = "running",
    options = o.options, figures = o.figures, started = now(), command = command_line(),
    seed = o.seed or (o.options or {}).seed or tide.random_state().seed,
    version = version, machine = machine, git = M.git(), pid = core.pid() }
  if o.resume then
    local text = first_line(run.dir .. "/run.json") and
      io.open(run.dir .. "/run.json"):read "a"
    local old = text and json.decode(text)
    if type(old) == "table" then
      if M.in_use(old) then
        tide.raise(("tide.run: process %d is at work on the run in %s; wait for it or end it")
          :format(old.pid, run.dir))
      end
      run.record.first_started = old.first_started or old.started
      run.before = type(old.seconds) == "number" and old.seconds or 0
      run.record.resumed = (math.tointeger(old.resumed) or 0) + 1
    end
    M.take_up(run)
  else
    os.remove(run.dir .. "/metrics.csv")
  end
  save(run)
  return run
end

---- metrics ----

-- Names of the columns and rows of cells of a metrics file; the rest of a line
-- without an end, and lines of another length, are left out and counted.
function M.read_metrics(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "a" or ""
  file:close()
  local names, rows, lost = nil, {}, 0
  for line, stop in text:gmatch "([^\n]*)(\n?)" do
    if stop == "" then
      if line ~= "" then lost = lost + 1 end
    else
      local cells = {}
      for cell in (line:gsub("\r$", "") .. ","):gmatch "([^,]*)," do
        cells[#cells + 1] = cell
      end
      if not names then names = cells
      elseif #cells == #names then rows[#rows + 1] = cells
      else lost = lost + 1 end
    end
  end
  return names or {}, rows, lost
end

local function cell_text(v)
  if tensor.is_tensor(v) then v = v:item() end
  if type(v) == "boolean" then v = v and 1 or 0 end
  if type(v) ~= "number" then return nil end
  if v ~= v then return "nan" end
  return math.type(v) == "integer" and tostring(v) or ("%.9g"):format(v)
end

-- The file opened for more lines, after it was written anew as names and rows.
local function rewrite(run, rows)
  if run.file then run.file:close() end
  local lines = { table.concat(run.columns, ",") }
  for i, row in ipairs(rows) do
    for j = #row + 1, #run.columns do row[j] = "" end
    lines[i + 1] = table.concat(row, ",")
  end
  local path = run.dir .. "/metrics.csv"
  core.write(path, table.concat(lines, "\n") .. "\n")
  local file, why = io.open(path, "ab")
  if not file then tide.raise(("run:log: %s cannot be written: %s"):format(path, why)) end
  file:setvbuf("full", 1 << 16)
  run.file = file
end

local function index_columns(run)
  run.column = {}
  for i, name in ipairs(run.columns) do run.column[name] = i end
end

-- What an earlier process logged; lines that come again replace those from there on, for each
-- column by itself: run.old has those that nothing was logged to yet.
function M.take_up(run)
  local names, rows = M.read_metrics(run.dir .. "/metrics.csv")
  if not names or names[1] ~= "step" then return end
  run.columns, run.old = names, {}
  for _, name in ipairs(names) do run.old[name] = true end
  index_columns(run)
  rewrite(run, rows)
  local last = rows[#rows]
  run.before = last and run.column.seconds and tonumber(last[run.column.seconds]) or run.before
end

local function add_columns(run, values)
  local more = {}
  for name in pairs(values) do
    if type(name) ~= "string" or name == "" or name:find '[,"\r\n]' then
      tide.raise(("run:log: '%s' is no name for a column: a string without commas and " ..
                  "quotes is needed"):format(tostring(name)))
    end
    if not run.column[name] then more[#more + 1] = name end
  end
  if #more == 0 then return end
  table.sort(more)
  table.move(more, 1, #more, #run.columns + 1, run.columns)
  index_columns(run)
  local _, rows = M.read_metrics(run.dir .. "/metrics.csv")
  rewrite(run, rows or {})
end

-- After resume: the first step that is logged to a column decides which of its old lines still hold.
local function drop_later(run, step, values)
  local again = {}
  for name in pairs(values) do
    if run.old[name] then again[#again + 1] = run.column[name] end
    run.old[name] = nil
  end
  if #again == 0 then return end
  local _, rows = M.read_metrics(run.dir .. "/metrics.csv")
  local kept = {}
  for _, row in ipairs(rows) do
    local at, gone = tonumber(row[1]), false
    for _, j in ipairs(again) do gone = gone or row[j] and row[j] ~= "" end
    if at and (at < step or not gone) then kept[#kept + 1] = row end
  end
  rewrite(run, kept)
end

-- Adds a line to metrics.csv: numbers by name (tensors of one element too).
function Run:log(step, values)
  if type(step) ~= "number" or type(values) ~= "table" then
    tide.raise("run:log: give the step and a table of numbers by name, as in " ..
               "run:log(step, {loss=0.5})")
  end
  if self.record.status ~= "running" then
    tide.raise("run:log: the run in " .. self.dir .. " is over")
  end
  if not self.columns then
    self.columns = { "step", "seconds" }
    index_columns(self)
  end
  if self.old then drop_later(self, step, values) end
  add_columns(self, values)
  local cells = {}
  for j = 1, #self.columns do cells[j] = "" end
  cells[1] = cell_text(step)
  cells[self.column.seconds or 1] = ("%.3f"):format((self.before or 0) +
    tide.clock() - self.started)
  for name, v in pairs(values) do
    local text = cell_text(v)
    if not text then
      tide.raise(("run:log: %s must be a number, not a %s"):format(name, tide.type(v)))
    end
    cells[self.column[name]] = text
  end
  if not self.file then rewrite(self, {}) end
  self.file:write(table.concat(cells, ","), "\n")
  self.file:flush()                    -- one write: the line is whole or absent
  return self
end

-- What logs to the run under names of its own, as align.loss, beside another loop.
function Run:part(name)
  if type(name) ~= "string" then
    tide.raise("run:part: give the name of the part, not a " .. tide.type(name))
  end
  return { log = function(_, step, values)
    local named = {}
    for key, v in pairs(values) do named[name .. "." .. tostring(key)] = v end
    self:log(step, named)
  end }
end

---- the end ----

local function close(run, status, message, summary)
  if run.record.status ~= "running" then return end
  local r = run.record
  r.status, r.message, r.ended = status, message, now()
  r.seconds = (run.before or 0) + tide.clock() - run.started
  r.summary = summary or run.summary
  if run.file then pcall(run.file.close, run.file) end
  save(run)
end

-- The run is over; summary: figures by name, kept in run.json.
function Run:finish(summary)
  if summary ~= nil and type(summary) ~= "table" then
    tide.raise("run:finish: the summary must be a table of figures, not a " ..
               type(summary))
  end
  close(self, "finished", nil, summary)
  return self
end

-- The run went wrong; Ctrl-C is "interrupted", all else "failed".
function Run:fail(message)
  message = tostring(message)
  close(self, message:find("interrupted!", 1, true) and "interrupted" or "failed", message)
  return self
end

function Run:__close(failure)
  if failure ~= nil then self:fail(failure) else self:finish() end
end

function Run:__gc()
  if rawget(self, "record") then
    pcall(close, self, "interrupted", "the program ended before run:finish()")
  end
end

function Run:__tostring()
  return ("tide.run: %s, %s"):format(self.dir, self.record.status)
end

---- files of the run ----

function Run:path(name) return self.dir .. "/" .. name end

-- Text in one piece: under another name first, then renamed.
function Run:write(name, text) core.write(self:path(name), text) end

-- A table as JSON; summary.json is the summary of the run, too.
function Run:json(name, value)
  if name == "summary.json" then self.summary = value end
  self:write(name, json.encode(value) .. "\n")
end

-- Columns of equal length under their names.
function Run:csv(name, names, columns)
  local lines = { table.concat(names, ",") }
  for i = 1, #columns[1] do
    local row = {}
    for j = 1, #columns do
      local v = columns[j][i]
      row[j] = v == nil and "" or math.type(v) == "float" and ("%.9g"):format(v)
        or tostring(v)
    end
    lines[#lines + 1] = table.concat(row, ",")
  end
  self:write(name, table.concat(lines, "\n") .. "\n")
end

-- A tensor, or a table of tensors, in the format of the extension.
function Run:save(name, x) tide.data.save(self:path(name), x) end

-- A figure as .png and .pdf, where this build can draw.
function Run:figure(name, fig)
  if not tide.plot.can_save then return end
  fig:save(self:path(name .. ".png"))
  fig:save(self:path(name .. ".pdf"))
end

return M
