-- serve.lua -- the Jupyter kernel: what each request does and what is answered.
--
-- vm/kernel.c calls the handler for one request after the other, says busy before and idle after it,
-- and keeps the order of what is printed and sent.
local tide = require("tide")
local core = require("tide.kernel.core")
local cell = require("tide.kernel.cell")
local comm = require("tide.kernel.comm")
local display = require("tide.shell.display")
local history = require("tide.kernel.history")
local json = require("tide.json")
local lookup = require("tide.kernel.lookup")
local statement = require("tide.shell.statement")
local widgets = require("tide.kernel.widgets")
local M = {}

local LINE = 0.25                     -- seconds between two states of a progress bar

local session                         -- locals of the cells
local count = 0                       -- of cells with a number
local silent = false
local person = false                  -- at the front end that ran the last cell

local function encode(content)
  local text = json.encode(content, true)
  return utf8.len(text) and text or core.repair(text)
end

local function send(channel, type, content, metadata, how)
  core.send(channel, type, encode(content), metadata and encode(metadata), how)
end

comm.send = function(type, content, metadata) send("output", type, content, metadata) end

-- ---- outputs ----

local sink = {}

function sink.display(data, metadata, id, update)
  if silent then return end
  send("output", update and "update_display_data" or "display_data",
    { data = display.encoded(data), metadata = metadata, transient = { display_id = id } })
end

-- Controls stand below their figure.
function sink.shown(fig, now)
  if not silent then widgets.attach(fig, display.cell, now) end
end

widgets.parent = core.parent
widgets.display = function(data, metadata)
  send("output", "display_data", { data = data, metadata = metadata, transient = {} })
end

function sink.clear(wait)
  if not silent then send("output", "clear_output", { wait = wait }) end
end

-- A progress bar is an output that stays in its place; its last state stays in the notebook.
local line = { id = nil, at = 0, text = nil }

local function put_line(text)
  local update = line.id ~= nil
  line.id = line.id or display.new_id()
  line.at, line.text = tide.clock(), text
  sink.display({ ["text/plain"] = text }, {}, line.id, update)
end

local screen = {}

function screen.columns() return 90 end

function screen.show(text)
  display.refresh()
  if not text or line.text == text or line.id and tide.clock() < line.at + LINE then return end
  put_line(text)
end

-- What is left of a bar that is over.
function screen.close(text)
  put_line(text)
  line.id = nil
end

-- ---- cells ----

local function bundle_of(...)
  if select("#", ...) == 1 then return display.bundle((...)) end
  local texts, tall = {}, false
  for i = 1, select("#", ...) do
    texts[i] = require("tide.shell.show").format((select(i, ...)))
    tall = tall or texts[i]:find("\n", 1, true) ~= nil
  end
  return { ["text/plain"] = table.concat(texts, tall and "\n" or "\t") }, {}
end

local function show_result(...)
  if silent or display.is_known(...) then return end
  local data, metadata = bundle_of(...)
  history.output(data["text/plain"])
  send("output", "execute_result",
    { execution_count = count, data = display.encoded(data), metadata = metadata })
end

-- The answer to a cell that begins with "?", as the notebook's pager shows it.
local function page_of(code)
  local name = code:match("^%s*%?%s*([^?].-)[%s;]*$") or code:match("^%s*%?%s*$") and ""
  if not name then return nil end
  local text = require("tide.help").text(name ~= "" and require("tide.shell.help").topic(name) or nil)
  return { source = "page", data = { ["text/plain"] = text }, start = 0 }
end

local function expressions(list)
  local out = {}
  for name, code in pairs(type(list) == "table" and list or {}) do
    local data, metadata
    local failure = cell.run(session, tostring(code), { label = "expression", call = core.call,
      result = function(...) data, metadata = bundle_of(...) end })
    out[name] = failure and { status = "error", ename = failure.ename, evalue = failure.evalue,
      traceback = json.list(failure.traceback) }
      or { status = "ok", data = display.encoded(data or {}), metadata = metadata or {} }
  end
  return out
end

local function run(code)
  display.cell = (display.cell or 0) + 1
  line.id = nil
  local failure = cell.run(session, code, { label = ("In[%d]"):format(count), call = core.call,
    result = show_result })
  local ok, why = core.call(function()
    display.refresh(true)
    widgets.sync()
  end, tostring)
  if not ok and not failure then
    failure = { ename = "Error", evalue = why, traceback = { why } }
  end
  return failure
end

local requests = {}

