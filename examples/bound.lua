-- bound.lua -- Proposition 1 of arXiv 2506.05240 put to the test: is C - L_align a
-- lower bound on log p?  Exact fields, where everything is known, then a trained
-- one, and the estimate of log p that needs no ODE beside them.

local tide = require "tide"
local script = require "tide.script"
local tensor, flow = tide.tensor, tide.flow

local SPEC = {
  name = "bound",
  about = "Holds the paper's surrogate C - L against the exact log-likelihood.",
  options = {
    { "points", 400, "points each field is examined at", least = 1 },
    { "samples", 256, "draws of (t, noise) per point", least = 1 },
    { "steps", 3000, "steps of training the flow of the last row" },
    { "grid", 48, "cells of the picture along each side", least = 2 },
  },
}

local F64 = { dtype = "f64" }

-- The fields: how each is made, and the points it is judged at.
local function fields(o)
  local list = {}
  local function add(name, v, y, exact)
    list[#list + 1] = { name = name, v = v, y = y, exact = exact, marginal = exact }
  end
  local function own(field) return field:sample(o.points, F64) end
  local function minus(x) return -x end
  add("v = -x, d = 1, at y = 0", minus, tensor.zeros(o.points, 1, F64))
  for _, sigma in ipairs { 0.3, 1, 2 } do
    local g = flow.exact.gaussian { mean = { 0.5, -0.5 }, std = sigma }
    add(("Gaussian, sigma %g"):format(sigma), g, own(g), g)
  end
  local wide = flow.exact.gaussian { mean = { 0, 0 },
                                     cov = { { 0.04, 0 }, { 0, 1 } } }
  add("Gaussian, sigmas 0.2 and 1", wide, own(wide), wide)
  for _, name in ipairs { "mog", "grid" } do
    local target = flow.targets[name]()
    add(name .. ", exact field", target.exact, own(target.exact), target.exact)
  end
  return list
end

local function trained(o)
  local target = flow.targets.mog()
  local v = flow.VelocityMLP { dim = 2, hidden = 128, blocks = 3 }
  flow.train(v, target, { steps = o.steps, lr = 1e-3,
                          report = script.progress("flow on mog") })
  v:freeze()
  return { name = "mog, trained flow", v = v,
           y = target:sample(o.points), marginal = true }
end

-- Means, and how often the "bound" exceeds log p by more than its noise.
local function examine(field, o)
  local y = field.y
  local log_p = flow.log_likelihood(field.v, y, { solver = "rk4", steps = 200 })
  local s = flow.surrogate(field.v, y, { samples = o.samples })
  local row = {
    name = field.name, dim = y:size(2),
    log_p = log_p:mean():item(),
    C = s.C:mean():item(), L = s.align:mean():item(),
    bound = s.bound:mean():item(),
    violations = s.bound:gt(log_p):to("f64"):mean():item(),
  }
  if field.marginal then               -- v = -x is no marginal of straight paths
    row.estimate = -flow.nll_estimate(field.v, y, { samples = o.samples }):mean():item()
  end
  if field.exact then
    local want = field.exact:log_prob(y)
    row.closed_form = want:mean():item()
    row.ode_error = (log_p - want):abs():max():item()
  end
  return row
end

local function report(rows)
  local cells = {}
  for i, r in ipairs(rows) do
    cells[i] = { r.name, r.closed_form, r.log_p, r.estimate, r.C, r.L, r.bound,
                 ("%.0f %%"):format(100 * r.violations) }
  end
  script.table({ "field", "log p", "by ODE", "t/(1-t)", "C", "L", "C - L",
                 "C - L > log p" }, cells)
end

-- Where on the plane the surrogate claims more than log p, for the exact mog.
local function picture(out, o)
  if not tide.plot.can_save then return end
  local m = flow.targets.mog().exact
  local area = { xlim = { -2.5, 2.5 }, ylim = { -2.5, 2.5 }, n = o.grid,
                 dtype = "f64" }
  local log_p = flow.landscape(function(p) return m:log_prob(p) end, area)
  local bound = flow.landscape(function(p)
    return flow.surrogate(m, p, { samples = 64 }).bound
  end, area)
  local extent = { -2.5, 2.5, -2.5, 2.5 }
  local fig = tide.plot.figure { size = { 1080, 340 }, rows = 1, cols = 3 }
  local function panel(col, title, z, more)
    local ax = fig:axes { col = col, title = title, equal = true,
                          xlabel = "z1", ylabel = "z2" }
    local h = { z = z, extent = extent }
    for k, v in pairs(more) do h[k] = v end
    ax:colorbar(ax:heatmap(h))
  end
  panel(1, "log p", log_p.z, { norm = "quantile" })
  panel(2, "C - L, said to be below it", bound.z, { norm = "quantile" })
  local gap = bound.z - log_p.z
  panel(3, "(C - L) - log p: above 0 it is no bound", gap,
        { cmap = "blue-red", vmin = -8, vmax = 8 })
  out:figure("bound", fig)
  return gap:gt(0):to("f64"):mean():item()
end

local function main(o)
  local out = script.results(o.out)
  local rows = {}
  for _, field in ipairs(fields(o)) do rows[#rows + 1] = examine(field, o) end
  rows[#rows + 1] = examine(trained(o), o)
  report(rows)
  local share = picture(out, o)
  if share then
    print(("on the grid of the picture C - L exceeds log p in %.0f %% of cells")
          :format(100 * share))
  end
  out:json("summary.json", { rows = rows, seed = o.seed, samples = o.samples,
                             points = o.points, steps = o.steps,
                             grid_violations = share })
  print("results are in " .. out.dir)
end

script.main(SPEC, main, arg)
