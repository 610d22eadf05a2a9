-- judge.lua -- how good images are, in the features of a small classifier that is trained
-- once for each data set and kept.  Its figures say which of two ways is better on this
-- set; they cannot be compared with distances in the features of an ImageNet network.
--
--   local judge = require("images.judge").make(data, { cache = "runs/cache", steps = 1500 })
--   local r = judge:measure(images, { labels = labels })
--   r.frechet, r.precision, r.recall, r.class_score, r.accuracy

local tide = require "tide"
local nn, metrics, tensor = tide.nn, tide.metrics, tide.tensor
local cache = require "images.cache"

local Judge = {}
Judge.__index = Judge

local FEATURES = 64
local NEIGHBOURS = 5000                -- rows for precision and recall, which cost n^2

---- the classifier ----

local Classifier = nn.Module:extend("Classifier")

function Classifier:init(d)
  self.conv1 = nn.Conv2d(d.channels, 16, 3, { stride = 2, pad = 1 })
  self.conv2 = nn.Conv2d(16, 32, 3, { stride = 2, pad = 1 })
  local rows, columns = (d.height + 3) // 4, (d.width + 3) // 4
  self.fc1 = nn.Linear(32 * rows * columns, FEATURES)
  self.fc2 = nn.Linear(FEATURES, d.classes)
end

function Classifier:features(x)
  local h = self.conv2(self.conv1(x):relu()):relu()
  return self.fc1(h:flatten(2, 4)):relu()
end
function Classifier:forward(x) return self.fc2(self:features(x)) end

local function train(net, d, o)
  local optimizer = tide.optim.Adam(net:parameters(), { lr = 2e-3 })
  local cosine = tide.optim.lr.cosine { warmup = 20 }
  local batch = math.min(128, d.train:size(1))
  local bar <close> = tide.progress { label = "classifier", total = o.steps }
  local update = tide.capture(function(x, y)
    local loss = nn.cross_entropy(net(x), y)
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    return loss
  end, { fallback = true })
  for step, x, y in tide.data.batches(d.train, { batch = batch, labels = d.labels }) do
    optimizer.lr = 2e-3 * cosine(step, o.steps)
    update(x, y)
    bar:update(step)
    if step == o.steps then return end
  end
end

---- measures ----

function Judge:features(x)
  return cache.map(function(rows) return self.net:features(rows) end, x:clamp(-1, 1))
end

-- Rows of features against others of the data.
local function compare(f, data)
  local n = math.min(NEIGHBOURS, f:size(1), data:size(1))
  local precision, recall = metrics.precision_recall(f:narrow(1, 1, n), data:narrow(1, 1, n))
  return { frechet = metrics.frechet(f, data), precision = precision, recall = recall }
end

-- Images in [-1, 1] against the test images; with the labels they were asked for, how many
-- the classifier takes for that class.
function Judge:measure(x, o)
  local f = self:features(x)
  local p = cache.map(function(rows) return self.net.fc2(rows):softmax(2) end, f)
  local r = compare(f, self.test_features)
  r.class_score = metrics.class_score(p)
  if o and o.labels then r.accuracy = metrics.accuracy(p, o.labels) end
  return r
end

-- The classifier of a data set, with `test_features`, and `real`: the figures of training
-- images, the best that made ones can reach.
local function make(d, o)
  local stream = tide.random_state()
  tide.seed(1001)
  local self = setmetatable({}, Judge)
  self.net, self.cached = cache.net(Classifier(d), o.cache, "judge",
    ("judge 2, %s, %d steps"):format(d.key, o.steps), function(net) train(net, d, o) end)
  self.test_features = self:features(d.test)
  local n = math.min(d.test:size(1), d.train:size(1))
  self.real = self:measure(d.train:narrow(1, 1, n))
  self.real.accuracy = self:measure(d.test, { labels = d.test_labels }).accuracy
  tide.random_state(stream)
  return self
end

---- features from outside ----

-- The same figures from features that another network gave of data and of samples:
-- FILE.safetensors with tensors "data" and "samples", or DATA.npy,SAMPLES.npy.
local function outside(text)
  local data, samples
  local a, b = text:match "^(.+%.npy),(.+%.npy)$"
  if a then
    data, samples = tide.data.load(a), tide.data.load(b)
  else
    local all = tide.data.load(text)
    if type(all) == "table" then data, samples = all.data, all.samples end
  end
  if not (tensor.is_tensor(data) and tensor.is_tensor(samples) and data:dim() == 2
          and samples:dim() == 2 and data:size(2) == samples:size(2)) then
    error(("--features: %s does not give tensors 'data' (N,D) and 'samples' (M,D); they are " ..
      "FILE.safetensors with both, or DATA.npy,SAMPLES.npy"):format(text), 0)
  end
  return compare(samples:to("f32"), data:to("f32"))
end

return { make = make, outside = outside }
