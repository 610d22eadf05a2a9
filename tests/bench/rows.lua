-- rows.lua -- what is measured: one entry for each row of the table.
--
--   id, title     short name and what the unit of work is
--   kind, spec    a function of work.lua and of each peer, and its arguments; quick: other
--                 arguments for a fast look
--   flops(spec)   arithmetic of the products of one unit
--   want          by group of peers' variants, the ratio that is aimed at
--   full          how many units the complete task is, which a unit is cut from
--   bytes(spec)   what one unit must move through memory at least
--
-- spec.precision is "tf32" or "bf16" where products are not made in f32. rows.cuda are those for a GPU.

local rows = {}

-- Multiplications for each sample: along the points, in the modulation, for the time.
local function mac(s)
  local h, nb = s.hidden, s.blocks
  return 2 * nb * h * h + 2 * s.dim * h, (3 * nb + 2) * h * h, 256 * h + h * h
end

-- Products of a training step; the first layers need no gradient of their inputs.
local function train_flops(s)
  local x, m, t = mac(s)
  return 2 * s.batch * (3 * (x + m + t) - 256 * s.hidden - s.dim * s.hidden)
end

-- Forward and backward through a frozen net, with one row of conditioning for each group.
local function latents_flops(s)
  local x, m, t = mac(s)
  return 2 * s.points * 2 * x + 2 * s.groups * (m + t)
end

local function field_flops(count, tangents)
  return function(s)
    local x, m, t = mac(s)
    local evaluations = s.steps and 4 * s.steps or s.draws
    return 2 * evaluations * ((1 + tangents(s)) * count(s) * x + m + t)
  end
end

-- Adam reads four numbers of each parameter and writes three; bf16 adds copies and narrow gradients.
local function train_bytes(s)
  local x, m, t = mac(s)
  return (s.precision == "bf16" and 34 or 28) * (x + m + t)
end

local function points(s) return s.points end
local function cells(s) return s.n[1] * s.n[2] end
local function none() return 0 end
local function each_dim(s) return s.dim end

local toy = { dim = 2, hidden = 128, blocks = 3 }
local paper = { dim = 2, hidden = 512, blocks = 4 }
local tiny = { dim = 2, hidden = 16, blocks = 1 }

local function with(base, more)
  local s = {}
  for k, v in pairs(base) do s[k] = v end
  for k, v in pairs(more) do s[k] = v end
  return s
end

local training = { batch = 256, lr = 1e-4 }
local some = with(tiny, { batch = 32, lr = 1e-3, points = 64, groups = 8, steps = 2, n = { 16, 4 },
                          draws = 3 })

