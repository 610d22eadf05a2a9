-- init.lua -- the flow library: paths, losses, training, sampling, likelihood,
-- exact fields, targets.  Each part is loaded when first used.

local where = {
  path = "path",
  matching_loss = "loss", align_loss = "loss", residual = "loss",
  residual_curve = "loss", draws = "loss", floor = "loss",
  critic = "critic", excess_loss = "critic",
  train = "train", align = "train",
  integrate = "ode", sample = "sample",
  divergence = "likelihood", log_likelihood = "likelihood",
  nll_estimate = "likelihood", surrogate = "likelihood",
  landscape = "landscape",
  exact = "exact", targets = "targets", project = "project",
  VelocityMLP = "velocity",
}

local flow = setmetatable({}, {
  __index = function(self, name)
    local part = where[name]
    if not part then return nil end
    local loaded = require("tide.flow." .. part)
    for key, file in pairs(where) do
      if file == part then                -- a part may be a table of its own
        rawset(self, key, loaded[key] or key == part and loaded or nil)
      end
    end
    return rawget(self, name)
  end,
})

-- Names of everything here, loaded or not: for completion and the manual.
function flow.names()
  local names = {}
  for name in pairs(where) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return flow
