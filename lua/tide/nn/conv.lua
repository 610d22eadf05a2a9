-- conv.lua -- layers of pictures: convolutions, their adjoints, group norm, changes of
-- size.  Pictures are (batch, channels, height, width).

local tide = require "tide"
local tensor = tide.tensor
local base = require "tide.nn.module"
local init = require "tide.nn.initialize"

local conv = {}

local function class(name)
  conv[name] = base.Module:extend(name)
  return conv[name]
end

local function positive(class_name, key, v, least)
  return tide.count("nn." .. class_name, key, v, least or 1)
end

local function check_pictures(name, x, channels)
  if not tensor.is_tensor(x) or x:dim() ~= 4 or (channels and x:size(2) ~= channels) then
    tide.raise(("nn.%s: pictures (batch, %s, height, width) are needed, not %s"):format(
      name, channels or "channels",
      tensor.is_tensor(x) and tensor.shape_text(x) or "a " .. type(x)))
  end
end

---- convolutions ----

-- Weights and bias start uniform in +-1/sqrt(inputs of one output).
local function make_weights(self, shape, outputs, fan, o)
  local spec = { dtype = o.dtype, device = o.device }
  local a = 1 / math.sqrt(fan)
  self.weight = base.Parameter(init.uniform_(tensor.empty(shape, spec), -a, a))
  if o.bias then self.bias = base.Parameter(init.uniform_(tensor.empty(outputs, spec), -a, a)) end
end

local function sizes(self, name, inputs, outputs, kernel, o)
  self.inputs, self.outputs = positive(name, "inputs", inputs), positive(name, "outputs", outputs)
  self.kernel = positive(name, "kernel", kernel)
  self.stride, self.pad = positive(name, "stride", o.stride), positive(name, "pad", o.pad, 0)
end

-- nn.Conv2d(inputs, outputs, kernel, {stride=1, pad=0, bias=true})
local Conv2d = class "Conv2d"
function Conv2d:init(inputs, outputs, kernel, o)
  o = tide.options("nn.Conv2d", o, { "dtype", "device", stride = 1, pad = 0, bias = true })
  sizes(self, "Conv2d", inputs, outputs, kernel, o)
  make_weights(self, { outputs, inputs, kernel, kernel }, outputs, inputs * kernel * kernel, o)
end
function Conv2d:forward(x)
  check_pictures("Conv2d", x, self.inputs)
  return x:conv2d(self.weight, self.bias, self.stride, self.pad)
end
function Conv2d:extra()
  return ("%d, %d, kernel=%d, stride=%d, pad=%d%s"):format(self.inputs, self.outputs,
    self.kernel, self.stride, self.pad, self.bias and "" or ", no bias")
end

-- nn.ConvTranspose2d(inputs, outputs, kernel, {stride=1, pad=0, extra=0, bias=true})
local ConvTranspose2d = class "ConvTranspose2d"
function ConvTranspose2d:init(inputs, outputs, kernel, o)
  o = tide.options("nn.ConvTranspose2d", o, {
    "dtype", "device", stride = 1, pad = 0, extra = 0, bias = true })
  sizes(self, "ConvTranspose2d", inputs, outputs, kernel, o)
  self.more = positive("ConvTranspose2d", "extra", o.extra, 0)
  make_weights(self, { inputs, outputs, kernel, kernel }, outputs, outputs * kernel * kernel, o)
end
function ConvTranspose2d:forward(x)
  check_pictures("ConvTranspose2d", x, self.inputs)
  return x:conv_transpose2d(self.weight, self.bias, self.stride, self.pad, self.more, self.more)
end
ConvTranspose2d.extra = Conv2d.extra

---- group norm ----

