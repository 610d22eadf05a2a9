-- latent_flow.lua -- nn.AutoencoderKL, what the examples on images share, and
-- examples/latent_flow.lua at a tiny size.
local t = require "tests.check"
local tide = require "tide"
local tensor, nn = tide.tensor, tide.nn

local function largest(x) return x:abs():max():item() end

---- the autoencoder ----

t.test("the autoencoder: shapes, pieces, options", function()
  tide.seed(1)
  local ae = nn.AutoencoderKL { channels = 3, width = 4, latent = 2, factor = 8, blocks = { 0, 1, 0, 1 },
                                groups = 3 }
  local x = tensor.randn(5, 3, 16, 24)
  local y, mean, log_var = ae(x)
  t.eq(y.shape, x.shape)
  t.eq(mean.shape, { 5, 2, 2, 3 })
  t.eq(log_var.shape, mean.shape)
  -- 7 rows at a time or all at once is the same
  local many = tensor.randn(1003, 1, 4, 4)
  local small = nn.AutoencoderKL { width = 2, latent = 1 }
  local z = small:latents(many)
  t.ok(largest(z - small:encode(many)) < 1e-5)
  t.ok(largest(small:pictures(z) - small:decode(z)) < 1e-5)
  for text, f in pairs {
    ["power of 2"] = function() nn.AutoencoderKL { factor = 6 } end,
    ["blocks must have 3 numbers"] = function() nn.AutoencoderKL { blocks = { 1, 1 } } end,
    ["width must be a whole number"] = function() nn.AutoencoderKL { width = 1.5 } end,
    ["multiples of 8"] = function() ae:encode(tensor.zeros(1, 3, 12, 16)) end,
  } do
    local ok, message = pcall(f)
    t.ok(not ok and message:find(text, 1, true), tostring(message))
  end
end)

t.test("KL and draws of the posterior, by closed forms", function()
  tide.seed(2)
  local ae = nn.AutoencoderKL { width = 2, latent = 1, factor = 1 }
  local mean, log_var = tensor.full({ 2, 1, 1, 1 }, 0.7), tensor.full({ 2, 1, 1, 1 }, -1.3)
  local want = 0.5 * (0.49 + math.exp(-1.3) + 1.3 - 1)
  t.near(ae:kl(mean, log_var):get(2), want, 1e-6)
  local draws = ae:sample(mean:expand(2, 1, 200, 200), log_var:expand(2, 1, 200, 200))
  t.near(draws:mean():item(), 0.7, 0.01)
  t.near(draws:var():item(), math.exp(-1.3), 0.01)
end)

t.test("the scale makes latents of variance 1 and does not change pictures", function()
  tide.seed(3)
  local ae = nn.AutoencoderKL { width = 4 }
  local x = tensor.rand(300, 1, 8, 8)
  local before = ae:pictures(ae:latents(x))
  local s = ae:measure_scale(x)
  t.near(ae:latents(x, { sample = true }):std():item(), 1, 0.03)
  t.near(ae.scale:item(), s, 1e-6)
  t.ok(largest(ae:pictures(ae:latents(x)) - before) < 1e-4)
  t.ok(ae:state_dict().scale, "the scale is kept with the weights")
end)

t.test("gradients of first and second order", function()
  tide.seed(4)
  local ae = nn.AutoencoderKL { width = 2, latent = 1, factor = 2, dtype = "f64" }
  local x = tensor.randn(2, 1, 4, 4, { dtype = "f64" }):requires_grad_()
  local w = tensor.randn(2, 1, 2, 2, { dtype = "f64" })
  local function value(p)
    local mean, log_var = ae:encode(p)
    return (ae:decode(mean):square():sum() + (log_var * w):sum())
  end
  local slope = tensor.grad(value(x), x, { create_graph = true })
  local u, h = tensor.randn(x.shape, { dtype = "f64" }), 1e-5
  local function at(s) return x:detach() + u * s end
  local first = (value(at(h)):item() - value(at(-h)):item()) / (2 * h)
  t.near((slope * u):sum():item(), first, 1e-6 * (1 + math.abs(first)))
  local second = tensor.grad((slope * u):sum(), x)
  local want = (value(at(1e-4)):item() - 2 * value(at(0)):item() + value(at(-1e-4)):item()) / 1e-8
  t.near((second * u):sum():item(), want, 1e-4 * (1 + math.abs(want)))
end)

---- what the examples on images share ----

