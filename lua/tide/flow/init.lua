-- init.lua -- the flow library: paths, losses, training, sampling, likelihood,
-- exact fields, targets.  Each part is loaded when first used.

local where = {
  path = "path",
  matching_loss = "loss", align_loss = "loss", residual = "loss",
  residual_curve = "loss", draws = "loss", floor = "loss",
  critic = "critic", excess_loss = "critic",
  train = "fit", align = "move",
  integrate = "ode", sample = "sample",
  divergence = "likelihood", log_likelihood = "likelihood",
  nll_estimate = "likelihood", surrogate = "likelihood",
  landscape = "landscape",
  exact = "exact", targets = "targets", project = "project",
  prior = "prior", sphere = "sphere",
  VelocityMLP = "velocity",
}

local function load_part(flow, part)
  local loaded = require("tide.flow." .. part)
  for key, file in pairs(where) do
    if file == part then                  -- a part may be a table of its own
      rawset(flow, key, loaded[key] or key == part and loaded or nil)
    end
  end
end

return setmetatable({}, {
  __index = function(flow, name)
    if not where[name] then return nil end
    load_part(flow, where[name])
    return rawget(flow, name)
  end,
  -- everything there is, for the manual
  __pairs = function(flow)
    for _, part in pairs(where) do load_part(flow, part) end
    return next, flow
  end,
})