-- nn.GroupNorm(groups, channels, {eps=1e-5, affine=true}) on (batch, channels, ...)
local GroupNorm = class "GroupNorm"
function GroupNorm:init(groups, channels, o)
  o = tide.options("nn.GroupNorm", o, { "dtype", "device", eps = 1e-5, affine = true })
  self.groups = positive("GroupNorm", "groups", groups)
  self.channels = positive("GroupNorm", "channels", channels)
  if channels % groups ~= 0 then
    tide.raise(("nn.GroupNorm: %d channels do not split into %d groups"):format(channels, groups))
  end
  self.eps = o.eps
  if o.affine then
    local spec = { dtype = o.dtype, device = o.device }
    self.weight = base.Parameter(tensor.ones(channels, spec))
    self.bias = base.Parameter(tensor.zeros(channels, spec))
  end
end

-- With scale and shift, one number for each sample and channel (n, channels), the result is
-- times 1 + scale, plus shift.
function GroupNorm:forward(x, scale, shift)
  if not tensor.is_tensor(x) or x:dim() < 2 or x:size(2) ~= self.channels then
    tide.raise(("nn.GroupNorm: (batch, %d, ...) is needed, not %s"):format(self.channels,
      tensor.is_tensor(x) and tensor.shape_text(x) or "a " .. type(x)))
  end
  local weight, bias = self.weight, self.bias
  if scale then
    weight, bias = weight and weight * (scale + 1) or scale + 1,
      bias and bias:modulate(shift, scale) or shift
  end
  return x:group_norm(weight, bias, self.groups, self.eps)
end
function GroupNorm:extra()
  return ("%d, %d, eps=%g"):format(self.groups, self.channels, self.eps)
end

---- changes of size ----

-- nn.Upsample(factor): each pixel becomes a square of factor x factor (nearest neighbour).
local Upsample = class "Upsample"
function Upsample:init(factor) self.factor = positive("Upsample", "factor", factor or 2) end
function Upsample:forward(x)
  check_pictures("Upsample", x)
  return x:upsample2d(self.factor)
end
function Upsample:extra() return tostring(self.factor) end

-- nn.AvgPool2d(factor): the mean of squares of factor x factor that do not overlap.
local AvgPool2d = class "AvgPool2d"
function AvgPool2d:init(factor) self.factor = positive("AvgPool2d", "factor", factor or 2) end
function AvgPool2d:forward(x)
  check_pictures("AvgPool2d", x)
  local h, w, f = x:size(3), x:size(4), self.factor
  if h % f ~= 0 or w % f ~= 0 then
    tide.raise(("nn.AvgPool2d: pictures of %d x %d do not split into squares of %d"):format(h, w, f))
  end
  return x:sum_pool2d(f) / (f * f)
end
AvgPool2d.extra = Upsample.extra

---- patches ----

local function patch_sizes(name, n, p)
  if n % p ~= 0 then
    tide.raise(("nn.%s: %d pixels do not split into patches of %d"):format(name, n, p))
  end
  return n // p
end

-- (batch, c, h, w) to (batch, tokens, c p p), row after row of patches.
function conv.patchify(x, p)
  check_pictures("patchify", x)
  p = positive("patchify", "p", p)
  local n, c = x:size(1), x:size(2)
  local rows, columns = patch_sizes("patchify", x:size(3), p), patch_sizes("patchify", x:size(4), p)
  return x:reshape(n, c, rows, p, columns, p):permute(1, 3, 5, 2, 4, 6)
    :reshape(n, rows * columns, c * p * p)
end

-- The inverse, for pictures of c channels, h high and w wide.
function conv.unpatchify(tokens, p, c, h, w)
  p = positive("unpatchify", "p", p)
  local n, rows, columns = tokens:size(1), patch_sizes("unpatchify", h, p), patch_sizes("unpatchify", w, p)
  if tokens:size(2) ~= rows * columns or tokens:size(3) ~= c * p * p then
    tide.raise(("nn.unpatchify: (batch, %d, %d) is needed for %d x %d pictures of %d channels, not %s")
      :format(rows * columns, c * p * p, h, w, c, tensor.shape_text(tokens)))
  end
  return tokens:reshape(n, rows, columns, c, p, p):permute(1, 4, 2, 5, 3, 6):reshape(n, c, h, w)
end

return conv
