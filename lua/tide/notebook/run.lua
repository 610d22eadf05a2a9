-- run.lua -- runs the cells of a notebook in this process and puts what they show into it.
--
-- What a kernel would send becomes the outputs of the cell: streams, displays, results, errors. The
-- same cells with the same results give the same bytes: nothing is kept of times.

local tide = require "tide"
local core = require "tide.notebook.core"
local file = require "tide.notebook.file"
local json = require "tide.json"
local cells = require "tide.kernel.cell"
local display = require "tide.shell.display"

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

---- cells ----

-- The values of a cell: one as a notebook shows it, several as text side by side.
local function show_result(runner, first, ...)
  local more = select("#", ...)
  if more == 0 and (first == nil or io.type(first)) then return end   -- nothing; of io.write
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

-- The traceback down to the cells, without what runs them.
local function shortened(lines)
  local last = #lines
  for i, line in ipairs(lines) do
    if line:find "^\tIn%[%d+%]:%d+: in" then last = i end
  end
  if (lines[last + 1] or ""):find "tail calls" then last = last + 1 end
  return json.list(table.move(lines, 1, last, 1, {}))
end

-- Runs a cell; returns nil, or {ename=, evalue=, traceback=}.
local function run_cell(runner, cell)
  runner.outputs = json.list()
  cell.outputs, cell.execution_count = runner.outputs, json.null
  if not cell.source:find "%S" then return end
  runner.count = runner.count + 1
  cell.execution_count, display.cell = runner.count, runner.count
  local failure = cells.run(runner.session, cell.source, { label = ("In[%d]"):format(runner.count),
    call = xpcall, result = function(...) show_result(runner, ...) end })
  display.refresh(true)
  drain(runner)
  if failure then
    failure.traceback = shortened(failure.traceback)
    add(runner, { output_type = "error", ename = failure.ename, evalue = failure.evalue,
      traceback = failure.traceback })
  end
  return failure
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

local NO_ERROR = { ename = "NoError", traceback = {},
  evalue = "the cell has the tag raises-exception and raised none" }

-- Runs the cells of nb in order, in this process. Options: allow_errors (go on after them), report(i,
-- cell, seconds, failure) after each cell of code, scale (pixels of pictures for one of the page).
-- Returns nil, or the failure that ended the run: {cell=, ename=, evalue=, traceback=}.
function M.run(nb, o)
  o = o or {}
  local statement = require "tide.shell.statement"
  local runner = { session = statement.session(), count = 0, scale = o.scale }
  file.complete(nb)
  nb.metadata.kernelspec = nb.metadata.kernelspec or file.kernelspec
  nb.metadata.language_info = nb.metadata.language_info or file.language
  local _ <close> = begin(runner)
  for i, cell in ipairs(nb.cells) do
    if cell.cell_type == "code" then
      local started, expected = tide.clock(), file.tagged(cell, "raises-exception")
      local failure = run_cell(runner, cell)
      if o.report then o.report(i, cell, tide.clock() - started, failure) end
      if expected and failure and failure.ename ~= "Interrupted" then failure = nil
      elseif expected and not failure then failure = NO_ERROR end
      if failure and not (o.allow_errors and failure.ename ~= "Interrupted") then
        failure.cell = i
        return failure
      end
    end
  end
end

return M