package.path = "examples/?.lua;" .. package.path
local sets = require "images.data"
local edit = require "latent_flow.edit"
local nets = require "latent_flow.nets"
local bounds = require "latent_flow.bound"


t.test("sets of images by place: npy files with and without classes, in [-1, 1]", function()
  local dir = t.folder()
  tide.data.save(dir .. "/a.npy", tensor.full({ 20, 8, 8 }, 255):to("u8"))
  local d = sets.load(dir .. "/a.npy", { train = 15, test = 100 })
  t.eq(d.train.shape, { 15, 1, 8, 8 })
  t.eq(d.test.shape, { 2, 1, 8, 8 })
  t.eq({ d.train:min():item(), d.classes }, { 1, 1 })
  tide.data.save(dir .. "/a-labels.npy", (tensor.arange(0, 19, { dtype = "i64" }) % 4) + 1)
  d = sets.load(dir .. "/a.npy", { train = 100, test = 100 })
  t.eq({ d.classes, d.labels:size(1), d.test_labels:get(2) }, { 4, 18, 4 })
  tide.data.save(dir .. "/b.npy", tensor.full({ 20, 3, 8, 8 }, 2))
  local ok, message = pcall(sets.load, dir .. "/b.npy", { train = 1, test = 1 })
  t.ok(not ok and message:find("from 0 to 1", 1, true), message)
  os.execute("rm -r " .. dir)
end)

t.test("masks have holes and known pixels; classes of pixels are one-hot", function()
  for _, kind in ipairs(edit.KINDS) do
    local m = edit.masks(kind, 40, 28, 28)
    t.eq(m.shape, { 40, 1, 28, 28 })
    t.ok((m:eq(0):to("f32") + m:eq(1):to("f32")):min():item() == 1, kind)
    local known = m:mean({ 2, 3, 4 })
    t.ok(known:min():item() > 0.2 and known:max():item() < 0.98, kind)
    t.ok(m:equal(edit.masks(kind, 40, 28, 28)), "the same ones again")
    t.ok(not m:narrow(1, 1, 1):equal(m:narrow(1, 2, 1)), "not all the same")
  end
  -- a square of 6 x 6 in the middle of nothing: 20 pixels of edge around 16
  local x = tensor.full({ 1, 1, 10, 10 }, -1)
  x:narrow(3, 3, 6):narrow(4, 3, 6):fill_(0.5)
  local c = edit.classes(x)
  t.ok(largest(c:sum(2) - 1) == 0)
  t.eq(c:sum({ 1, 3, 4 }):totable(), { 64, 0, 16, 20 })
end)

t.test("a net that reads an image starts as the field it was made from", function()
  tide.seed(6)
  for _, kind in ipairs { "dit", "unet", "mlp" } do
    local o = { net = kind, width = 16, depth = 1, heads = 2, classes = 3 }
    local v = nets.make({ 2, 4, 4 }, o, 1)
    for _, p in ipairs(v:parameters()) do nn.init.normal_(p, 0, 0.3) end
    local w = nets.warm_start(nets.make({ 2, 4, 4 }, o, 1, 3), v)
    local z, time = tensor.randn(5, 2, 4, 4), tensor.rand(5)
    local image = tensor.randn(5, 3, 4, 4)
    local y = v(z, time)
    t.ok(y:abs():max():item() > 1e-3)
    t.ok(largest(w(z, time, { image = image }) - y) < 1e-4 * (1 + largest(y)), kind)
  end
end)

t.test("norms of Jacobians: a linear map and its singular values", function()
  tide.seed(7)
  local a = tensor.randn(12, 12, { dtype = "f64" })
  local _, s = a:svd()
  local x = tensor.randn(3, 3, 2, 2, { dtype = "f64" })
  local n = bounds.norms(function(z) return z:reshape(3, 12):matmul(a):reshape(z.shape) end, x, 100)
  for i = 1, 3 do t.near(n:get(i), s:get(1), 1e-6 * s:get(1)) end
end)

---- the example ----

local program = arg[-1]

local images, cache = t.folder(), t.folder()
require("tests.bars")(images)

local function command(line, kept)
  return ("%s examples/latent_flow.lua --preset test --data %s --cache %s %s"):format(program, images,
    kept or cache, line)
end
local function run(line, kept) return t.shell(command(line, kept)) end

local function number(json, key) return tonumber(json:match('"' .. key .. '": (%-?[%d.e+-]+)')) end
local function part(json, key) return json:match('"' .. key .. '": (%b{})') end

