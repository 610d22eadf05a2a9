-- widgets.lua -- the controls of a figure as widgets of the notebook's page (ipywidgets, protocol 2).
--
-- Each widget is a comm whose state the page keeps, too. What a person does comes as a new state and
-- goes to controls:set; what Lua changes is sent to the page. A page without widgets shows a sentence.
local comm = require("tide.kernel.comm")
local json = require("tide.json")
local M = {}

local CONTROLS, BASE = "@jupyter-widgets/controls", "@jupyter-widgets/base"
local VERSION = "2.0.0"
local STEPS = 100                     -- of a slider without a step of its own

M.display = nil                       -- display(data, metadata): set by the kernel,
M.parent = nil                        -- and core.parent: where outputs go

-- Panels of figures, and figures by them: as in display.lua, only the second is walked.
local panels, live = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "v" })

-- ---- models ----

local function model(module, name, state, view)
  local full = { _model_module = module, _model_module_version = VERSION, _model_name = name .. "Model",
    _view_module = module, _view_module_version = VERSION, _view_name = view and name .. "View" or json.null,
    _view_count = json.null }
  for k, v in pairs(state) do full[k] = v end
  local c = comm.open("jupyter.widget", { state = full, buffer_paths = json.list() }, { version = "2.1.0" })
  c.state = full
  return c
end

local function reference(c) return "IPY_MODEL_" .. c.id end

local function layout(state) return reference(model(BASE, "Layout", state or {})) end

local function style(name, state) return reference(model(CONTROLS, name .. "Style", state or {})) end

local function widget(name, styled, state, shape)
  state.layout = layout(shape)
  if styled then state.style = style(styled, styled ~= "Button" and { description_width = "8em" } or nil) end
  state._dom_classes, state.tabbable, state.tooltip = json.list(), json.null, json.null
  return model(CONTROLS, name, state, true)
end

-- "%.2f s" as the page writes numbers: ".2f"
local function readout(format, standard)
  return format and format:match("%%(%.?%d*[efg])") or standard
end

-- What a widget is made of, how a value of ours stands in its state, and back.
local make = {}

function make.slider(c)
  local wide = { width = "28em" }
  if c.log then
    local lo, hi = math.log(c.min, 10), math.log(c.max, 10)
    return widget("FloatLogSlider", "Slider", { description = c.label, base = 10.0, min = lo, max = hi,
      step = (hi - lo) / STEPS, value = c.value, readout_format = readout(c.format, ".3g"),
      continuous_update = c.live }, wide), "value"
  end
  if c.integer then
    return widget("IntSlider", "Slider", { description = c.label, min = math.tointeger(c.min),
      max = math.tointeger(c.max), step = math.tointeger(c.step) or 1, value = c.value,
      continuous_update = c.live }, wide), "value"
  end
  return widget("FloatSlider", "Slider", { description = c.label, min = c.min, max = c.max,
    step = c.step or (c.max - c.min) / STEPS, value = c.value, readout_format = readout(c.format, ".3g"),
    continuous_update = c.live }, wide), "value"
end

function make.toggle(c)
  return widget("Checkbox", "Checkbox", { description = c.label, value = c.value,
    indent = true }), "value"
end

function make.menu(c)
  local index
  for i, choice in ipairs(c.choices) do
    if choice == c.value then index = i - 1 end
  end
  return widget("Dropdown", "Description", { description = c.label, index = index,
    _options_labels = json.list(c.choices) }), "index"
end

function make.button(c)
  return widget("Button", "Button", { description = c.label, button_style = "", icon = "" }), nil
end

function make.text(c)
  return widget("Label", "Label", { value = c.value }), "value"
end

-- What a state of the page means for a control; nil for nothing.
local function value_of(item, v)
  local c = item.control
  if c.kind == "menu" then return math.tointeger(v) and c.choices[math.tointeger(v) + 1] end
  if c.kind == "toggle" then return v == true end
  if c.kind == "slider" and type(v) == "number" then
    v = math.max(c.min, math.min(c.max, v))
    return c.integer and math.tointeger(math.floor(v + 0.5)) or v
  end