function requests.execute_request(c, aborted)
  if aborted then return send("reply", "execute_reply", { status = "aborted", execution_count = count }) end
  local code = c.code or ""
  silent = c.silent == true
  if not silent and c.store_history ~= false then
    count = count + 1
    history.add(count, code)
  end
  if not silent then send("iopub", "execute_input", { code = code, execution_count = count }) end
  person = c.allow_stdin == true
  core.cell(silent, person)
  local page = page_of(code)
  local failure = not page and run(code) or nil
  local reply = { status = "ok", execution_count = count, payload = json.list { page },
    user_expressions = {} }
  if not failure then
    reply.user_expressions = expressions(c.user_expressions)
    send("reply", "execute_reply", reply)
  else
    failure.traceback = json.list(failure.traceback)
    if not silent then send("iopub", "error", failure) end
    failure.status, failure.execution_count = "error", count
    send("reply", "execute_reply", failure, nil, c.stop_on_error ~= false and "abort" or nil)
  end
  silent = false
end

-- ---- the other requests ----

function requests.complete_request(c)
  send("reply", "complete_reply", lookup.complete(session, c.code or "", c.cursor_pos or 0))
end

function requests.inspect_request(c)
  local text = lookup.inspect(session, c.code or "", c.cursor_pos or 0)
  send("reply", "inspect_reply", { status = "ok", found = text ~= nil,
    data = { ["text/plain"] = text }, metadata = {} })
end

function requests.is_complete_request(c)
  send("reply", "is_complete_reply", lookup.is_complete(c.code or ""))
end

function requests.history_request(c) send("reply", "history_reply", history.reply(c)) end

function requests.comm_info_request(c)
  send("reply", "comm_info_reply", { status = "ok", comms = comm.list(c.target_name) })
end

-- What a person does with a widget may fail; the text goes below the cell that shows the widget.
local function guarded(f)
  return function(c)
    local home = core.parent()
    local ok, report = core.call(function()
      f(c)
      display.refresh()
    end, function(err) return require("tide.shell.trace").text(err, { color = true }) end)
    if not ok then io.stderr:write(tostring(report), "\n") end
    core.parent(home)
  end
end

requests.comm_open, requests.comm_msg = guarded(comm.opened), guarded(comm.received)
requests.comm_close = guarded(comm.closed)

local function info()
  return { status = "ok", protocol_version = "5.5", implementation = "tide",
    implementation_version = tide.version, banner = "Springtide " .. tide.version .. ", " .. _VERSION,
    language_info = { name = "lua", version = _VERSION:match("[%d.]+"), mimetype = "text/x-lua",
      file_extension = ".lua", pygments_lexer = "lua", codemirror_mode = "lua" },
    debugger = false, help_links = json.list() }
end

function requests.kernel_info_request() send("reply", "kernel_info_reply", info()) end

local kinds = { code = "string", cursor_pos = "number", pattern = "string", comm_id = "string" }

local function handle(what, _, _, _, content, aborted)
  local f = requests[what]
  if not f then return end
  local c, why = json.decode(content)
  if why then error("the content is no JSON: " .. why, 0) end
  if type(c) ~= "table" then c = {} end
  for name, kind in pairs(kinds) do   -- nonsense counts as nothing
    if type(c[name]) ~= kind then c[name] = nil end
  end
  c.cursor_pos = c.cursor_pos and math.tointeger(c.cursor_pos)
  f(c, aborted)
end

-- ---- what is different in cells ----

-- Functions of io and os that would read from a terminal or end the process.
local function adapt()
  local read, lines, execute, popen = io.read, io.lines, os.execute, io.popen
  local function need_person()
    if io.input() == io.stdin and not core.may_ask() then
      error("nobody can be asked here: this front end runs cells without input", 3)
    end
  end
  function io.read(...)
    need_person()
    return read(...)
  end
  function io.lines(...)
    if select("#", ...) == 0 then need_person() end
    return lines(...)
  end
  local function flushed(f)
    return function(...)
      io.stdout:flush()
      io.stderr:flush()
      return f(...)
    end
  end
  os.execute, io.popen = flushed(execute), flushed(popen)
  function os.exit()
    error("os.exit would end the notebook's kernel; its menu can: Kernel, Shut Down", 2)
  end
end

-- While nothing is asked: callbacks that waited, figures that jobs or widgets have changed. In how many
-- milliseconds again, -1: not before something happens.
local function between()
  local event, job = package.loaded["tide.plot.event"], package.loaded["tide.job"]
  local wait = -1
  local ok, why = core.call(function()
    wait = event and event._idle() or -1
    local due = display.idle()
    if due >= 0 and (wait < 0 or due < wait) then wait = due end
  end, tostring)
  if not ok then io.stderr:write(tostring(why), "\n") end
  if wait < 0 and job and job._live() > 0 then wait = 250 end
  return wait
end

-- Opens the sockets of a connection; returns what answers requests there until the end.
function M.start(connection)
  adapt()
  package.loaded["tide.screen"] = screen
  session = statement.session()
  core.open(connection, encode(info()))
  display.open(sink)
  -- Programs that run notebooks look at the outputs of one cell at a time.
  local job = require("tide.job")
  job._home = function() return person and core.parent() or nil end
  job._parent = core.parent
  return function() core.serve(handle, between) end
end

return M
