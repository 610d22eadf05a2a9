-- critic.lua -- distribution matching with a second flow, fitted online to the
-- latents while they move.
--
-- E[L(y; v_data) - L(y; v_latents)] over latents is the mean squared distance of
-- the two fields along the latents' own paths: it is 0 only when the latents are
-- distributed as the data, so it has no collapsed optimum.

local tide = require "tide"
local tensor = tide.tensor
local path = require "tide.flow.path"
local loss = require "tide.flow.loss"

local critic = {}

local Critic = {}
Critic.__index = Critic

-- A second flow that starts from v (or from net) and learns the latents' law.
function critic.critic(v, o)
  o = tide.options("flow.critic", o, {
    "net", "groups", lr = 1e-3, batch = 512, steps = 1, path = path.linear(),
    betas = { 0.9, 0.999 } })
  local net = o.net
  if not net then
    if type(v) ~= "table" or not v.clone then
      tide.raise("flow.critic: the prior is no network that could be copied; give " ..
                 "one to train as net=flow.VelocityMLP{...}")
    end
    net = v:clone()
  end
  if o.groups == nil then o.groups = loss.group_count(o.batch) end
  net:train()
  for _, p in ipairs(net:parameters()) do p:requires_grad_(true) end
  o.net = net
  o.view = net:frozen()
  o.grouped = net.grouped
  o.optimizer = tide.optim.Adam(net:parameters(), { lr = o.lr, betas = o.betas })
  return setmetatable(o, Critic)
end

-- Fits the second flow to y: o.steps optimiser steps on random rows of it.  Returns
-- its last loss, a tensor of no dims.
function Critic:update(y)
  local last
  y = y:detach()
  for _ = 1, self.steps do
    local rows = tensor.randint(1, y:size(1), { self.batch }, { device = y.device })
    last = loss.matching_loss(self.net, y:index_select(1, rows), {
      path = self.path, groups = self.groups })
    self.optimizer:zero_grad()
    last:backward()
    self.optimizer:step()
  end
  return last:detach()
end

function Critic:state_dict()
  return { net = self.net:state_dict(), optimizer = self.optimizer:state_dict() }
end

function Critic:load_state_dict(state)
  if type(state) ~= "table" or not state.net then
    tide.raise("load_state_dict: this is not the state of a critic")
  end
  self.net:load_state_dict(state.net)
  self.optimizer:load_state_dict(state.optimizer)
  return self
end

-- The critic as a frozen field: gradients reach the points, not its weights.
function Critic:__call(z, t, labels) return self.view(z, t, labels) end
function Critic:squared_residual(...)
  return self.view.squared_residual and self.view:squared_residual(...)
end

-- L(y; v) - L(y; critic) with the same times and noise in both terms.
function critic.excess_loss(v, y, o)
  o = tide.options("flow.excess_loss", o, {
    "critic", "labels", "clip", "groups", samples = 1, weight = "uniform",
    reduction = "mean", path = path.linear(), eps = 0 })
  if not tide.callable(o.critic) then
    tide.raise("flow.excess_loss: give the second flow as critic= (see flow.critic)")
  end
  local n = y:size(1) * o.samples
  local shape = y.shape
  shape[1] = n
  local like = tensor.empty(shape, { dtype = y.dtype, device = y.device })
  local t = o.groups and loss.times(o.groups * o.samples, y, o.eps, true)
    or loss.times(n, y, o.eps, false)
  local x0 = o.path:prior(like)
  local function align(field)
    return loss.align_loss(field, y, {
      t = t, x0 = x0, labels = o.labels, samples = o.samples, path = o.path,
      weight = o.weight, clip = o.clip, eps = o.eps, groups = o.groups,
      reduction = "none" })
  end
  local excess = align(v) - align(o.critic)
  return o.reduction == "none" and excess or excess:mean()
end

return critic
