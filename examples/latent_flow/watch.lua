-- watch.lua -- a window on latent_flow.lua while its flow is trained (--show): samples by
-- class from the same noise, and the loss.

local tide = require "tide"
local flow, tensor = tide.flow, tide.tensor
local sheets = require "images.pictures"

local Watch = {}
Watch.__index = Watch

local COUNT, STEPS, SMOOTH = 60, 6, 0.9
local SHARE = 12                       -- training takes at least so many times the time of looking

local function open(classes)
  local fig = tide.plot.figure { size = { 860, 380 }, cols = 2, title = "flow matching in latent space" }
  local labels = {}
  for i = 1, COUNT do labels[i] = (i - 1) % classes + 1 end
  local self = setmetatable({ fig = fig, step = {}, loss = {},
    labels = classes > 1 and tensor.from(labels, { dtype = "i64" }) or nil }, Watch)
  self.left = fig:axes { col = 1, title = "samples" }
  self.right = fig:axes { col = 2, xlabel = "step", ylabel = "loss", yscale = "log" }
  self.line = self.right:line { x = {}, y = {} }
  fig:show()
  return self
end

-- What follows is about this net, whose points become pictures by `decode`.
function Watch:begin(title, v, decode, path)
  self.title, self.v, self.decode, self.path = title, v, decode, path or flow.path.linear()
  self.step, self.loss, self.mean = {}, {}, nil
  self.noise = tide.generator(79):run(function()
    return self.path:prior(tensor.empty { COUNT, table.unpack(v.shape) })
  end)
end

-- A report of flow.train: looks as often as that is cheap beside the training.
function Watch:see(info)
  self.mean = self.mean and SMOOTH * self.mean + (1 - SMOOTH) * info.loss or info.loss
  table.insert(self.step, info.step)
  table.insert(self.loss, self.mean)
  local from = tide.clock()
  if not self.fig:due() or from < (self.next or 0) then return end
  local x = self.decode((flow.sample(self.v:frozen(), self.noise, { labels = self.labels, path = self.path,
    steps = STEPS })))
  if not self.sheet then self.sheet = sheets.sheet(self.left, x, { columns = 10, gap = 1 })
  else self.sheet:set { images = sheets.as_images(x) } end
  self.line:set { x = self.step, y = self.loss }
  self.left:set { title = ("%s, step %d of %d"):format(self.title, info.step, info.steps) }
  local now = tide.clock()
  self.next = now + SHARE * (now - from)
end

-- Until the window is closed.
function Watch:stay() tide.plot.wait(self.fig) end

return { open = open }
