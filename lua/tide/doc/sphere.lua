-- sphere.lua -- documentation of flow.sphere: flow matching on the sphere.
local function options(what) return { "options", "table", what, optional = true } end
local radius = { "radius", "number", "R > 0, default sqrt(D)", optional = true }
local function point(name) return { name, "tensor", "points (..., D); taken by their direction" } end
local paper = "arXiv 2605.15193 (spherical flow matching)"
local geometry = "Chen and Lipman 2024, arXiv 2302.03660, appendix on the sphere"

return {
["flow.sphere.project"] = {
  text = "R z / |z|: the point of the sphere in the direction of z. Zero stays zero.",
  args = { { "z", "tensor", "(..., D)" }, radius }, returns = "tensor (..., D)", source = paper,
  example = [[
local z = flow.sphere.project(tensor.randn(4, 9))
assert((z:norm(2, 2) - 3):abs():max():item() < 1e-5)]] },
["flow.sphere.tangent"] = {
  text = "v less its part along z: the projection to the tangent space at z.",
  args = { { "v", "tensor", "(..., D)" }, { "z", "tensor", "(..., D)" } },
  returns = "tensor (..., D)", source = paper,
  example = [[
local v = flow.sphere.tangent(tensor.ones(1, 2), tensor.from { { 3, 0 } })
assert(v:equal(tensor.from { { 0, 1 } }))]] },
["flow.sphere.angle"] = {
  text = "The angle between directions, in radians from 0 to pi, by atan2: exact near 0 and near pi, " ..
    "where the inverse cosine loses half of the digits.",
  args = { point "x0", point "x1" }, returns = "tensor (...)", source = geometry,
  example = [[
local w = flow.sphere.angle(tensor.from { { 1, 0 } }, tensor.from { { 0, 2 } })
assert(math.abs(w:item() - math.pi / 2) < 1e-6)]] },
["flow.sphere.slerp"] = {
  text = "The point a share t of the way along the geodesic from x0 to x1, and the velocity there, of " ..
    "length R w for an angle w and tangent to the sphere. Finite, with gradients, near w = 0 and near " ..
    "w = pi. Antipodal points have no shortest way: the one through the coordinate axis most across " ..
    "x0 is taken.",
  args = { point "x0", point "x1", { "t", "number or tensor", "0 to 1, or shape (..., 1)" }, radius },
  returns = "tensors (..., D): the point, the velocity", source = paper .. "; " .. geometry,
  example = [[
local x0, x1 = tensor.from { { 1, 0 } }, tensor.from { { 0, 1 } }
local z, u = flow.sphere.slerp(x0, x1, 0.5, 1)
assert(math.abs(z:get(1, 1) - math.sqrt(0.5)) < 1e-6)
assert(math.abs(u:norm():item() - math.pi / 2) < 1e-6)]] },
["flow.sphere.exp"] = {
  text = "The exponential map: where the geodesic that leaves z with velocity v is at time 1.",
  args = { { "z", "tensor", "points on the sphere (..., D)" },
    { "v", "tensor", "tangents at z (..., D), see flow.sphere.tangent" }, radius },
  returns = "tensor (..., D)", source = geometry,
  example = [[
local z = flow.sphere.exp(tensor.from { { 1, 0 } }, tensor.from { { 0, math.pi } }, 1)
assert((z - tensor.from { { -1, 0 } }):abs():max():item() < 1e-6)]] },
["flow.sphere.log"] = {
  text = "The logarithm: the velocity with which a geodesic leaves z to be at y at time 1; the inverse of " ..
    "flow.sphere.exp for angles below pi.",
  args = { point "z", point "y", radius }, returns = "tensor (..., D), tangent at z", source = geometry,
  example = [[
local z, y = flow.sphere.uniform(8, 3), flow.sphere.uniform(8, 3)
assert((flow.sphere.exp(z, flow.sphere.log(z, y)) - y):abs():max():item() < 1e-4)]] },
["flow.sphere.log_area"] = {
  text = "The log of the area of the sphere. Minus it is the log density of the uniform law, and all " ..
    "densities on the sphere are with respect to area.",
  args = { { "dim", "integer", "D, of the space around the sphere" }, radius }, returns = "number",
  errors = "dim that is not a positive whole number.",
  source = "log 2 + (D/2) log pi - log Gamma(D/2) + (D-1) log R",
  example = "assert(math.abs(flow.sphere.log_area(3, 1) - math.log(4 * math.pi)) < 1e-12)" },
["flow.sphere.uniform"] = {
  text = "Points that are uniform on the sphere: projected normal noise.",
  args = { { "n", "integer" }, { "dim", "integer", "D" },
    options("radius [sqrt(D)], generator, dtype, device") },
  returns = "tensor (n, D)", source = paper,
  example = "assert(flow.sphere.uniform(5, 4):size(2) == 4)" },
["flow.sphere.von_mises_fisher"] = {
  text = "A mixture of von Mises-Fisher distributions, each proportional to exp(c <m, y/|y|>), with exact " ..
    "density: sample(n), log_prob(y), nll(y), dim, radius, as a target. Sampling inverts the " ..
    "distribution function for D = 3 and rejects otherwise.",
  args = { { "options", "table", "directions: m, (K,D), of any length; concentration [20]: c, a " ..
    "number or K of them, 0 is uniform; weights: K numbers; radius [sqrt(D)]" } },
  returns = "a target",
  errors = "Shapes that do not agree; negative concentrations or weights; a zero direction.",
  source = "Mardia and Jupp, Directional Statistics, 2000, section 9.3; Wood 1994, Simulation of the von " ..
    "Mises Fisher distribution",
  example = [[
local p = flow.sphere.von_mises_fisher {
  directions = { { 0, 0, 1 }, { 1, 0, 0 } }, concentration = 30, radius = 1 }
local y = p:sample(100)
assert(math.abs(y:norm(2, 2):mean():item() - 1) < 1e-6)
local v = flow.VelocityMLP { dim = 3, hidden = 16, blocks = 1 }
flow.train(v, p, { steps = 3, batch = 32, path = flow.path.spherical { radius = 1 } })]] },
}
