-- init.lua -- optimisers, running averages, learning rates.

local optimizer = require "tide.optim.optimizer"

return {
  SGD = optimizer.SGD, Adam = optimizer.Adam, AdamW = optimizer.AdamW,
  clip_grad_norm = optimizer.clip_grad_norm,
  EMA = require("tide.optim.ema").EMA,
  lr = require "tide.optim.lr",
}
