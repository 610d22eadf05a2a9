-- watch.lua -- a window on an autoencoder while it is trained (fashion_ae.lua --show):
-- its latents by class over the prior's points, images beside what it makes of them, and
-- its curves.

local tide = require "tide"
local models = require "fashion.models"
local pictures = require "fashion.pictures"

local Watch = {}
Watch.__index = Watch

local LATENTS, IMAGES = 1500, 8
local SHARE = 15                       -- training takes at least so many times the time of looking

local function first_images(data)
  return data.test:narrow(1, 1, IMAGES)
end

local function as_images(rows, data)
  return rows:reshape(-1, data.height, data.width)
end

-- A window for one autoencoder after the other; nothing happens without a display.
local function open(data, y)
  local fig = tide.plot.figure { size = { 840, 430 }, rows = 2, cols = 2, widths = { 1, 1 },
    title = "autoencoders with aligned latents" }
  local self = setmetatable({ fig = fig, data = data, plane = pictures.plane_of(y) }, Watch)
  local own = self.plane(y.fresh:narrow(1, 1, math.min(LATENTS, y.fresh:size(1))))
  local reach = 1.6 * own:abs():max():item()
  local limits = { -reach, reach }
  self.left = fig:axes { rowspan = 2, equal = true, xlim = limits, ylim = limits,
    xlabel = "z1", ylabel = "z2", legend = data.classes and "outside" or "none" }
  self.left:scatter(own, { size = 2, color = "#9a9a9a", alpha = 0.5, label = "prior" })
  self.latents = self.left:scatter { x = {}, y = {}, size = 2.6, alpha = 0.8 }
  local right = fig:axes { row = 1, col = 2, title = "images, and what is made of them" }
  self.images = right:images { images = self:pairs(first_images(data)), columns = IMAGES, gap = 1 }
  self.right = fig:axes { row = 2, col = 2, xlabel = "step", ylabel = "PSNR in dB",
    y2label = "L align per channel", y2scale = "log" }
  self.psnr = self.right:line { x = {}, y = {}, label = "PSNR" }
  self.align = self.right:line { x = {}, y = {}, axis = "y2", label = "L align" }
  self.right:hline { y = y.curve_align, axis = "y2", dash = "dashed", label = "the prior's own" }
  self.some = data.test:narrow(1, 1, math.min(LATENTS, data.test:size(1)))
  self.labels = data.test_labels:narrow(1, 1, self.some:size(1))
  fig:show()
  return self
end

function Watch:pairs(made)
  return tide.tensor.cat { as_images(first_images(self.data), self.data),
                           as_images(made:clamp(0, 1), self.data) }
end

-- Called in every step: looks as often as that is cheap beside the training.
function Watch:see(method, step, ae, curve)
  local from = tide.clock()
  if not self.fig:due() or from < (self.next or 0) then return end
  ae:eval()
  local z = models.latents(ae, self.some)
  local made = models.decode(ae, z:narrow(1, 1, IMAGES))
  ae:train()
  self.latents:set { xy = self.plane(z), c = self.labels, cmap = "petroff",
    classes = self.data.classes }
  self.images:set { images = self:pairs(made) }
  self.psnr:set { x = curve.step, y = curve.psnr }
  self.align:set { x = curve.step, y = curve.align }
  self.left:set { title = ("%s, step %d"):format(method, step) }
  local now = tide.clock()
  self.next = now + SHARE * (now - from)
end

-- Until the window is closed.
function Watch:stay() tide.plot.wait(self.fig) end

return { open = open }
