-- init.lua -- tide lab: the method as one window, or, with --save, as a picture.
--
-- model.lua is the experiment, view.lua its picture, words.lua what it says, window.lua
-- what a person does with it.

local tide = require "tide"
local script = require "tide.script"
local model = require "tide.lab.model"
local targets = require "tide.lab.target"

local M = {}

local function set(list)
  local s = {}
  for _, name in ipairs(list) do s[name] = true end
  return s
end

local D = model.defaults
local MAPS = { "loss", "nll", "align", "C", "bound", "log-p", "residual" }

local SPEC = {
  name = "tide lab", file = "lab", common = {},
  about = "Opens the method as one window: latents that move down the loss of a frozen flow, " ..
    "over maps\nof what they are to find and what they are given.",
  options = {
    { "target", D.target, "mog grid moons rings spiral swissroll",
      one_of = set { "draw", table.unpack(targets.names) } },
    { "points", nil, "a file of points (N, 2) as the target", type = "string" },
    { "field", D.field, "exact: the best there can be; trained: a small flow", one_of = set(model.fields) },
    { "flow-steps", D.flow_steps, "steps of training it: 10 30 100 300 1000 3000" },
    { "loss", D.loss, "align, likelihood or excess", one_of = set(model.losses) },
    { "lr", D.lr, "learning rate of the latents" },
    { "from", D.from, "times of the loss: from here ...", type = "number" },
    { "to", D.to, "... to here, between 0 and 1", type = "number" },
    { "draws", D.draws, "draws of (t, noise) for each latent and step", least = 1 },
    { "latents", D.latents, "how many latents", least = 10 },
    { "seed", D.seed, "seed of every random stream" },
    { "map", "loss", "in the middle: loss nll align C bound log-p residual", one_of = set(MAPS) },
    { "time", 0.5, "the time of map residual" },
    { "point", nil, ("X,Y: a point to look at, from %g to %g"):format(-model.limit, model.limit),
      type = "string" },
    { "steps", 0, "steps of the latents before it is shown" },
    { "theme", "paper", "paper dark projector notebook",
      one_of = set { "paper", "dark", "projector", "notebook" } },
    { "save", nil, "a .png, .svg or .pdf instead of a window", type = "string" },
  },
  notes = "\n" .. require "tide.lab.guide",
}

-- What the command line says, as options of a model and of a view.
local function options_of(o)
  local options = { target = o.target, field = o.field, flow_steps = o["flow-steps"], loss = o.loss,
    lr = o.lr, from = o.from, to = o.to, draws = o.draws, latents = o.latents, seed = o.seed }
  if o.points then
    options.target, options.points = "draw", tide.data.load(o.points)
  end
  return options
end

local function point_of(text)
  if not text then return nil end
  local x, y = text:match "^%s*([^,]+),([^,]+)$"
  x, y = tonumber(x), tonumber(y)
  local L = model.limit
  if not (x and y and math.abs(x) <= L and math.abs(y) <= L) then
    error(("--point wants two numbers from %g to %g, as in --point 0.5,1.2, not '%s'"):format(-L, L, text), 0)
  end
  return { x, y }
end

-- A lab that is not shown yet.
local function make(options, map, time)
  if type(time) ~= "number" or not (time >= 0 and time <= 1) then
    tide.raise(("lab: time is a number from 0 to 1, not %s"):format(tostring(time)))
  end
  local view = require("tide.lab.view").new(model.new(options))
  view:choose(map, time)
  return require("tide.lab.window").new(view)
end

-- tide.lab{...}
function M.open(o)
  local options, map, time = {}, "loss", 0.5
  for k, v in pairs(o or {}) do
    if k == "map" then map = v elseif k == "time" then time = v else options[k] = v end
  end
  return make(options, map, time):show()
end

local function command(args)
  local o = script.read(SPEC, args)
  local point = point_of(o.point)
  tide.plot.theme(o.theme)
  local lab = make(options_of(o), o.map:gsub("-", "_"), o.time)
  if not o.save then lab:show() end
  if o.steps > 0 then lab.player:run(o.steps) end
  if point then lab.handle:drag(point[1], point[2]) end
  if o.save then
    lab:save(o.save, { point = point ~= nil })
    print(table.concat(lab.said, "\n"))
  elseif lab.fig.open then
    tide.plot.wait(lab.fig)
    lab.player:pause()
  else
    error("without a display there is no window; --save FILE.png draws it", 0)
  end
end

-- The command line after `tide lab`; returns whether all went well.
function M.main(args)
  local ok, message = pcall(command, args)
  if not ok then
    local text = script.plain(message):gsub("^lab: ", "")
    io.stderr:write("tide lab: ", text, "\n")
  end
  return ok
end

return M