t.test("everything, with each kind of net: files and figures", function()
  local dir = t.folder()
  for _, net in ipairs { "unet", "mlp", "dit" } do
    local text, status = run(("--net %s --width 16 --out %s"):format(net, dir))
    t.eq(status, 0, text)
    local s = t.read(dir .. "/summary.json")
    for _, name in ipairs { "latent", "guided", "unconditional", "pixel", "real" } do
      local r = t.ok(part(s, name), name)
      for _, key in ipairs { "frechet", "precision", "recall", "class_score" } do
        local value = number(r, key)
        t.ok(value and value == value, name .. "." .. key)
      end
    end
    t.eq(number(part(s, "latent"), "nfe"), 3)
    t.eq(number(part(s, "guided"), "nfe"), 6)
    t.ok(number(part(s, "real"), "accuracy") > 0.8, "bars are told apart")
    -- the bar's place can be seen beside most holes, so this holds even for nets like these
    for _, kind in ipairs(edit.KINDS) do t.eq(number(part(part(s, "inpaint"), kind), "outside"), 0) end
    t.eq(t.read(dir .. "/bound.csv"):match "[^\n]*", "step,loss,field,growth,sliced,bound")
    t.ok(number(part(s, "bound"), "bound") > number(part(s, "bound"), "sliced"), "a bound is one")
    t.eq(tide.data.load(dir .. "/samples.npy").shape, { 40, 1, 12, 12 })
    t.ok(not tide.checkpoint.exists(dir .. "/checkpoint_latent.safetensors"), "nothing is left to go on with")
    if tide.plot.can_save then
      for _, name in ipairs { "samples", "inpainting", "maps", "bound", "samplers" } do
        t.eq(t.read(("%s/%s.png"):format(dir, name)):sub(2, 4), "PNG")
      end
    end
    t.ok(text:find("from dopri5", 1, true) and text:find("images from maps", 1, true))
  end
  os.execute("rm -r " .. dir)
end)

t.test("killed while the autoencoder and while the flow is trained, it ends with the same bits", function()
  local whole, cut, kept = t.folder(), t.folder(), t.folder()
  local line = "--parts bound --ae-steps 500 --steps 500 --checkpoint 20 --out "
  local text, status = run(line .. whole)
  t.eq(status, 0, text)
  for _, name in ipairs { "autoencoder", "latent" } do
    local file = ("%s/checkpoint_%s.safetensors"):format(cut, name)
    os.execute(("%s >%s/log 2>&1 & p=$!; while [ ! -e %s ] && kill -0 $p; do sleep 0.02; done; kill -9 $p")
      :format(command(line .. cut .. " --resume", kept), cut, file))
    t.ok(tide.checkpoint.exists(file), "cut off before its end: " .. t.read(cut .. "/log"))
  end
  text, status = run(line .. cut .. " --resume", kept)
  t.eq(status, 0, text)
  for _, name in ipairs { "velocity.safetensors", "bound.csv", "samples.npy" } do
    t.ok(t.read(whole .. "/" .. name) == t.read(cut .. "/" .. name), name)
  end
  os.execute(("rm -r %s %s %s"):format(whole, cut, kept))
end)

t.test("features of another network; wrong options are answered", function()
  local dir = t.folder()
  local x = tensor.randn(200, 5)
  tide.data.save(dir .. "/f.safetensors", { data = x, samples = x })
  tide.data.save(dir .. "/a.npy", x)
  tide.data.save(dir .. "/b.npy", tensor.randn(200, 5) + 3)
  local pair = dir .. "/a.npy," .. dir .. "/b.npy"
  for features, least in pairs { [dir .. "/f.safetensors"] = 0, [pair] = 30 } do
    local text, status = run(("--features %s --out %s"):format(features, dir))
    t.eq(status, 0, text)
    local d = tonumber(text:match "  ([%d.e+-]+) ")
    t.ok(d and d >= least and d < least + 30, text)
  end
  for line, want in pairs {
    ["--parts pixels"] = "did you mean pixel",
    ["--data /nowhere"] = "/nowhere",
    ["--net dlt"] = "one of dit",
    ["--features " .. dir .. "/a.npy"] = "'data' (N,D)",
  } do
    local text, status = run(line .. " --out " .. dir)
    t.eq(status, 1)
    t.ok(text:find(want, 1, true), line .. " gave: " .. text)
  end
  os.execute("rm -r " .. dir)
end)

os.execute(("rm -r %s %s"):format(images, cache))
