-- run.lua -- runs the cells of a notebook in this process and puts what they show into it.
--
-- What a kernel would send becomes the outputs of the cell: streams, displays, results, errors. The
-- same cells with the same results give the same bytes: nothing is kept of times.

local tide = require "tide"
local core = require "tide.notebook.core"
local file = require "tide.notebook.file"
local json = require "tide.json"
local color = require "tide.shell.color"
local display = require "tide.shell.display"
local trace = require "tide.shell.trace"

local M = {}

---- outputs ----

local function add(runner, output)
  local list = runner.outputs
  list[#list + 1] = output
  return output
end

-- What was printed since the last call becomes the end of the last stream, or a new one. A line that
-- ended in "\r" is drawn over, as on a terminal.
local function drain(runner)
  local texts = { core.take() }
  for i, name in ipairs { "stdout", "stderr" } do
    if texts[i] ~= "" then
      local last = runner.outputs[#runner.outputs]
      if not (last and last.output_type == "stream" and last.name == name) then
        last = add(runner, { output_type = "stream", name = name, text = "" })
      end
      local text = last.text .. texts[i]
      last.text = text:find "\r" and text:gsub("[^\n]*\r([^\r\n])", "%1") or text
    end
  end
end

-- Where tide.display and fig:show() send what they show.
local function sink(runner)
  local shown = {}                    -- the outputs of each id
  return {
    display = function(data, metadata, id, update)
      data = display.encoded(data)
      if update then
        for _, output in ipairs(shown[id] or {}) do
          output.data, output.metadata = data, metadata
        end
        return
      end
      drain(runner)
      shown[id] = shown[id] or {}
      table.insert(shown[id], add(runner,
        { output_type = "display_data", data = data, metadata = metadata }))
    end,
    clear = function()
      drain(runner)
      for i = #runner.outputs, 1, -1 do runner.outputs[i] = nil end
    end,
  }
end

---- errors ----

local function lines_of(text)
  local list = json.list()
  for line in (text .. "\n"):gmatch "(.-)\n" do list[#list + 1] = line end
  return list
end

local function failed(runner, report, name)
  drain(runner)
  local plain = color.strip(report)
  local value = plain:match "^[^\n]*"
  runner.failure = { text = plain, message = value, interrupted = plain:find("interrupted!", 1, true) }
  add(runner, { output_type = "error", ename = name, evalue = value, traceback = lines_of(report) })
end

local function handler(err)
  local report = trace.text(err, { color = true })
  return report
end

---- cells ----

-- The values of a cell: one as a notebook shows it, several as text side by side.
local function show_result(runner, first, ...)
  local more = select("#", ...)
  if first == nil and more == 0 then return end
  local data, metadata = display.bundle(first)
  if more > 0 then
    local texts = { tide.format(first) }
    for i = 1, more do texts[i + 1] = tide.format((select(i, ...))) end
    data, metadata = { ["text/plain"] = table.concat(texts, "\t") }, {}
  end
  drain(runner)
  add(runner, { output_type = "execute_result", data = display.encoded(data), metadata = metadata,
    execution_count = runner.count })
end

local function run_pieces(runner, entry)
  while true do
    local run, shows, expression = entry:next()
    if not run then
      if shows then failed(runner, shows, "SyntaxError") end
      return
    end
    local results = table.pack(xpcall(run, handler))
    if not results[1] then return failed(runner, results[2], "Error") end
    if results.n > 1 and (shows or expression) then _G._ = results[2] end
    if results.n > 1 and shows then
      show_result(runner, table.unpack(results, 2, results.n))
    end
  end
end

local function run_cell(runner, i, cell)
  runner.outputs, runner.failure, runner.session.label = json.list(), nil, "cell " .. i
  cell.outputs, cell.execution_count = runner.outputs, json.null
  if not cell.source:find "%S" then return end
  runner.count = runner.count + 1
  cell.execution_count, display.cell = runner.count, runner.count
  local entry = runner.session:read(cell.source)
  if entry.status == "invalid" or entry.status == "incomplete" then
    failed(runner, (entry.error:gsub("stdin:", runner.session.label .. ":")), "SyntaxError")
  elseif entry.status == "complete" then
    run_pieces(runner, entry)
    display.refresh(true)
  end
  drain(runner)
end

---- a whole notebook ----

local function no_exit() error("os.exit: a notebook goes on to its next cell", 2) end

-- While a notebook runs: output is held, figures go into cells, no progress is drawn, nothing leaves.
local function begin(runner)
  local exit, enabled, scale = os.exit, tide.progress.enabled, display.scale
  core.hold()
  os.exit, tide.progress.enabled = no_exit, false
  display.scale = runner.scale or scale
  display.open(sink(runner))
  return setmetatable({}, { __close = function()
    display.open(nil)
    display.scale = scale
    os.exit, tide.progress.enabled = exit, enabled
    core.release()
  end })
end

-- Runs the cells of nb in order, in this process. Options: allow_errors (go on after them), report(i,
-- cell, seconds, failure) after each cell of code, scale (pixels of pictures for one of the page). Returns nil, or the failure that ended the run:
-- {cell=, text= the report, message=}.
function M.run(nb, o)
  o = o or {}
  local statement = require "tide.shell.statement"
  local runner = { session = statement.session(), count = 0, scale = o.scale }
  file.number(nb)
  nb.metadata = nb.metadata or {}
  nb.metadata.kernelspec = nb.metadata.kernelspec or file.kernelspec
  nb.metadata.language_info = nb.metadata.language_info or file.language
  local _ <close> = begin(runner)
  for i, cell in ipairs(nb.cells) do
    if cell.cell_type == "code" then
      local started = tide.clock()
      run_cell(runner, i, cell)
      local failure = runner.failure
      if failure then failure.cell = i end
      if o.report then o.report(i, cell, tide.clock() - started, failure) end
      local expected = o.allow_errors or file.tagged(cell, "raises-exception")
      if failure and (failure.interrupted or not expected) then return failure end
      if not failure and file.tagged(cell, "raises-exception") and not o.allow_errors then
        return { cell = i, message = "no error, though the cell is tagged raises-exception",
          text = "no error, though the cell is tagged raises-exception" }
      end
    end
  end
end

return M
