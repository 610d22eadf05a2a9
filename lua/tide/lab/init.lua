-- init.lua -- tide lab: the method as one window, or, with --save, as a picture.
--
-- model.lua is the experiment, view.lua its picture, words.lua what it says, window.lua
-- what a person does with it.

local tide = require "tide"
local script = require "tide.script"
local model = require "tide.lab.model"
local targets = require "tide.lab.target"

local M = { new = model.new }

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
    { "point", nil, "X,Y: a point to look at", type = "string" },
    { "steps", 0, "steps of the latents before it is shown" },
    { "theme", "paper", "paper dark projector notebook",
      one_of = set { "paper", "dark", "projector", "notebook" } },
    { "save", nil, "a .png, .svg or .pdf instead of a window", type = "string" },
  },
  notes = [[

Ten minutes with people who have never seen it:

 1. It works.  Press space. The triangles are latents, the blue dots data; nobody tells the
    latents where data are, they only get a loss from a flow that was trained on data and is
    frozen now. Both curves go down. Why does the loss not go to 0? The dashed line is what
    true data have.
 2. It fails.  The curves pass below that line: less loss than data have is no success, the
    latents collapse onto a few points. Choose target rings and loss align: they leave the data.
    Choose loss excess: they spread again, and the curves come back to the line.
 3. Why.  Drag a white point across the map. Black arrows are the field on its path from noise,
    orange ones the straight velocity; the loss is their difference. The curve below shows at
    which times it arises. Press 7 and drag the time; press 5, then 6: what is said to be a
    bound on log p, and log p.]],
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
  if not (x and y and math.abs(x) < 100 and math.abs(y) < 100) then
    error(("--point wants two numbers, as in --point 0.5,1.2, not '%s'"):format(text), 0)
  end
  return { x, y }
end

-- A view that has taken its steps.
local function prepare(o)
  local m = model.new(options_of(o))
  local point = point_of(o.point)
  if o.time < 0 or o.time > 1 then error("--time is between 0 and 1", 0) end
  tide.plot.theme(o.theme)
  local view = require("tide.lab.view").new(m)
  view:choose(o.map:gsub("-", "_"), o.time)
  return m, view, point
end

local function command(args)
  local o = script.read(SPEC, args)
  local m, view, point = prepare(o)
  if not o.save then
    local window = require("tide.lab.window").open(view, o.steps, point)
    tide.plot.wait(view.fig)
    return window.player:pause()
  end
  m:train()
  for _ in tide.progress(o.steps, { label = "latents" }) do m:step() end
  if point then view:show_point(m:probe(point[1], point[2])) end
  view:finish(128).fig:save(o.save)
  print(table.concat(view.said, "\n"))
end

-- The command line after `tide lab`; returns whether all went well.
function M.main(args)
  local ok, message = pcall(command, args)
  if not ok then
    local text = tostring(message):gsub("^tide/lab/[^:]*:%d+: ", ""):gsub("^lab: ", "")
    io.stderr:write("tide lab: ", text, "\n")
  end
  return ok
end

return M
