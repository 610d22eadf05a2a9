-- spherical.lua -- examples/spherical.lua at a tiny size: what its rows differ in, what its
-- probes measure, and both of its parts from outside.
local t = require "tests.check"
local tide = require "tide"
local tensor, flow = tide.tensor, tide.flow
local sphere = flow.sphere

package.path = "examples/?.lua;" .. package.path
local rows = require "spherical.rows"
local probe = require "spherical.probe"

local function largest(x) return x:abs():max():item() end

local function row(key)
  for _, r in ipairs(rows.LIST) do
    if r.key == key then return r end
  end
end

t.test("tokens and latent pictures", function()
  local z = tensor.randn(2, 3, 4, 5)
  local tokens = rows.tokens(z)
  t.eq(tokens.shape, { 2, 20, 3 })
  t.eq(tokens:get(2, 7, 3), z:get(2, 3, 2, 2))
  local ae, data = { factor = 2 }, { height = 8, width = 10 }
  t.ok(rows.grid(tokens, ae, data):equal(z))
  t.ok(largest(rows.on_shell(z):norm(2, 2) - math.sqrt(3)) < 1e-6)
  t.ok(largest(rows.tokens(rows.on_shell(z)) - sphere.project(tokens)) < 1e-6)
end)

t.test("samplers of the rows: where they go, and how far", function()
  tide.seed(1)
  local like = tensor.empty(6, 4, 3, { dtype = "f64" })
  local goal = sphere.project(tensor.randn(6, 4, 3, { dtype = "f64" }))
  local function great(z, s) return sphere.log(z, goal) / (1 - s) end
  local function ends(key, field, steps)
    local path = rows.path(row(key))
    return (flow.sample(field, path:prior(like), { path = path, steps = steps }))
  end
  t.ok(largest(ends("spherical", great, 2) - goal) < 1e-12)
  -- the last step of the linear sampler turns by arctan(w) where the rest of the way is w
  local path = rows.path(row "chord")
  local z = path:prior(like)
  local rest = sphere.angle(z, goal)
  local y = path:step(z, sphere.log(z, goal), 1)
  t.ok(largest(sphere.angle(z, y) - rest:atan()) < 1e-13)
  t.ok(largest(sphere.angle(ends("chord", great, 1), goal)) > 0.1)
  local function off(steps) return sphere.angle(ends("chord", great, steps), goal):mean():item() end
  t.ok(off(40) < off(4))
  -- a straight path from the shell ends where its field says, through the inside
  local shell = rows.path(row "shell")
  local x0 = shell:prior(like)
  t.ok(largest(x0:norm(2, -1) - math.sqrt(3)) < 1e-12)
  local x, info = flow.sample(function() return goal - x0 end, x0, {
    path = shell, steps = 2, trajectory = true })
  t.ok(largest(x - goal) < 1e-12)
  t.ok(info.trajectory[2]:norm(2, -1):max():item() < math.sqrt(3))
end)

-- An autoencoder that is none: latents are the picture's three channels.
local function mirror()
  return { factor = 1, latent = 3, latents = function(_, x) return x end,
           pictures = function(_, z) return z end }
end

t.test("probes: norms, exchanged radii, shares of the velocity that are radial", function()
  tide.seed(2)
  local data = { test = tensor.randn(400, 3, 2, 2) * 0.2, height = 2, width = 2 }
  local norms = probe.norms(mirror(), data)
  t.near(norms.mean, data.test:norm(2, 2):mean():item() / math.sqrt(3), 1e-5)
  local swap, shown = probe.swap(mirror(), mirror(), data)
  t.eq(#shown, 6)
  t.ok(swap.direction > swap.radius + 1, "directions hold more than radii")
  t.ok(swap.reconstruction > 100)
  local paths = probe.paths(mirror(), data)
  t.near(paths.shell.radial[1], paths.expected, 1e-5)
  t.ok(largest(tensor.from(paths.spherical.radial)) < 1e-10)
  t.ok(largest(tensor.from(paths.spherical.norm) - 1) < 1e-5)
  t.ok(paths.shell.norm[11] < 0.8 and math.abs(paths.shell.norm[21] - 1) < 1e-5)
end)

---- the example ----

-- Images of 12 x 12 in three classes: a bar at the left, in the middle, at the right.
local function make_images(dir)
  tide.seed(5)
  local labels = tensor.randint(0, 2, { 200 })
  local columns = tensor.arange(0, 11):reshape(1, 1, 12)
  local bar = ((columns / 4):floor() - labels:to("f32"):reshape(-1, 1, 1)):eq(0):to("f32")
  local x = bar * (tensor.rand(200, 1, 1) * 0.6 + 0.4) + tensor.rand(200, 12, 12) * 0.1
  tide.data.save(dir .. "/bars.npy", x:clamp(0, 1))
  tide.data.save(dir .. "/bars-labels.npy", labels + 1)
end

local function run(line)
  return t.shell(("%s examples/spherical.lua --preset test %s"):format(arg[-1], line))
end

local function pictures(dir, names)
  if not tide.plot.can_save then return end
  for _, name in ipairs(names) do t.eq(t.read(("%s/%s.png"):format(dir, name)):sub(2, 4), "PNG") end
end

t.test("images: all rows, with the same numbers again", function()
  local dir = t.folder()
  make_images(dir)
  local line = ("--data %s/bars.npy --cache %s --out %s/"):format(dir, dir, dir)
  local text, status = run(line .. "a")
  t.eq(status, 0, text)
  local s = tide.json.decode(t.read(dir .. "/a/summary.json"))
  for _, r in ipairs(rows.LIST) do
    for _, key in ipairs { "frechet", "precision", "recall", "class_score", "accuracy" } do
      local value = s.rows[r.key][key]
      t.ok(value and value == value, r.key .. "." .. key)
    end
    t.eq(s.rows[r.key].nfe, 3)
    t.ok(text:find(r.title, 1, true))
  end
  t.near(s.radial_share, s.radial_expected, 1e-5)
  pictures(dir .. "/a", { "samples", "swap", "norms" })
  text, status = run(line .. "b --net unet --width 8")
  t.eq(status, 0, text)
  text, status = run(line .. "c")
  t.eq(status, 0, text)
  local again = tide.json.decode(t.read(dir .. "/c/summary.json"))
  t.eq(again.rows, s.rows)
  os.execute("rm -r " .. dir)
end)

t.test("the toy: latents stay on the sphere", function()
  local dir = t.folder()
  local text, status = run("--toy --steps 300 --width 32 --batch 128 --lr 0.005 " ..
    "--align-steps 100 --out " .. dir)
  t.eq(status, 0, text)
  local s = tide.json.decode(t.read(dir .. "/summary.json"))
  for _, name in ipairs { "data", "samples", "align", "excess" } do t.ok(s[name].off_sphere < 1e-5, name) end
  t.ok(s.align.nll < 6, "from 7 at the start, that of uniform points")
  t.ok(s.likelihood.pearson > 0.4)
  t.eq(tide.data.load(dir .. "/latents_align.npy").shape, { 60, 3 })
  pictures(dir, { "toy" })
  os.execute("rm -r " .. dir)
end)

t.test("wrong options", function()
  local text, status = run "--net dti"
  t.ok(status ~= 0 and text:find("--net is one of dit, mlp, unet, not 'dti'", 1, true), text)
end)