end

local function state_of(item, value)
  if item.control.kind == "menu" then
    for i, choice in ipairs(item.control.choices) do
      if choice == value then return i - 1 end
    end
  end
  return value
end

-- ---- the panel of a figure ----

local function send_state(item, value)
  item.value = value
  item.comm.state[item.key] = state_of(item, value)
  item.comm:send({ method = "update", state = { [item.key] = item.comm.state[item.key] },
    buffer_paths = json.list() })
end

-- The page has what Lua has.
local function sync(panel)
  for i, c in ipairs(panel.controls:list()) do
    local item = panel.items[i]
    if item and item.key and c.value ~= item.value then send_state(item, c.value) end
  end
end

local function listen(panel, item)
  item.comm.on_msg = function(data)
    if data.method == "request_state" then
      item.value = nil
      return sync(panel)
    end
    M.parent(panel.home)
    local content = data.content
    if data.method == "custom" and type(content) == "table" and content.event == "click" then
      panel.controls:set(item.control.name)
    elseif data.method == "update" and type(data.state) == "table" and data.state[item.key or ""] ~= nil then
      local value = value_of(item, data.state[item.key])
      if value == nil then return end
      item.value, item.comm.state[item.key] = value, state_of(item, value)
      panel.controls:set(item.control.name, value)
    end
    sync(panel)
  end
end

local function button(panel, label, press)
  local c = widget("Button", "Button", { description = label, button_style = "", icon = "" },
    { width = "6em" })
  c.on_msg = function(data)
    M.parent(panel.home)
    if type(data.content) == "table" and data.content.event == "click" then press() end
  end
  return reference(c)
end

local function player_row(panel, run)
  return reference(widget("HBox", nil, { box_style = "", children = json.list {
    button(panel, "Play", function() run:play() end), button(panel, "Pause", function() run:pause() end),
    button(panel, "Step", function() run:step() end), button(panel, "Reset", function() run:reset() end) } }))
end

local function new_panel(controls, player)
  local panel, children = { controls = controls, items = {}, count = #controls:list() }, json.list()
  if player then children[1] = player_row(panel, player) end
  for i, c in ipairs(controls:list()) do
    if not c.hidden and make[c.kind] then
      local item = { control = c, value = c.value }
      item.comm, item.key = make[c.kind](c)
      panel.items[i] = item
      listen(panel, item)
      children[#children + 1] = reference(item.comm)
    end
  end
  panel.box = widget("VBox", nil, { children = children, box_style = "" })
  return panel
end

local nothing = setmetatable({}, { __tostring = function() return "a player" end })
nothing.list = function() return {} end

local function sentence(controls)
  return tostring(controls) .. "\n(with ipywidgets, a running notebook shows these as sliders to move)"
end

-- Shows the controls and the player of a figure, if it has any, below it; once for each cell. A figure
-- that is not shown now shows what is new since it was.
function M.attach(fig, cell, now)
  local event = package.loaded["tide.plot.event"]
  local stage = event and event.stage(fig)
  local controls, player = stage and stage.controls or nothing, stage and stage.player
  if controls == nothing and not player then return end
  local panel = panels[fig]
  if not panel or panel.controls ~= controls or panel.player ~= player or #controls:list() ~= panel.count then
    now = true
    panel = new_panel(controls, player)
    panel.player = player
    panels[fig], live[panel] = panel, fig
  end
  sync(panel)
  if panel.cell == cell or not now then return end
  panel.cell, panel.home = cell, M.parent()
  M.display({ ["text/plain"] = sentence(controls), ["application/vnd.jupyter.widget-view+json"] =
    { version_major = 2, version_minor = 0, model_id = panel.box.id } }, {})
end

-- At the end of a cell, which may have set controls of figures above it.
function M.sync()
  for panel in pairs(live) do sync(panel) end
end

-- The page asks for all states at once, after it was loaded again.
comm.targets["jupyter.widget.control"] = function(c)
  c.on_msg = function(data)
    if data.method ~= "request_states" then return end
    c:send({ method = "update_states", states = comm.states(), buffer_paths = json.list() })
  end
end

return M
