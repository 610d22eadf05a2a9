-- steps.lua -- training steps to be captured, each made of a net and its optimiser; a step takes
-- points and returns its loss.
local tide = require "tide"
local flow, optim = tide.flow, tide.optim

local steps = {}

function steps.plain(net, opt)
  return function(x)
    opt:zero_grad()
    local loss = flow.matching_loss(net, x)
    loss:backward()
    opt:step()
    return loss
  end
end

function steps.clipped(net, opt)
  local ema = optim.EMA(net, { decay = 0.9, warmup = true })
  return function(x)
    opt:zero_grad()
    local loss = flow.matching_loss(net, x, { stratified = true })
    loss:backward()
    optim.clip_grad_norm(net:parameters(), 0.5)
    opt:step()
    ema:update()
    return loss
  end
end

-- Gradients of two halves add up in place before the update.
function steps.accumulated(net, opt)
  return function(x)
    opt:zero_grad()
    local loss = flow.matching_loss(net, x) * 0.5
    loss:backward()
    local more = flow.matching_loss(net, x * 2) * 0.5
    more:backward()
    opt:step()
    return loss + more
  end
end

return steps