local function add(row) rows[#rows + 1] = row end

add { id = "toy", title = "toy training: H128 x 3, batch 256, one step", kind = "train",
  spec = with(toy, training), quick = some, flops = train_flops, want = { best = 2 } }
add { id = "paper", title = "paper training: H512 x 4, batch 256, one step", kind = "train",
  spec = with(paper, training), quick = some, flops = train_flops, want = { best = 1.3 } }
add { id = "prior", title = "prior: H1024 x 6, 32-d, batch 256, one step", kind = "train",
  spec = with({ dim = 32, hidden = 1024, blocks = 6 }, training), quick = with(some, { dim = 3 }),
  flops = train_flops, want = { best = 1.4 } }
add { id = "latents", title = "1,000 latents through the frozen H512 x 4 net, one step", kind = "latents",
  spec = with(paper, { points = 1000, groups = 100, lr = 1e-2 }), quick = some, flops = latents_flops,
  want = { plain = 2, shared = 1.1 } }
add { id = "landscape", title = "landscape: 16 of 256 lines of 256 cells, 8 of 64 draws, H512 x 4",
  kind = "landscape", spec = with(paper, { n = { 256, 16 }, draws = 8 }), quick = some,
  flops = field_flops(cells, none), want = { plain = 2.8, shared = 1.15 }, full = 16 * 8 }
add { id = "sample", title = "sampling: 10,000 points, 2 of 100 steps of RK4, H512 x 4", kind = "sample",
  spec = with(paper, { points = 10000, steps = 2 }), quick = some, flops = field_flops(points, none),
  want = { best = 1.5 }, full = 50 }
add { id = "likelihood", title = "exact likelihood: 2,500 of 10,000 points, 2 of 100 steps of RK4, H512 x 4",
  kind = "likelihood", spec = with(paper, { points = 2500, steps = 2 }), quick = some,
  flops = field_flops(points, each_dim), want = { best = 1.5 }, full = 4 * 50 }
add { id = "kde", title = "kernel density, h = 0.1: 16 of 256 lines of 256 cells, 100,000 samples",
  kind = "kde", spec = { n = { 256, 16 }, samples = 100000, bandwidth = 0.1 },
  quick = { n = { 16, 4 }, samples = 2000, bandwidth = 0.1 }, want = { best = 10 }, full = 16 }
add { id = "kde_points", title = "the same at 4,096 of 65,536 scattered points", kind = "kde",
  spec = { points = 4096, samples = 100000, bandwidth = 0.1 },
  quick = { points = 64, samples = 2000, bandwidth = 0.1 }, want = { best = 10 }, full = 16 }
add { id = "add", title = "c = a + b of 16 numbers, 1,000 times", kind = "overhead", spec = { what = "add" } }
add { id = "backward", title = "(w * b + a):sum():backward() of 16 numbers, 1,000 times", kind = "overhead",
  spec = { what = "backward" } }

---- on a GPU: complete tasks, and products in other precisions ----

rows.cuda = {}
function add(row) rows.cuda[#rows.cuda + 1] = row end

local vs = { eager = 8, graph = 2.5 }
add { id = "paper", title = "paper training, f32: H512 x 4, batch 256, one step", kind = "train",
  spec = with(paper, training), quick = some, flops = train_flops, bytes = train_bytes,
  want = vs, full = 1e5 }
add { id = "paper_tf32", title = "paper training, TF32", kind = "train",
  spec = with(with(paper, training), { precision = "tf32" }), quick = with(some, { precision = "tf32" }),
  flops = train_flops, bytes = train_bytes, want = vs, full = 1e5 }
add { id = "prior", title = "prior, bf16: H1024 x 6, 32-d, batch 256, one step", kind = "train",
  spec = with({ dim = 32, hidden = 1024, blocks = 6, precision = "bf16" }, training),
  quick = with(some, { dim = 3, precision = "bf16" }), flops = train_flops, bytes = train_bytes, full = 1e6 }
add { id = "toy", title = "toy training, f32: H128 x 3, batch 256, one step", kind = "train",
  spec = with(toy, training), quick = some, flops = train_flops, bytes = train_bytes, want = vs }
add { id = "latents", title = "1,000 latents through the frozen H512 x 4 net, one step", kind = "latents",
  spec = with(paper, { points = 1000, groups = 100, lr = 1e-2 }), quick = some, flops = latents_flops,
  full = 5000 }
add { id = "landscape", title = "landscape: 256 x 256 cells, 64 draws, H512 x 4", kind = "landscape",
  spec = with(paper, { n = { 256, 256 }, draws = 64 }), quick = some, flops = field_flops(cells, none) }
add { id = "landscape_tf32", title = "landscape, TF32", kind = "landscape",
  spec = with(paper, { n = { 256, 256 }, draws = 64, precision = "tf32" }),
  quick = with(some, { precision = "tf32" }), flops = field_flops(cells, none) }
add { id = "sample", title = "sampling: 10,000 points, 100 steps of RK4, H512 x 4", kind = "sample",
  spec = with(paper, { points = 10000, steps = 100 }), quick = some, flops = field_flops(points, none) }
add { id = "likelihood", title = "exact likelihood: 10,000 points, 20 of 100 steps of RK4, H512 x 4",
  kind = "likelihood", spec = with(paper, { points = 10000, steps = 20 }), quick = some,
  flops = field_flops(points, each_dim), full = 5 }

return rows
